"""The stack, made on the emulator: part of check_emulator.py.

Starts ministack on a port of its own and has it make the translated template with Profile=core: with
its defaults, and with everything that it offers. Then what the template's Rules and bounds refuse must
be refused, as must Profile=full, which this emulator cannot make. The functions' code is an empty archive: this is about the stack.
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

from spoil import Spoiler

PATIENCE_SECONDS = 60
NEEDED = {"Profile": "core", "JwtIssuer": "https://issuer.example", "JwtAudience": "sessions"}
MADE = {
    "plain": {},
    "everything": {
        "Environment": "prod", "AlarmEmail": "ops@example.com", "ConsumerReservedConcurrency": "110",
        "KmsKeyArn": "arn:aws:kms:us-east-1:000000000000:key/11111111-2222-3333-4444-555555555555",
        "SpeakerIdentityPoolId": "us-east-1:11111111-2222-3333-4444-555555555555",
        "WebSocketApiEndpoint": "https://ws.example.com", "WebSocketApiId": "a1b2c3d4e5",
        "CorsAllowOrigins": "https://app.example.com,http://localhost:5173", "PublicSessionView": "false",
    },
}
REFUSED = {
    "ListenersAreTold": {"WebSocketApiEndpoint": "https://ws.example.com"},
    "MailGoesByTheOwnTopic": {"AlarmEmail": "a@b.example", "AlarmTopicArn": "arn:aws:sns:us-east-1:000000000000:mine"},
    "KmsKeyArn": {"KmsKeyArn": "alias/mine"},
    "LogLevel": {"LogLevel": "WARN"},
    "ConsumerReservedConcurrency": {"ConsumerReservedConcurrency": "5"},
    "Profile": {"Profile": "half"},
    "AWS::Events::Archive": {"Profile": "full"},
}


@contextlib.contextmanager
def emulator():
    """A running ministack's clients, by service."""
    import botocore.session

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = pathlib.Path(sys.executable).with_name("ministack")
    process = subprocess.Popen([command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               env=os.environ | {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port)})
    try:
        until = time.monotonic() + PATIENCE_SECONDS
        while process.poll() is None and time.monotonic() < until:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.1)
        session = botocore.session.get_session()
        yield lambda service: session.create_client(
            service, endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1",
            aws_access_key_id="test", aws_secret_access_key="test")
    finally:
        process.terminate()
        process.wait()


def upload(s3, template: dict) -> str:
    """The template and the functions' code, put where the stack looks for them; the template's URL."""
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("bootstrap", "")
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key="key", Body=code.getvalue())
    s3.put_object(Bucket="bucket", Key="template.json", Body=json.dumps(template).encode())
    return f"{s3.meta.endpoint_url}/bucket/template.json"


def make(cloudformation, name: str, url: str, parameters: dict) -> str | None:
    """Makes a stack; the reason why it cannot be made."""
    given = [{"ParameterKey": key, "ParameterValue": value} for key, value in (NEEDED | parameters).items()]
    try:
        cloudformation.create_stack(
            StackName=name, TemplateURL=url, Parameters=given, Capabilities=["CAPABILITY_NAMED_IAM"])
    except cloudformation.exceptions.ClientError as error:
        return str(error)
    until, status = time.monotonic() + PATIENCE_SECONDS, "CREATE_IN_PROGRESS"
    while status.endswith("IN_PROGRESS") and time.monotonic() < until:
        time.sleep(0.2)
        status = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    failed = [f"{it['LogicalResourceId']}: {it.get('ResourceStatusReason')}" for it in events
              if it["ResourceStatus"].endswith("FAILED")]
    return None if status == "CREATE_COMPLETE" else f"{status} {failed}"


def check_made(template: dict) -> list[str]:
    """Why a stack that should be made is not."""
    with emulator() as client:
        url = upload(client("s3"), template)
        reasons = {name: make(client("cloudformation"), name, url, parameters) for name, parameters in MADE.items()}
    return [f"the stack {name} is not made: {reason}" for name, reason in reasons.items() if reason]


def check_refused(template: dict) -> list[str]:
    """What should be refused, and is made or refused for another reason."""
    wrong = []
    with emulator() as client:
        url = upload(client("s3"), template)
        for rule, parameters in REFUSED.items():
            reason = make(client("cloudformation"), f"refused-{rule.replace('::', '-')}", url, parameters)
            if not reason or rule not in reason:
                wrong.append(f"{rule} does not refuse {parameters}: {reason}")
    return wrong


def check(template: dict) -> list[str]:
    """What is wrong with the stacks that come of a translated template."""
    return check_made(template) + check_refused(template)


def check_would_notice(template: dict) -> list[str]:
    """Adds what cannot be made, and takes away what refuses, in a copy; each with an emulator of its own."""
    made = Spoiler("check_stack", check_made, template)
    made("a resource that nobody knows", lambda it: it["Resources"].update(New={"Type": "AWS::No::Such"}))
    made("a parameter that nobody gives", lambda it: it["Parameters"]["LogLevel"].pop("Default"))
    refused = Spoiler("check_stack", check_refused, template)
    for rule in template["Rules"]:
        refused(f"the rule {rule} gone", lambda it, rule=rule: it["Rules"].pop(rule))
    for name in REFUSED.keys() & template["Parameters"].keys():
        for bound in template["Parameters"][name].keys() & {"AllowedPattern", "AllowedValues"}:
            refused(f"{name} without {bound}", lambda it, name=name, bound=bound: it["Parameters"][name].pop(bound))
    refused("no archive", lambda it: it["Resources"].pop("SessionEventsArchive"))
    return made.unnoticed + refused.unnoticed
