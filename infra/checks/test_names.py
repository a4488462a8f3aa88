"""Names that must agree with each other and with the code.

Every name ends in the environment. Each function's log group exists before it, and a function has
the name of each table. Keys, indexes and time-to-live attributes have the names that the code uses.
The access log contains nothing secret.
"""

import json
import re

import pytest

from mutations import broken, drop, mutation, put
from resolve import NAMED, of_type
from template import OPERATOR_ROLE, ROOT, deployed

CRATES = ("session", "session-http-handler", "kvs-stream-consumer", "audio-processor", "session-canary", "aws-adapters",
          "lambda-support")
CODE = {word for crate in CRATES for path in (ROOT / "crates" / crate / "src").rglob("*.rs")
        for word in re.findall(r"[\w-]+", path.read_text())}
NAMES = {kind: it[0] for kind, it in NAMED.items()} | {
    "AWS::CloudWatch::Alarm": "AlarmName", "AWS::Events::Archive": "ArchiveName"}
STAGE = "AWS::ApiGatewayV2::Stage"
# The variables that the access log may contain: no header, query string, claim or body.
LOGGED = {
    "requestId", "requestTime", "identity.sourceIp", "routeKey", "path", "status", "responseLength",
    "responseLatency", "integrationLatency", "integrationStatus", "error.responseType", "authorizer.error",
}


def variables(resources: dict) -> list[dict]:
    """Returns the environment variables of each function."""
    return [it["Environment"]["Variables"] for it in of_type(resources, "AWS::Lambda::Function").values()]


def name_problems(resources: dict) -> list[str]:
    """Returns the resources whose name does not end in the environment."""
    environment = variables(resources)[0]["ENVIRONMENT"]
    return [f"{name}: its name does not end in the environment" for name, it in resources.items()
            if it["Type"] in NAMES and name != OPERATOR_ROLE and not re.search(
                rf"-{environment}(-role)?$", it["Properties"].get(NAMES[it["Type"]], ""))]


def log_group_problems(resources: dict) -> list[str]:
    """Returns the functions that do not depend on their log group."""
    found, groups = [], of_type(resources, "AWS::Logs::LogGroup")
    for name, function in of_type(resources, "AWS::Lambda::Function").items():
        own = [group for group, it in groups.items() if it["LogGroupName"] == f"/aws/lambda/{function['FunctionName']}"]
        if not own or own[0] != resources[name].get("DependsOn"):
            found.append(f"{name}: it does not depend on its log group")
    return found


def table_problems(resources: dict) -> list[str]:
    """Returns the names of the tables that the code does not use."""
    found, values = [], {value for it in variables(resources) for value in it.values()}
    for name, table in of_type(resources, "AWS::DynamoDB::Table").items():
        indexes = table.get("GlobalSecondaryIndexes", [])
        used = {key["AttributeName"] for it in (table, *indexes) for key in it["KeySchema"]}
        used |= {it["IndexName"] for it in indexes} | {table["TimeToLiveSpecification"]["AttributeName"]}
        found += [f"{name}: no code contains {it}" for it in sorted(used - CODE)]
        if table["TableName"] not in values:
            found.append(f"{name}: no function has its name")
    return found


def access_log_problems(resources: dict) -> list[str]:
    """Returns what is wrong with the access logs."""
    found = []
    for name, stage in of_type(resources, STAGE).items():
        form = stage.get("AccessLogSettings", {}).get("Format", "")
        logged = set(re.findall(r"\$context\.([A-Za-z.]+)", form))
        if not logged or form.count("$") != len(logged):
            found.append(f"{name}: the format of its access log is {form!r}")
        found += [f"{name}: its access log contains {it}" for it in sorted(logged - LOGGED)]
        try:
            assert isinstance(json.loads(form), dict)
        except (ValueError, AssertionError):
            found.append(f"{name}: its access log is not JSON")
    return found


def problems(resources: dict) -> list[str]:
    """Returns what is wrong with the names of translated, resolved resources."""
    return [*name_problems(resources), *log_group_problems(resources), *table_problems(resources),
            *access_log_problems(resources)]


# The reference processor, which `external` does not deploy, is the one that reads its table.
@pytest.mark.parametrize("name", ["defaults", "every-option", "prod", "instances"])
def test_names_agree(name: str):
    assert problems(deployed(name)) == []


RESOURCES = deployed("every-option")


def mutations():
    """Yields renamed resources, and access logs with a secret."""
    for name, resource in RESOURCES.items():
        if naming := NAMES.get(resource["Type"]):
            yield mutation(f"{name}-renamed", put(name, "Properties", **{naming: "x"}))
        if resource["Type"] == "AWS::DynamoDB::Table":
            key = {"AttributeName": "noSuchKey", "KeyType": "HASH"}
            yield mutation(f"{name}-other-key", put(name, "Properties", KeySchema=[key]))
        if resource["Type"] == "AWS::Lambda::Function":
            yield mutation(f"{name}-before-its-log-group", drop(name, "DependsOn"))
    settings = ("SessionApiApiGatewayDefaultStage", "Properties", "AccessLogSettings")
    for what, form in {"claim": '{"t":"$context.authorizer.claims.sub"}', "query": '{"q":"$request.querystring"}',
                       "text": "$context.path", "nothing": ""}.items():
        yield mutation(f"access-log-with-{what}", put(*settings, Format=form))


@pytest.mark.parametrize("change", list(mutations()))
def test_detects(change):
    assert problems(broken(RESOURCES, change))
