"""Names that must agree with each other and with the code: part of check_template.py.

Works on a translated template with its intrinsics resolved (`resolve.py`). Whatever has a name has its
environment in it; each function has its log group before it, each table its readers; indexes, keys and times to
live are called as the code calls them; and the access log holds nothing that a caller sends in secret.
"""

import json
import pathlib
import re

from resolve import NAMED, of_type
from spoil import Spoiler

CRATES = pathlib.Path(__file__).resolve().parent.parent / "crates"
DEPLOYED = ["session", "session-http-handler", "kvs-stream-consumer", "audio-processor", "aws-adapters", "lambda-shell"]
NAMES = {kind: it[0] for kind, it in NAMED.items()} | {
    "AWS::CloudWatch::Alarm": "AlarmName", "AWS::Events::Archive": "ArchiveName"}
# What an access log may hold: no header, no query string, no claim, no body.
LOGGED = {
    "requestId", "requestTime", "identity.sourceIp", "routeKey", "path", "status", "responseLength",
    "responseLatency", "integrationLatency", "integrationStatus", "error.responseType", "authorizer.error",
}
CODE = "\n".join(path.read_text() for crate in DEPLOYED for path in (CRATES / crate / "src").rglob("*.rs"))


def attributes(table: dict) -> set[str]:
    """What the code must call by the same name: keys, indexes, the time to live."""
    keys = [table, *table.get("GlobalSecondaryIndexes", [])]
    return {key["AttributeName"] for it in keys for key in it["KeySchema"]} \
        | {it["IndexName"] for it in keys[1:]} | {table["TimeToLiveSpecification"]["AttributeName"]}


def check_tables(resources: dict, variables: list[dict]) -> list[str]:
    """What is wrong between tables and code."""
    wrong = []
    told = {value for them in variables for value in them.values()}
    for name, table in of_type(resources, "AWS::DynamoDB::Table").items():
        unknown = [it for it in attributes(table) if not re.search(rf"\b{re.escape(it)}\b", CODE)]
        wrong += [f"{name}: no code names {it}" for it in sorted(unknown)]
        if table["TableName"] not in told:
            wrong.append(f"{name}: no function is told of it")
    return wrong


def is_json(form: str) -> bool:
    """Whether lines of this form are JSON objects."""
    try:
        return isinstance(json.loads(form), dict)
    except ValueError:
        return False


def check_access_logs(resources: dict) -> list[str]:
    """What is wrong with what the API logs."""
    wrong = []
    for name, stage in of_type(resources, "AWS::ApiGatewayV2::Stage").items():
        form = stage.get("AccessLogSettings", {}).get("Format", "")
        variables = set(re.findall(r"\$context\.([A-Za-z.]+)", form))
        if not variables or form.count("$") != len(variables):
            wrong.append(f"{name}: its access log's format is {form!r}")
        wrong += [f"{name}: its access log holds {it}" for it in sorted(variables - LOGGED)]
        if not is_json(form):
            wrong.append(f"{name}: its access log is not JSON")
    return wrong


def check(resources: dict) -> list[str]:
    """What is wrong with the names of a translated, resolved template."""
    functions = of_type(resources, "AWS::Lambda::Function")
    variables = [it["Environment"]["Variables"] for it in functions.values()]
    environment = variables[0]["ENVIRONMENT"]
    wrong = []
    for name, resource in resources.items():
        if naming := NAMES.get(resource["Type"]):
            if not re.search(rf"-{environment}(-role)?$", resource["Properties"].get(naming, "")):
                wrong.append(f"{name}: its name does not end in the environment")
    groups = of_type(resources, "AWS::Logs::LogGroup")
    for name, function in functions.items():
        own = [group for group, it in groups.items() if it["LogGroupName"] == f"/aws/lambda/{function['FunctionName']}"]
        depends = resources[name].get("DependsOn", [])
        if not own or own[0] not in ([depends] if isinstance(depends, str) else depends):
            wrong.append(f"{name}: its log group is not there before it")
    return wrong + check_tables(resources, variables) + check_access_logs(resources)


def check_would_notice(resources: dict) -> list[str]:
    """Renames one thing after the other, in a copy."""
    changed = Spoiler("check_names", check, resources)

    for name, resource in resources.items():
        properties = resource["Properties"]
        if naming := NAMES.get(resource["Type"]):
            changed(f"{name} renamed", lambda it, name=name, naming=naming: it[name]["Properties"].update({naming: "x"}))
        match resource["Type"]:
            case "AWS::DynamoDB::Table":
                key = {"AttributeName": "noSuchKey", "KeyType": "HASH"}
                changed(f"{name} by another key", lambda it, name=name, key=key: (
                    it[name]["Properties"].update(KeySchema=[key])))
            case "AWS::ApiGatewayV2::Stage":
                for form in ('{"t":"$context.authorizer.claims.sub"}', '{"q":"$request.querystring"}', "$context.path", ""):
                    settings = properties["AccessLogSettings"] | {"Format": form}
                    changed(f"{name} logging {form}", lambda it, name=name, settings=settings: (
                        it[name]["Properties"].update(AccessLogSettings=settings)))
    return changed.unnoticed
