"""Deploys the real artifacts to an emulator and lets them carry one session: `make deploy-check`.

    sam build, sam deploy ──► ministack: CloudFormation, Lambda, EventBridge, DynamoDB, SQS
                                  │ runs the three bootstraps of the stack as processes
                                  ▼
                              local-cloud: Kinesis Video Streams, which ministack lacks

The session is opened and ended by invoking the deployed handler with the events of events/, because
ministack makes an HTTP API without routes. All else goes the deployed way: the handler's PutEvents, the
rule, the consumer, the processor. The speech is spoken into local-cloud. Needs target/debug/local-cloud
(`make cloud`), and runs inside the venv of emulator-requirements.txt with the SAM CLI on the PATH.
"""

import os
import pathlib
import sys
import time

import stack
from processes import Failure, Processes
from session import Session

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "target" / "deploy-check"
CLOUD = ROOT / os.environ.get("BIN", "target/debug") / "local-cloud"
RECORDING = ROOT / "tests" / "testkit" / "assets" / "two-voices.mka"
# As fast as `make run SPEED=8` speaks: the 37 s of the recording in 5.
SPEED = "8"


def say(step: str, since: float) -> float:
    """One line for a step that is done, with how long it took."""
    now = time.monotonic()
    print(f"{step} ({now - since:.1f} s)", flush=True)
    return now


def check(processes: Processes) -> None:
    """The whole way, a line for each step."""
    at = time.monotonic()
    stack.build(ROOT, FOLDER)
    at = say("sam build: three functions for this machine", at)

    video = processes.start_local_cloud(CLOUD, ROOT)
    emulator = processes.start_ministack(video)
    at = say("started: ministack; local-cloud for Kinesis Video Streams", at)

    count = stack.deploy(FOLDER, emulator)
    at = say(f"sam deploy: CREATE_COMPLETE, {count} resources", at)

    session = Session.open(ROOT, emulator)
    at = say(f"POST /sessions, the deployed handler: 201, {session.id} is active", at)

    session.wait_for_reader()
    at = say("its event by PutEvents, rule and target: the deployed consumer reads the stream", at)

    samples = processes.speak(CLOUD, ROOT, video, session.id, RECORDING, SPEED)
    at = say(f"spoken into its stream: {samples} samples at 16 kHz", at)

    session.end()
    at = say("DELETE /sessions/{sessionId}: 204", at)

    session.wait_for_drain()
    at = say("the consumer drained the stream: Streams item ENDED", at)

    session.check_samples(samples)
    say(f"the deployed processor accepted {samples} of {samples} samples", at)


def main() -> int:
    FOLDER.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    with Processes(FOLDER) as processes:
        try:
            check(processes)
        except Failure as failure:
            print(f"deploy-check failed: {failure}\nlogs: {FOLDER.relative_to(ROOT)}/*.log", file=sys.stderr)
            return 1
    print(f"deploy-check: ok ({time.monotonic() - start:.0f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
