"""Whatever stores anything is encrypted, and under your own key when you name one: part of check_template.py.

Streams get the key from the session handler, by the variable KMS_KEY_ID. Resolved with and without KmsKeyArn.
"""

from resolve import Resolver, of_type
from spoil import Spoiler

KEY = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"
# Of each type: the properties that decide it, without a key of yours and with one. Nothing at all means AWS's own
# key where the service always encrypts; an SNS topic stores nothing of a session, only the names of alarms.
STORES = {
    "AWS::DynamoDB::Table": (
        {"SSESpecification": None},
        {"SSESpecification": {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": KEY}}),
    "AWS::SQS::Queue": (
        {"SqsManagedSseEnabled": True, "KmsMasterKeyId": None},
        {"SqsManagedSseEnabled": False, "KmsMasterKeyId": KEY}),
    "AWS::Logs::LogGroup": ({"KmsKeyId": None}, {"KmsKeyId": KEY}),
    "AWS::SNS::Topic": ({"KmsMasterKeyId": None}, {"KmsMasterKeyId": KEY}),
}
# What else is in the template and could store something stands here with the reason why it has no key of yours.
WITHOUT_KEY = {"AWS::Events::Archive": "an archive on the default bus has the bus's key (docs/limits.md)"}
STORING = ("Table", "Queue", "LogGroup", "Topic", "Archive", "Bucket", "Stream", "Secret", "FileSystem", "DBInstance")


def check(template: dict) -> list[str]:
    """What is wrong with the encryption of a translated template."""
    wrong = []
    for at, parameters in enumerate(({}, {"KmsKeyArn": KEY})):
        resources = Resolver(template, parameters).resources()
        for name, resource in resources.items():
            kind = resource["Type"]
            for key, value in STORES[kind][at].items() if kind in STORES else ():
                if resource["Properties"].get(key) != value:
                    wrong.append(f"with {parameters}, {name} has {key} {resource['Properties'].get(key)}, not {value}")
            if kind.endswith(STORING) and kind not in STORES.keys() | WITHOUT_KEY.keys():
                wrong.append(f"{name}: nobody said what encrypts a {kind}")
        handler = of_type(resources, "AWS::Lambda::Function")["SessionHttpHandlerFunction"]
        if handler["Environment"]["Variables"]["KMS_KEY_ID"] != parameters.get("KmsKeyArn", ""):
            wrong.append(f"with {parameters}, the session handler makes streams under another key")
    return wrong


def check_would_notice(template: dict) -> list[str]:
    """Takes the key from each that has one, and from all that have none, in a copy."""
    spoilt = Spoiler("check_own_key", check, template)
    for name, resource in template["Resources"].items():
        for key in STORES[resource["Type"]][0] if resource["Type"] in STORES else ():
            spoilt(f"{name} without {key}", lambda it, name=name, key=key: it["Resources"][name]["Properties"].pop(key))
            spoilt(f"{name} with {key} always", lambda it, name=name, key=key: (
                it["Resources"][name]["Properties"].update({key: "alias/other"})))
    spoilt("streams under AWS's key", lambda it: (
        it["Resources"]["SessionHttpHandlerFunction"]["Properties"]["Environment"]["Variables"].update(KMS_KEY_ID="")))
    spoilt("the key never used", lambda it: it["Conditions"].update(OwnKey={"Fn::Equals": ["a", "b"]}))
    spoilt("a bucket", lambda it: it["Resources"].update(New={"Type": "AWS::S3::Bucket", "Properties": {}}))
    return spoilt.unnoticed
