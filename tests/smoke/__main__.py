"""`make smoke`: verifies a deployed environment with one session of bundled speech.

    TOKEN=… python tests/smoke --environment dev

It reads the stack's name from infra/samconfig.toml, opens a session with the speaker's token, sends the
bundled recording by a signed PutMedia, waits until the processor has accepted every sample, and ends the
session, also if a step fails or on an interrupt. It uses boto3's credentials. Exit code 0 means success.
"""

from __future__ import annotations

import argparse
import ipaddress
import os
import signal
import sys
import urllib.parse
from pathlib import Path

import boto3

import put_media
from facts import Facts
from probes import Probes
from smoke import Smoke
from stack import Stack, deployed, named, settings
from steps import Failed, step

RECORDING = Path(__file__).resolve().parents[1] / "testkit" / "assets" / "two-voices.mka"


def arguments() -> argparse.Namespace:
    """Parses the command line. Options replace the stack's outputs for a local cloud, which has no
    stacks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--environment", default="dev", help="an environment of infra/samconfig.toml, for example dev or prod")
    parser.add_argument("--region", default="", help="the stack's region; default: the one in infra/samconfig.toml")
    parser.add_argument("--api-url", default=os.environ.get("API_URL"),
                        help="URL of the API, if there is no stack (also API_URL)")
    parser.add_argument("--own-processor", action="store_true",
                        help="with --api-url: the processor has no Processed table; use the checkpoint")
    parser.add_argument("--facts", action="store_true", help="also create two short-lived channels and streams "
                        "to test on AWS what docs/limits.md could not confirm")
    parser.add_argument("--wait", type=float, default=180, help="timeout of each step, s")
    parser.add_argument("--speed", type=float, default=1, help="multiple of real time; above 5 only for a local cloud")
    return parser.parse_args()


def find(args: argparse.Namespace) -> tuple[boto3.Session, Stack]:
    """Returns a session in the stack's region, and the stack, as a step."""
    found: list[tuple[boto3.Session, Stack]] = []

    def work() -> str:
        if args.api_url:
            session = boto3.Session(region_name=args.region or os.environ.get("AWS_REGION"))
            found.append((session, named(session, args.environment, args.api_url, args.own_processor)))
            return f"{args.environment} at {found[0][1].api_url}, as given"
        configured = settings(args.environment)
        session = boto3.Session(region_name=args.region or configured.get("region"))
        stack = deployed(session, configured["stack_name"])
        found.append((session, stack))
        processor = "its own processor" if stack.own_processor else "the reference processor"
        return f"{configured['stack_name']} in {session.region_name} at {stack.api_url}, {processor}"

    step("stack", work)
    return found[0]


def is_local(api_url: str) -> bool:
    """Returns whether the API is on this machine."""
    host = urllib.parse.urlsplit(os.environ.get("AWS_ENDPOINT_URL") or api_url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def prove(args: argparse.Namespace, token: str) -> None:
    """Runs all steps and prints the facts. Raises Failed after cleaning up if a step failed."""
    recording = put_media.read(RECORDING)
    session, stack = find(args)
    facts = Facts()
    smoke = Smoke(session, stack, token, recording, args.speed, args.wait, facts)
    try:
        try:
            smoke.run()
        finally:
            smoke.close()
        if args.facts:
            step("facts", Probes(session, stack.environment, recording, args.speed, facts).ask)
    finally:
        facts.report(is_local(stack.api_url), args.facts)


def main() -> int:
    """Returns 0 on success."""
    args = arguments()
    token = os.environ.get("TOKEN", "").removeprefix("Bearer ").strip()
    if not token:
        print("missing: TOKEN, a token of a speaker from the stack's issuer:  make smoke ENV=dev TOKEN=…")
        return 1
    if not put_media.COMMAND.exists():
        print(f"missing: {put_media.COMMAND}, which make smoke and make cloud build")
        return 1
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        prove(args, token)
    except Failed:
        print("smoke: FAILED, see the step above")
        return 1
    except KeyboardInterrupt:
        print("smoke: interrupted")
        return 1
    print("smoke: ok")
    return 0


if __name__ == "__main__":
    sys.exit(main())
