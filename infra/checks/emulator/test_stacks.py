"""The stack, created by ministack with Profile=core.

Core omits exactly the types that the emulator lacks. The stack is created with its defaults and
with every option, and the parameters that Rules and bounds forbid are rejected. The functions' code
is an empty archive: deploy_check runs the functions.
"""

import contextlib
import io
import json
import os
import pathlib
import socket
import subprocess
import sys
import time
import zipfile

import botocore.session
import pytest
from ministack.services.cloudformation import provisioners

from mutations import broken, drop, mutation, put
from resolve import REGION, Resolver
from template import PARAMETER_SETS, REQUIRED, TRANSLATED

TIMEOUT_SECONDS = 60
CREATED = {name: PARAMETER_SETS[name] for name in ("defaults", "every-option", "prod")}
# The rule, bound or type that rejects these parameters.
REJECTED = {
    "EndpointRequiresApiId": {"WebSocketApiEndpoint": "https://ws.example.com"},
    "EmailRequiresStackTopic": {
        "AlarmEmail": "a@b.example", "AlarmTopicArn": f"arn:aws:sns:{REGION}:000000000000:mine"},
    "KmsKeyArn": {"KmsKeyArn": "alias/mine"},
    "LogLevel": {"LogLevel": "WARN"},
    "ConsumerReservedConcurrency": {"ConsumerReservedConcurrency": "5"},
    "Profile": {"Profile": "half"},
    "AWS::Events::Archive": {"Profile": "full"},
    "WorkersRequireImageAndNetwork": {"ConsumerHost": "container"},
    "HostOnInstancesRequiresThem": {"ConsumerHost": "managed-instances"},
    "InstancesMaxVCpus": {"InstancesMaxVCpus": "1"},
}


class Emulator:
    """A running ministack."""

    def __init__(self, url: str) -> None:
        session = botocore.session.get_session()
        self.s3, self.cloudformation = (session.create_client(
            service, endpoint_url=url, region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test")
            for service in ("s3", "cloudformation"))
        self.stacks = 0
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("bootstrap", "")
        self.s3.create_bucket(Bucket="bucket")
        self.s3.put_object(Bucket="bucket", Key="key", Body=code.getvalue())

    def create(self, template: dict, parameters: dict) -> str | None:
        """Creates a stack in its own environment. Returns the reason if that fails."""
        self.s3.put_object(Bucket="bucket", Key="template.json", Body=json.dumps(template).encode())
        self.stacks += 1
        name = f"stack-{self.stacks}"
        given = {"Environment": name, "Profile": "core"} | REQUIRED | parameters
        try:
            self.cloudformation.create_stack(
                StackName=name, TemplateURL=f"{self.s3.meta.endpoint_url}/bucket/template.json",
                Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
                Capabilities=["CAPABILITY_NAMED_IAM"])
        except self.cloudformation.exceptions.ClientError as error:
            return str(error)
        status = self.status_after(name, "CREATE_IN_PROGRESS")
        events = self.cloudformation.describe_stack_events(StackName=name)["StackEvents"]
        failed = [f"{it['LogicalResourceId']}: {it.get('ResourceStatusReason')}" for it in events
                  if it["ResourceStatus"].endswith("FAILED")]
        return None if status == "CREATE_COMPLETE" else f"{status} {failed}"

    def status_after(self, stack: str, status: str) -> str:
        """Returns the stack's status once it is no longer in progress."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while status.endswith("IN_PROGRESS") and time.monotonic() < deadline:
            time.sleep(0.05)
            status = self.cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
        return status


@pytest.fixture(scope="module")
def emulator():
    """Starts an emulator on a free port and ends it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen([pathlib.Path(sys.executable).with_name("ministack")],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               env=os.environ | {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port)})
    try:
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.1)
        yield Emulator(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait()


def profile_problems(template: dict) -> list[str]:
    """Returns the types in which Profile=core differs from what the emulator supports."""
    types = {profile: {it["Type"] for it in Resolver(template, {"Profile": profile}).resources().values()}
             for profile in ("core", "full")}
    lacking = types["full"] - provisioners._RESOURCE_HANDLERS.keys()
    return [f"Profile=core contains {it}, which the emulator lacks" for it in types["core"] & lacking] \
        + [f"Profile=core omits {it}, which the emulator has" for it in types["full"] - types["core"] - lacking]


def test_core_omits_what_the_emulator_lacks():
    assert profile_problems(TRANSLATED) == []


def without_queues(template: dict) -> None:
    """Omits the queues from the core profile."""
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::SQS::Queue":
            resource["Condition"] = "FullProfile"


@pytest.mark.parametrize("change", [
    mutation("core-is-full", put("Conditions", FullProfile={"Fn::Equals": ["", ""]})),
    mutation("core-without-queues", without_queues),
])
def test_profile_mutation_is_detected(change):
    assert profile_problems(broken(TRANSLATED, change))


@pytest.mark.parametrize("name", CREATED)
def test_stack_is_created(emulator: Emulator, name: str):
    assert emulator.create(TRANSLATED, CREATED[name]) is None


@pytest.mark.parametrize("change", [
    mutation("unknown-type", put("Resources", New={"Type": "AWS::No::Such"})),
    mutation("parameter-without-value", drop("Parameters", "LogLevel", "Default")),
])
def test_stack_mutation_is_not_created(emulator: Emulator, change):
    assert emulator.create(broken(TRANSLATED, change), {})


@pytest.mark.parametrize("reason", REJECTED)
def test_parameters_are_rejected(emulator: Emulator, reason: str):
    assert reason in emulator.create(TRANSLATED, REJECTED[reason])


def unbounded():
    """Yields the templates without each rule, bound or type that rejects parameters."""
    # The emulator does not know the type of the instances, and says so before it reads their rule.
    for rule in TRANSLATED["Rules"].keys() - {"InstancesRequireNetwork"}:
        yield pytest.param(rule, drop("Rules", rule), id=f"rule-{rule}")
    for name in REJECTED.keys() & TRANSLATED["Parameters"].keys():
        for bound in TRANSLATED["Parameters"][name].keys() & {"AllowedPattern", "AllowedValues"}:
            yield pytest.param(name, drop("Parameters", name, bound), id=f"{name}-{bound}")
    yield pytest.param("AWS::Events::Archive", drop("Resources", "SessionEventsArchive"), id="without-archive")


@pytest.mark.parametrize(("reason", "change"), list(unbounded()))
def test_rejection_mutation_is_detected(emulator: Emulator, reason: str, change):
    found = emulator.create(broken(TRANSLATED, change), REJECTED[reason])
    assert not found or reason not in found
