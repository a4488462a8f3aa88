"""The template in the forms that the checks need: source, translation, and resolved resources.

    SOURCE       infra/template.yaml with observability.yaml included, as written
    TRANSLATED   CloudFormation after the SAM transform, which `sam deploy` causes
    deployed()   the resources of one parameter set, with plain values
"""

import copy
import functools
import os
import pathlib

import boto3
import yaml
from samtranslator.translator.transform import transform

from resolve import REGION, Resolver

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "infra" / "template.yaml"
EXAMPLE_PROCESSOR = ROOT / "examples" / "processor-python" / "template.yaml"
KEY = f"arn:aws:kms:{REGION}:123456789012:key/11111111-2222-3333-4444-555555555555"
# Every condition of the template is true in one set and false in another, and every parameter has
# a value other than its default in one of them.
PARAMETER_SETS: dict[str, dict[str, str]] = {
    "defaults": {},
    # All options of the stack's own resources.
    "every-option": {
        "AlarmEmail": "ops@example.com", "ArchiveRetentionDays": "90",
        "AudioProcessorTimeout": "60", "Architecture": "x86_64", "Canary": "true",
        "CanarySchedule": "rate(10 minutes)", "ChunkMillis": "1000", "ConsumerMemory": "512",
        "ConsumerReservedConcurrency": "110", "ConsumerTimeoutSeconds": "300",
        "CorsAllowOrigins": "https://app.example.com,http://localhost:5173", "DeletionProtection": "true",
        "JwtAudience": "speakers", "JwtIssuer": "https://other.example", "KmsKeyArn": KEY, "LogLevel": "DEBUG",
        "LogRetentionDays": "180", "MaxActiveSessions": "20", "MaxSessionHours": "48", "ProcessorMemory": "1024",
        "PublicSessionView": "false", "RequestBurst": "300", "RequestsPerSecond": "150", "SessionHandlerMemory": "768",
        "SessionIdleMinutes": "30", "SpeakerIdentityPoolId": f"{REGION}:11111111-2222-3333-4444-555555555555",
        "StreamKeepMinutes": "120", "StreamRetentionHours": "72", "ViewBurst": "50", "ViewsPerSecond": "10",
        "WarmPairs": "4", "WebSocketApiEndpoint": "https://ws.example.com", "WebSocketApiId": "a1b2c3d4e5",
    },
    # Resources of another stack in place of the own ones.
    "external": {
        "AlarmTopicArn": f"arn:aws:sns:{REGION}:123456789012:yours", "Profile": "core",
        "AudioProcessorFunctionArn": f"arn:aws:lambda:{REGION}:123456789012:function:yours:live", "Canary": "true",
    },
    "prod": {"Environment": "prod"},
    # Sessions in workers, with every option that concerns them.
    "workers": {
        "ConsumerHost": "container", "WorkerImage": "123456789012.dkr.ecr.us-east-1.amazonaws.com/stream-worker:1",
        "ConsumerSubnets": "subnet-11111111,subnet-22222222", "ConsumerSecurityGroups": "sg-11111111",
        "WorkerCpu": "2048", "WorkerMemory": "4096", "WorkerMaxSessions": "400", "WorkerMinTasks": "3",
        "WorkerMaxTasks": "20", "WorkerPublicIp": "ENABLED", "KmsKeyArn": KEY, "WebSocketApiEndpoint": "https://ws.example.com",
        "WebSocketApiId": "a1b2c3d4e5",
    },
    # Sessions on managed instances, likewise.
    "instances": {
        "ConsumerHost": "managed-instances", "InstancesMaxVCpus": "8", "InstancesMemory": "4096",
        "InstancesMaxConcurrency": "128", "ConsumerSubnets": "subnet-11111111,subnet-22222222,subnet-33333333",
        "ConsumerSecurityGroups": "sg-11111111", "KmsKeyArn": KEY, "WebSocketApiEndpoint": "https://ws.example.com",
        "WebSocketApiId": "a1b2c3d4e5",
    },
}
# SAM makes the role with which Lambda manages instances: without a name, and with AWS's policy.
OPERATOR_ROLE = "InstancesCapacityProviderOperatorRole"
# The parameters without a default.
REQUIRED = {"JwtIssuer": "https://issuer.example", "JwtAudience": "sessions"}


class Loader(yaml.SafeLoader):
    """Reads the short form of intrinsic functions (!Ref) as the long form."""

    def intrinsic(self, suffix: str, node: yaml.Node) -> dict:
        """Returns `{"Fn::NAME": argument}`, or `{"Ref": …}`."""
        if isinstance(node, yaml.ScalarNode):
            argument = self.construct_scalar(node)
        elif isinstance(node, yaml.SequenceNode):
            argument = self.construct_sequence(node, deep=True)
        else:
            argument = self.construct_mapping(node, deep=True)
        if suffix == "GetAtt":
            argument = argument.split(".", 1)
        return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": argument}


Loader.add_multi_constructor("!", Loader.intrinsic)


def read(path: pathlib.Path) -> dict:
    """Returns a template with its AWS::Include replaced by the included resources."""
    source = yaml.load(path.read_text(), Loader)
    include = source["Resources"].pop("Fn::Transform")
    assert include["Name"] == "AWS::Include"
    # Without `Loader`: CloudFormation rejects the short form in an included file.
    included = yaml.safe_load((path.parent / include["Parameters"]["Location"]).read_text())
    assert not included.keys() & source["Resources"].keys()
    source["Resources"] |= included
    return source


def translate(source: dict, parameters: dict[str, str]) -> dict:
    """Returns the CloudFormation template that the SAM transform creates for these parameters."""
    source = copy.deepcopy(source)
    for resource in source["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = {"Bucket": "bucket", "Key": "key"}
    for name, value in REQUIRED.items():
        source["Parameters"][name]["Default"] = value
    os.environ.setdefault("AWS_DEFAULT_REGION", REGION)
    boto3.setup_default_session(region_name=REGION)
    return transform(source, dict(parameters), type("NoManagedPolicies", (), {"load": lambda self: {}})())


SOURCE = read(TEMPLATE)
TRANSLATED = translate(SOURCE, {})


@functools.cache
def deployed(name: str) -> dict:
    """Returns the resources that a parameter set creates, with plain values."""
    parameters = PARAMETER_SETS[name]
    return Resolver(translate(SOURCE, parameters), parameters).resources()
