"""Least privilege: what the functions' roles allow against what the functions called.

    LOCAL_CLOUD_CALLS=FOLDER make's whole suite, then: python tests/iam/least_privilege.py FOLDER

Each local cloud writes into FOLDER what its functions called and which permission allowed it;
`local-cloud permissions` says what infra/template.yaml allows. Nothing may be missing (a call that no
statement allows), and nothing unused, except what the platform does in a function's name.
"""

import json
import pathlib
import subprocess
import sys
from collections.abc import Iterable

ROOT = pathlib.Path(__file__).resolve().parents[2]
CLOUD = ROOT / "target" / "release" / "local-cloud"

# What the functions' own code never calls, with the reason why a role must allow it all the same.
BY_THE_PLATFORM = {
    "logs:CreateLogStream": "Lambda opens the log stream of each execution environment in the role's name",
    "logs:PutLogEvents": "Lambda writes what a function prints in the role's name",
    "xray:PutTraceSegments": "Lambda's X-Ray daemon sends the segments in the role's name",
    "xray:PutTelemetryRecords": "Lambda's X-Ray daemon sends its own figures in the role's name",
}
PERMISSION = ("role", "sid", "action", "resource")

Permission = tuple[str, str, str, str]


def permission(line: dict) -> Permission:
    """The part of a line that names a permission."""
    return tuple(line[field] for field in PERMISSION)


def shown(what: Permission) -> str:
    """A permission as the template's readers find it."""
    role, sid, action, resource = what
    return f"{role} {sid}: {action} on {resource}"


def account(resource: str) -> str:
    """The account in an ARN; none in `*`."""
    return "".join(resource.split(":")[4:5])


def lines(text: str) -> list[dict]:
    """A record of one JSON object a line."""
    return [json.loads(line) for line in text.splitlines()]


def allowed_by_the_template() -> set[Permission]:
    """All that the functions' roles allow."""
    listing = subprocess.check_output([CLOUD, "permissions"], cwd=ROOT, text=True)
    return {permission(line) for line in lines(listing)}


def called(folder: pathlib.Path) -> list[dict]:
    """What all clouds of the suite have recorded."""
    return [line for file in sorted(folder.glob("*.jsonl")) for line in lines(file.read_text())]


def compare(allowed: set[Permission], calls: Iterable[dict], platform: set[str]) -> list[str]:
    """What is wrong between what is allowed and what was called."""
    used = {permission(call) for call in calls if call["outcome"] == "allowed"}
    # What an event names in another account is to be denied.
    accounts = {account(it[3]) for it in allowed}
    denied = {(call["role"], call["action"], call["resource"], call["function"])
              for call in calls if call["outcome"] == "denied" and account(call["resource"]) in accounts}
    expected = {it for it in allowed if it[2] not in platform}
    wrong = [f"missing: {role} must allow {action} on {resource}, which {function} calls"
             for role, action, resource, function in sorted(denied)]
    wrong += [f"missing: {shown(it)} was used and is not in the template" for it in sorted(used - allowed)]
    wrong += [f"unused: {shown(it)} was never needed: remove it, or let a test of tests/e2e need it"
              for it in sorted(expected - used)]
    wrong += [f"{action} is on the list of what the platform does, and no role allows it"
              for action in sorted(platform - {it[2] for it in allowed})]
    wrong += [f"{shown(it)} is on the list of what the platform does, and was called"
              for it in sorted(used) if it[2] in platform]
    return wrong


def would_notice(allowed: set[Permission], calls: list[dict], platform: set[str]) -> list[str]:
    """Spoils each permission and each call in turn: a comparison that lets one pass is worth nothing."""
    unnoticed = []

    def spoiled(what: str, *changed) -> None:
        if not compare(*changed):
            unnoticed.append(f"the comparison does not notice {what}")

    for it in sorted(allowed):
        if it[2] not in platform:
            spoiled(f"that {shown(it)} is gone", allowed - {it}, calls, platform)
            without = [call for call in calls if call["outcome"] == "denied" or permission(call) != it]
            spoiled(f"that nothing calls {shown(it)}", allowed, without, platform)
        spoiled(f"that {shown(it)} is the platform's as well as called", allowed,
                [*calls, {"outcome": "allowed", **dict(zip(PERMISSION, it))}], platform | {it[2]})
    extra = ("SomeRole", "Some", "dynamodb:DeleteTable", "*")
    spoiled("one permission too many", allowed | {extra}, calls, platform)
    spoiled("an exception for nothing", allowed, calls, platform | {"s3:GetObject"})
    denied = {"outcome": "denied", "function": "F", "role": "R", "action": "s3:GetObject", "resource": "*"}
    spoiled("a call that was denied", allowed, [*calls, denied], platform)
    return unnoticed


def main() -> int:
    folder = pathlib.Path(sys.argv[1])
    allowed, calls, platform = allowed_by_the_template(), called(folder), set(BY_THE_PLATFORM)
    if not allowed or not calls:
        sys.exit(f"nothing to compare: {len(allowed)} permissions, {len(calls)} calls in {folder}")
    wrong = compare(allowed, calls, platform) or would_notice(allowed, calls, platform)
    own = {it for it in allowed if it[2] not in platform}
    used = own & {permission(call) for call in calls if call["outcome"] == "allowed"}
    missing = sum(line.startswith("missing") for line in wrong)
    print("\n".join(wrong), end="\n" if wrong else "")
    print(f"IAM: {len(own)} permissions allowed, {len(used)} used, {missing} missing; "
          f"{len(allowed) - len(own)} by the platform")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
