"""The permissions of the roles.

Each permission is an inline policy of a role, found by its Sid, without wildcards among its
actions, and with a resource wherever the service has one. parliament, which has the actions of AWS
with their resources and condition keys, reports nothing. The snapshots contain what each statement
reaches, and tests/iam/least_privilege.py compares it with the calls of the functions.
"""

import json

import pytest
from parliament import analyze_policy_string, enhance_finding

from mutations import broken, mutation, put
from resolve import of_type
from template import OPERATOR_ROLE, deployed

ROLE = "AWS::IAM::Role"
# Actions without a resource type: "*" is the narrowest resource.
WITHOUT_RESOURCE = {
    "kinesisvideo:ListStreams", "kinesisvideo:ListSignalingChannels",
    "ecr:GetAuthorizationToken", "xray:PutTraceSegments", "xray:PutTelemetryRecords",
}
# Other properties (managed policies, a boundary, a longer session) need a decision here first.
PROPERTIES = {"RoleName", "AssumeRolePolicyDocument", "Policies"}


def statement_problems(statement: dict) -> list[str]:
    """Returns the project's own rules that a statement breaks."""
    found, actions = [], statement["Action"]
    if not statement.get("Sid") or statement.get("Effect") != "Allow" or not isinstance(actions, list):
        found.append("a statement needs a Sid, Allow and a list of actions")
    if any("*" in action for action in actions):
        found.append("a wildcard among its actions")
    if statement["Resource"] == "*" and not set(actions) <= WITHOUT_RESOURCE:
        found.append("Resource * although the service has one")
    if actions[0].startswith("kms:") and "kms:ViaService" not in json.dumps(statement.get("Condition")):
        found.append("the key is not restricted to a service (kms:ViaService)")
    return found


def policy_problems(document: dict) -> list[str]:
    """Returns what is wrong with a policy document."""
    found = [f"{it.get('Sid')}: {reason}" for it in document["Statement"] for reason in statement_problems(it)]
    findings = map(enhance_finding, analyze_policy_string(json.dumps(document)).findings)
    return found + [f"{it.issue}: {it.detail}" for it in findings]


def resource_problems(resources: dict) -> list[str]:
    """Returns the IAM resources that are not roles, and the roles with other properties."""
    found = [f"{name}: {it['Type']} grants permissions outside the roles" for name, it in resources.items()
             if it["Type"].startswith("AWS::IAM::") and it["Type"] != ROLE]
    return found + [f"{name}: {key} is not expected" for name, role in of_type(resources, ROLE).items()
                    if name != OPERATOR_ROLE for key in role.keys() - PROPERTIES]


def documents(resources: dict) -> dict[str, dict]:
    """Returns each inline policy of each role."""
    return {f"{name}-{it['PolicyName']}": it["PolicyDocument"]
            for name, role in of_type(resources, ROLE).items() for it in role.get("Policies", [])}


def test_policies_are_narrow_and_valid(resources: dict):
    assert {name: found for name, it in documents(resources).items() if (found := policy_problems(it))} == {}


def test_only_roles_grant_permissions(resources: dict):
    assert resource_problems(resources) == []


RESOURCES = deployed("every-option")
DOCUMENTS = documents(RESOURCES)


def mutations():
    """Yields each policy with a statement that is too wide or invalid."""
    for name, document in DOCUMENTS.items():
        for index, statement in enumerate(document["Statement"]):
            service = statement["Action"][0].split(":")[0]
            changes = {
                "any-action": {"Action": [f"{service}:*"]},
                "unknown-action": {"Action": [f"{service}:NoSuchAction"]},
                "any-resource": {"Resource": "*"},
                "other-resource": {"Resource": "arn:aws:s3:::other"},
                "unknown-condition": {"Condition": {"StringEquals": {"aws:NoSuchKey": "x"}}},
                "unknown-effect": {"Effect": "Permit"},
                "without-sid": {"Sid": ""},
            }
            if statement["Resource"] == "*":
                del changes["any-resource"]
            if service == "kms":
                changes["without-service"] = {"Condition": {}}
            for what, values in changes.items():
                yield pytest.param(name, put("Statement", index, **values), id=f"{name}-{statement['Sid']}-{what}")


@pytest.mark.parametrize(("name", "change"), list(mutations()))
def test_detects(name: str, change):
    assert policy_problems(broken(DOCUMENTS[name], change))


@pytest.mark.parametrize("change", [
    *(mutation(f"new-{kind}", put(New={"Type": f"AWS::IAM::{kind}", "Properties": {}}))
      for kind in ("Policy", "ManagedPolicy", "User")),
    mutation("managed-policy-of-a-role", put("AudioProcessorRole", "Properties", ManagedPolicyArns=["arn:x"])),
])
def test_detects_permissions_outside_the_policies(change):
    assert resource_problems(broken(RESOURCES, change))
