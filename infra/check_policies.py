"""What the roles may do: part of check_template.py.

Explicit roles only; each inline policy is found by a Sid; no wildcard among actions, and none as the
resource where the service takes one. And parliament, which knows every action of AWS with the
resources and condition keys that it takes, has nothing to say but what ACCEPTED explains.
"""

import copy
import json

ROLE = "AWS::IAM::Role"
# Actions that take no resource, so that "*" is the narrowest there is.
WITHOUT_RESOURCE = {
    "kinesisvideo:ListStreams", "kinesisvideo:ListSignalingChannels",
    "xray:PutTraceSegments", "xray:PutTelemetryRecords",
}
# Findings of parliament that stay, each with its reason.
ACCEPTED: dict[tuple[str, str], str] = {
}


def policies(resources: dict):
    """Each inline policy of each role, resolved."""
    for name, role in resources.items():
        if role["Type"] == ROLE:
            for policy in role["Properties"].get("Policies", []):
                yield name, policy["PolicyName"], policy["PolicyDocument"]


def own_rules(resources: dict) -> list[str]:
    """What no linter asks for."""
    wrong = [f"{name}: managed policies allow more than this system needs" for name, role in resources.items()
             if role["Type"] == ROLE and role["Properties"].get("ManagedPolicyArns")]
    for role, policy, document in policies(resources):
        for statement in document["Statement"]:
            where = f"{role} {policy} {statement.get('Sid')}"
            actions = statement["Action"]
            if not statement.get("Sid") or statement["Effect"] != "Allow" or not isinstance(actions, list):
                wrong.append(f"{where}: a Sid, Allow and a list of actions make a statement here")
            if any("*" in action for action in actions):
                wrong.append(f"{where}: a wildcard among its actions")
            if statement["Resource"] == "*" and not set(actions) <= WITHOUT_RESOURCE:
                wrong.append(f"{where}: Resource * although a resource exists")
    return wrong


def parliament_says(resources: dict) -> list[str]:
    """Parliament's findings that nobody has explained."""
    from parliament import analyze_policy_string, enhance_finding

    wrong = []
    for role, policy, document in policies(resources):
        for finding in analyze_policy_string(json.dumps(document)).findings:
            finding = enhance_finding(finding)
            if (policy, finding.issue) not in ACCEPTED:
                wrong.append(f"{role} {policy}: {finding.issue}: {finding.detail}")
    return wrong


def check(resources: dict) -> list[str]:
    """What is wrong with the policies of a translated, resolved template."""
    return own_rules(resources) + parliament_says(resources)


def check_would_notice(resources: dict) -> list[str]:
    """Makes each statement of each role too wide or meaningless, in a copy of its policy."""
    unnoticed = []
    for name, policy, document in policies(resources):
        for at, statement in enumerate(document["Statement"]):
            service = statement["Action"][0].split(":")[0]
            changes = [{"Action": [f"{service}:*"]}, {"Action": [f"{service}:NoSuchAction"]}, {"Sid": ""},
                       {"Resource": "arn:aws:s3:::other"}, {"Effect": "Permit"},
                       {"Condition": {"StringEquals": {"aws:NoSuchKey": "x"}}}]
            if statement["Resource"] != "*":
                changes.append({"Resource": "*"})
            for change in changes:
                changed = copy.deepcopy(document)
                changed["Statement"][at].update(change)
                role = {"Type": ROLE, "Properties": {"Policies": [{"PolicyName": policy, "PolicyDocument": changed}]}}
                if not check({name: role}):
                    unnoticed.append(f"check_policies does not notice {change} in {statement['Sid']} of {name}")
    return unnoticed
