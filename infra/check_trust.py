"""Who may take each role: part of check_template.py.

A role's policies say what it may do (check_grants.py); its trust document says who may be it, and one service
too many, or a condition fewer, lets strangers in. So each is held here to the letter, on the translation as it
stands: `Ref` and all. And no permission of IAM comes from beside the roles.
"""

from resolve import of_type
from spoil import Spoiler


def document(statement: dict) -> dict:
    """A trust document of one statement."""
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]}


LAMBDA = document({"Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"})
TRUST = {
    "SessionHttpHandlerRole": LAMBDA,
    "KvsStreamConsumerRole": LAMBDA,
    "AudioProcessorRole": LAMBDA,
    # Identities of that one pool (without aud: of every pool of every account), and who has signed in there
    # (without amr: guests too).
    "SpeakerRole": document({
        "Principal": {"Federated": "cognito-identity.amazonaws.com"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {
            "StringEquals": {"cognito-identity.amazonaws.com:aud": {"Ref": "SpeakerIdentityPoolId"}},
            "ForAnyValue:StringLike": {"cognito-identity.amazonaws.com:amr": "authenticated"},
        },
    }),
}
ROLE = "AWS::IAM::Role"
# What a role may have; anything else (a managed policy, a boundary, a longer session) is thought about here first.
PROPERTIES = {"RoleName", "AssumeRolePolicyDocument", "Policies"}


def check(resources: dict) -> list[str]:
    """What is wrong with who may take the roles of a translated template."""
    roles = of_type(resources, ROLE)
    wrong = [f"there is no {name}" for name in TRUST.keys() - roles.keys()]
    for name, role in roles.items():
        if role["AssumeRolePolicyDocument"] != TRUST.get(name):
            wrong.append(f"{name}: it trusts {role['AssumeRolePolicyDocument']}, not {TRUST.get(name)}")
        wrong += [f"{name}: nobody expects its {key}" for key in sorted(role.keys() - PROPERTIES)]
    wrong += [f"{name}: {it['Type']} allows something beside the roles" for name, it in resources.items()
              if it["Type"].startswith("AWS::IAM::") and it["Type"] != ROLE]
    for name, function in of_type(resources, "AWS::Lambda::Function").items():
        own = name.removesuffix("Function") + "Role"
        if function["Role"] != {"Fn::GetAtt": [own, "Arn"]}:
            wrong.append(f"{name}: it has the role {function['Role']}, not {own}")
    return wrong


def check_would_notice(resources: dict) -> list[str]:
    """Lets one more in by each way, in a copy."""
    spoilt = Spoiler("check_trust", check, resources)

    def statement(changed: dict, name: str) -> dict:
        return changed[name]["Properties"]["AssumeRolePolicyDocument"]["Statement"][0]

    for name, role in of_type(resources, ROLE).items():
        for principal in ("*", {"AWS": "*"}, {"Service": ["lambda.amazonaws.com", "ec2.amazonaws.com"]},
                          {"Federated": "other.example"}):
            spoilt(f"{principal} in {name}", lambda it, name=name, principal=principal: (
                statement(it, name).update(Principal=principal)))
        spoilt(f"another action in {name}", lambda it, name=name: statement(it, name).update(Action="sts:*"))
        spoilt(f"one more statement in {name}", lambda it, name=name: (
            it[name]["Properties"]["AssumeRolePolicyDocument"]["Statement"].append(statement(it, name))))
        spoilt(f"a managed policy in {name}", lambda it, name=name: (
            it[name]["Properties"].update(ManagedPolicyArns=["arn:aws:iam::aws:policy/ReadOnlyAccess"])))
        spoilt(f"{name} gone", lambda it, name=name: it.pop(name))
        for operator, keys in role["AssumeRolePolicyDocument"]["Statement"][0].get("Condition", {}).items():
            spoilt(f"{name} without {operator}", lambda it, name=name, operator=operator: (
                statement(it, name)["Condition"].pop(operator)))
            for key in keys:
                spoilt(f"{name} with any {key}", lambda it, name=name, operator=operator, key=key: (
                    statement(it, name)["Condition"][operator].update({key: "*"})))
    for name in of_type(resources, "AWS::Lambda::Function"):
        spoilt(f"{name} with another role", lambda it, name=name: (
            it[name]["Properties"].update(Role={"Fn::GetAtt": ["SpeakerRole", "Arn"]})))
    for kind in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::User"):
        spoilt(f"a {kind}", lambda it, kind=kind: it.update(New={"Type": kind, "Properties": {}}))
    return spoilt.unnoticed
