"""Deploys the functions to an emulator and runs one session through them: `make deploy-check`.

    sam build, sam deploy ──► ministack: CloudFormation, Lambda, EventBridge, DynamoDB, SQS
                                  │ runs the functions of the stack as processes
                                  ▼
                              local-cloud: Kinesis Video Streams, which ministack lacks

The check invokes the deployed handler with the events of events/, because ministack creates an HTTP
API without routes. Everything else takes the deployed path: the handler's PutEvents, the rule, the
consumer, the processor. A recording is sent to local-cloud by put-media. Requires both in
target/debug (`make cloud`), the venv of emulator-requirements.txt, and the SAM CLI on the PATH.
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
BIN = ROOT / os.environ.get("BIN", "target/debug")
CLOUD = BIN / "local-cloud"
PUT_MEDIA = BIN / "put-media"
RECORDING = ROOT / "tests" / "testkit" / "assets" / "two-voices.mka"
# As `make run SPEED=8`: the 37 s of the recording in 5 s.
SPEED = "8"


def report(step: str, since: float) -> float:
    """Prints a completed step with its duration. Returns the current time."""
    now = time.monotonic()
    print(f"{step} ({now - since:.1f} s)", flush=True)
    return now


def check(processes: Processes) -> None:
    """Runs all steps, and prints a line for each."""
    at = time.monotonic()
    stack.build(ROOT, FOLDER)
    at = report("sam build: all functions for this machine", at)

    video = processes.start_local_cloud(CLOUD, ROOT)
    emulator = processes.start_ministack(video)
    at = report("started: ministack; local-cloud for Kinesis Video Streams", at)

    count = stack.deploy(FOLDER, emulator)
    at = report(f"sam deploy: CREATE_COMPLETE, {count} resources", at)

    session = Session.open(ROOT, emulator)
    at = report(f"POST /sessions, the deployed handler: 201, {session.id} is active", at)

    session.wait_for_reader()
    at = report("its event by PutEvents, rule and target: the deployed consumer reads the stream", at)

    samples = processes.speak(PUT_MEDIA, video, session.id, RECORDING, SPEED)
    at = report(f"spoken into its stream: {samples} samples at 16 kHz", at)

    session.end()
    at = report("DELETE /sessions/{sessionId}: 204", at)

    session.wait_for_drain()
    at = report("the consumer drained the stream: Streams item ENDED", at)

    session.check_samples(samples)
    report(f"the deployed processor accepted {samples} of {samples} samples", at)


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
