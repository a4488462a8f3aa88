"""`make smoke`: proves a deployed environment with one session of bundled speech.

    TOKEN=… python tests/smoke --environment dev

It finds the stack that infra/samconfig.toml names, opens a session with the speaker's token, speaks the bundled
recording into it by a signed PutMedia, waits until the processor has accepted every sample, and ends the session, also
when a step failed or it is interrupted. It uses whatever credentials boto3 finds. Exit code 0: all of it worked.
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

import mkv
from facts import Facts
from probes import Probes
from smoke import Smoke
from stack import Stack, deployed, named, settings
from steps import Failed, step

RECORDING = Path(__file__).resolve().parents[1] / "testkit" / "assets" / "two-voices.mka"


def arguments() -> argparse.Namespace:
    """The command line. What a stack would say may be given instead: a local cloud has no stacks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--environment", default="dev", help="dev, prod or what infra/samconfig.toml has")
    parser.add_argument("--region", default="", help="where the stack is; else what infra/samconfig.toml says, as make deploy")
    parser.add_argument("--api-url", default=os.environ.get("API_URL"),
                        help="the API, when there is no stack to ask (also API_URL)")
    parser.add_argument("--own-processor", action="store_true",
                        help="with --api-url: the processor keeps no Processed table; go by the checkpoint")
    parser.add_argument("--facts", action="store_true", help="also make two short-lived channels and streams "
                        "to ask AWS what docs/limits.md could not confirm")
    parser.add_argument("--wait", type=float, default=180, help="seconds for which each step may wait")
    parser.add_argument("--speed", type=float, default=1, help="times real time; more than 5 is for a local cloud")
    return parser.parse_args()


def find(args: argparse.Namespace) -> tuple[boto3.Session, Stack]:
    """The stack and a session in its region, told in one line."""
    found: list[tuple[boto3.Session, Stack]] = []

    def work() -> str:
        if args.api_url:
            session = boto3.Session(region_name=args.region or os.environ.get("AWS_REGION"))
            found.append((session, named(session, args.environment, args.api_url, args.own_processor)))
            return f"{args.environment} at {found[0][1].api_url}, as given"
        said = settings(args.environment)
        session = boto3.Session(region_name=args.region or said.get("region"))
        stack = deployed(session, said["stack_name"])
        found.append((session, stack))
        processor = "its own processor" if stack.own_processor else "the reference processor"
        return f"{said['stack_name']} in {session.region_name} at {stack.api_url}, {processor}"

    step("stack", work)
    return found[0]


def is_local(api_url: str) -> bool:
    """Whether what answers is on this machine."""
    host = urllib.parse.urlsplit(os.environ.get("AWS_ENDPOINT_URL") or api_url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def prove(args: argparse.Namespace, token: str) -> None:
    """Runs everything; raises Failed where it failed, after cleaning up and telling the facts."""
    recording = mkv.read(RECORDING)
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
    """0 when everything worked."""
    args = arguments()
    token = os.environ.get("TOKEN", "").removeprefix("Bearer ").strip()
    if not token:
        print("missing: TOKEN, a token of a speaker from the stack's issuer:  make smoke ENV=dev TOKEN=…")
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
