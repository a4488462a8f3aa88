"""Tests the smoke test on the local cloud: it passes there, and each injected defect fails the
right step.

Starts a cloud as tests/clients/run.py does, and replaces the stack's outputs by flags.
"""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import types
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "clients"))

import boto3  # noqa: E402
from botocore.stub import Stubber  # noqa: E402

import on_the_wire  # noqa: E402
import stack  # noqa: E402
from run import CLOUD, ROOT, start  # noqa: E402
from steps import Failed  # noqa: E402

FAST = ["--speed", "20", "--wait", "60"]
HASTY = ["--speed", "20", "--wait", "3"]


class Case:
    """A cloud, and runs of the smoke test on it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TOKEN"))} | {
            "AWS_ENDPOINT_URL": url, "API_URL": url, "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "PYTHONUNBUFFERED": "1",
        }
        self.token = subprocess.check_output([CLOUD, "--url", url, "token", "--sub", "ana"], text=True).strip()

    def start(self, *flags: str, token: str | None = None) -> subprocess.Popen:
        """Starts the smoke test."""
        token = self.token if token is None else token
        return subprocess.Popen([sys.executable, HERE, *flags], env=self.env | {"TOKEN": token}, cwd=ROOT,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def ends(self, smoke: subprocess.Popen, code: int, *expected: str, never: str = "") -> str:
        """Waits for the end, checks exit code and expected texts, and returns the output."""
        printed, _ = smoke.communicate(timeout=240)
        missing = [words for words in expected if words not in printed]
        assert smoke.returncode == code and not missing, f"{smoke.returncode}, without {missing}:\n{printed}"
        assert self.token not in printed, "the token was printed"
        assert not never or never not in printed, f"{never!r} was printed:\n{printed}"
        return printed

    def fault(self, **fault) -> None:
        """Injects a fault; without arguments, removes all faults."""
        body = json.dumps(fault).encode() if fault else None
        request = urllib.request.Request(self.url + "/_local/faults", body, {"content-type": "application/json"},
                                         method="POST" if fault else "DELETE")
        urllib.request.urlopen(request).close()

    def active_channels(self) -> list[str]:
        """Returns the channels that are not being deleted."""
        video = boto3.client("kinesisvideo", endpoint_url=self.url, region_name="us-east-1",
                             aws_access_key_id="test", aws_secret_access_key="test")
        return [one["ChannelName"] for one in video.list_signaling_channels()["ChannelInfoList"]
                if one["ChannelStatus"] != "DELETING"]

    def left_nothing(self) -> None:
        """Checks that no channel is left."""
        end = time.monotonic() + 20
        while channels := self.active_channels():
            assert time.monotonic() < end, f"not removed: {channels}"
            time.sleep(0.2)


def green(case: Case) -> None:
    """Checks that a run without faults accepts every sample and answers every question of
    FACTS=1."""
    printed = case.ends(case.start(*FAST, "--facts"), 0, "586136 of 586136", "smoke: ok", "none of 0 events", "is gone",
                        "fact: deleting a mapped channel is refused: yes,",
                        "fact: deleting a mapped stream is refused: yes,",
                        "fact: a mapping is disabled without its StreamARN: yes", "fact: an open GetMedia when its stream is deleted:",
                        "fact: an idle GetMedia: ended cleanly", "settle nothing about AWS", "still open: ",
                        never="DOES NOT HOLD")
    print(printed)
    case.left_nothing()


def token_missing_or_bad(case: Case) -> None:
    """Checks that no session is opened without a valid token, and that the output says what to
    do."""
    case.ends(case.start(*FAST, token=""), 1, "missing: TOKEN")
    case.ends(case.start(*FAST, token="not.a.token"), 1, "POST /sessions: 401", "take a fresh one", "smoke: FAILED")
    case.left_nothing()


def by_the_checkpoint(case: Case) -> None:
    """Checks that with another processor, which has no Processed table, the checkpoint is used."""
    case.ends(case.start(*FAST, "--own-processor"), 0, "Streams-dev stands at 586136 of 586136", "smoke: ok")
    case.left_nothing()


def processor_refuses(case: Case) -> None:
    """Checks that a failing processor fails the step of accepted chunks within --wait, and ends the
    session."""
    case.fault(service="lambda", operation="Invoke", target="audio-processor", times=100_000, kind="answer",
               extra={"functionError": "Unhandled", "answer": {"errorType": "Boom", "errorMessage": "no"}})
    case.ends(case.start(*HASTY), 1, "chunks accepted while it is open: 0 of 586136 samples", "do: read the logs",
              "DELETE /sessions, to leave nothing behind", "smoke: FAILED")
    case.fault()
    case.left_nothing()


def put_media_is_cut(case: Case) -> None:
    """Checks that an ERROR acknowledgement of KVS is printed."""
    case.fault(service="kinesisvideo", operation="PutMedia", kind="error-tag",
               extra={"afterBytes": 20_000, "errorId": 5000})
    case.ends(case.start(*FAST), 1, "PutMedia: ERROR 5000", "to leave nothing behind")
    case.fault()
    case.left_nothing()


def interrupted(case: Case) -> None:
    """Checks that Ctrl-C during the speech ends the session."""
    smoke = case.start("--speed", "2", "--wait", "60")
    for line in smoke.stdout:
        if "POST /sessions: " in line:
            break
    time.sleep(1)
    smoke.send_signal(signal.SIGINT)
    case.ends(smoke, 1, "DELETE /sessions, to leave nothing behind", "smoke: interrupted")
    case.left_nothing()


def stack_is_read(_: Case) -> None:
    """Checks that the stack's outputs are read, and that a missing stack is named."""
    client = boto3.client("cloudformation", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    template = (ROOT / "infra" / "template.yaml").read_text(encoding="utf-8")
    outputs = re.findall(r"^  (\w+):\n    Description:", template.partition("\nOutputs:\n")[2], re.M)
    answer = {"StackName": "s", "StackStatus": "CREATE_COMPLETE", "CreationTime": 0, "Parameters": [
        {"ParameterKey": "Environment", "ParameterValue": "dev"},
        {"ParameterKey": "AudioProcessorFunctionArn", "ParameterValue": "arn:aws:lambda:us-east-1:1:function:own"},
    ], "Outputs": [{"OutputKey": name, "OutputValue": f"https://{name}/"} for name in outputs]}
    session = types.SimpleNamespace(client=lambda service: client, region_name="us-east-1")
    with Stubber(client) as stubber:
        stubber.add_response("describe_stacks", {"Stacks": [answer]}, {"StackName": "s"})
        read = stack.deployed(session, "s")
        stubber.add_client_error("describe_stacks", "ValidationError", "Stack with id s does not exist")
        try:
            stack.deployed(session, "s")
        except Failed as failed:
            assert "no stack s in us-east-1" in failed.seen, failed.seen
        else:
            raise AssertionError("a missing stack was read")
    assert stack.settings("prod")["stack_name"] == "speech-relay-prod", stack.settings("prod")
    assert read == stack.Stack("dev", "https://ApiUrl", "https://SessionEventsDeadLetterQueueUrl/",
                               "https://ChunkDeadLetterQueueUrl/", own_processor=True), read


def signed(_: Case) -> None:
    """Checks what the local cloud does not: the signature, and the other form of
    acknowledgements."""
    on_the_wire.check(ROOT / "tests" / "testkit" / "assets" / "two-voices.mka")


CASES = (stack_is_read, signed, green, token_missing_or_bad, by_the_checkpoint,
         processor_refuses, put_media_is_cut, interrupted)


def main() -> int:
    """Returns 0 if every case passed."""
    failed = 0
    # A background process may ignore Ctrl-C, and its children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with tempfile.TemporaryDirectory() as data:
        cloud, url = start(data)
        try:
            case = Case(url)
            for check in CASES:
                try:
                    check(case)
                    print(f"smoke {check.__name__}: ok", flush=True)
                except (AssertionError, subprocess.TimeoutExpired) as error:
                    failed += 1
                    case.fault()
                    print(f"smoke {check.__name__}: FAILED: {error}", flush=True)
        finally:
            cloud.send_signal(signal.SIGTERM)
            cloud.wait(timeout=20)
        if failed:
            sys.stderr.write(open(f"{data}/cloud.log").read()[-8000:])
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
