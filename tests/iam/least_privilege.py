"""Least privilege: compares the permissions of the functions' roles with the calls of the
functions.

    make test, or: LOCAL_CLOUD_CALLS=FOLDER for all tests, then python tests/iam/least_privilege.py FOLDER

Each local cloud writes into FOLDER the calls of its functions, each with the permission that allowed
it; `local-cloud permissions` lists the permissions in infra/template.yaml. Fails if a call was denied,
or if a permission was not used, except those that the platform uses on behalf of a role.
"""

import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterable

ROOT = pathlib.Path(__file__).resolve().parents[2]
CLOUD = ROOT / os.environ.get("BIN", "target/debug") / "local-cloud"

# Actions that the functions' code never calls, with the reason why a role must allow them.
BY_THE_PLATFORM = {
    "logs:CreateLogStream": "Lambda opens the log stream of each execution environment with the role's credentials",
    "logs:PutLogEvents": "Lambda writes what a function prints with the role's credentials",
    "xray:PutTelemetryRecords": "Lambda's X-Ray daemon sends its own metrics with the role's credentials",
}
PERMISSION = ("role", "sid", "action", "resource")

Permission = tuple[str, str, str, str]


def permission(line: dict) -> Permission:
    """Returns the permission of a line."""
    return tuple(line[field] for field in PERMISSION)


def shown(what: Permission) -> str:
    """Formats a permission as it is found in the template."""
    role, sid, action, resource = what
    return f"{role} {sid}: {action} on {resource}"


def account(resource: str) -> str:
    """Returns the account in an ARN, or an empty text for `*`."""
    return "".join(resource.split(":")[4:5])


def lines(text: str) -> list[dict]:
    """Parses one JSON object per line."""
    return [json.loads(line) for line in text.splitlines()]


def allowed_by_the_template() -> set[Permission]:
    """Returns all permissions of the roles of the functions and the workers."""
    allowed = set()
    for host in ("container", "managed-instances"):
        options = [word for it in ("Canary=true", "WarmPairs=2", f"ConsumerHost={host}") for word in ("--parameter", it)]
        listing = subprocess.check_output([CLOUD, "permissions", *options], cwd=ROOT, text=True)
        allowed |= {permission(line) for line in lines(listing)}
    return allowed


def called(folder: pathlib.Path) -> list[dict]:
    """Returns the recorded calls of all clouds."""
    return [line for file in sorted(folder.glob("*.jsonl")) for line in lines(file.read_text())]


def compare(allowed: set[Permission], calls: Iterable[dict], platform: set[str]) -> list[str]:
    """Returns the differences between the permissions and the calls."""
    used = {permission(call) for call in calls if call["outcome"] == "allowed"}
    # A resource in another account, from an event, must be denied.
    accounts = {account(it[3]) for it in allowed}
    denied = {(call["role"], call["action"], call["resource"], call["function"])
              for call in calls if call["outcome"] == "denied" and account(call["resource"]) in accounts}
    expected = {it for it in allowed if it[2] not in platform}
    wrong = [f"missing: {role} must allow {action} on {resource}, which {function} calls"
             for role, action, resource, function in sorted(denied)]
    wrong += [f"missing: {shown(it)} was used and is not in the template" for it in sorted(used - allowed)]
    wrong += [f"unused: {shown(it)} was never used: remove it, or add a test to tests/e2e that uses it"
              for it in sorted(expected - used)]
    wrong += [f"{action} is listed as used by the platform, but no role allows it"
              for action in sorted(platform - {it[2] for it in allowed})]
    wrong += [f"{shown(it)} is listed as used by the platform, but a function called it"
              for it in sorted(used) if it[2] in platform]
    return wrong


def undetected_mutations(allowed: set[Permission], calls: list[dict], platform: set[str]) -> list[str]:
    """Changes each permission and each call in turn, and returns the changes that `compare` does
    not detect."""
    undetected = []

    def mutate(what: str, *changed) -> None:
        if not compare(*changed):
            undetected.append(f"the comparison does not detect {what}")

    for it in sorted(allowed):
        if it[2] not in platform:
            mutate(f"that {shown(it)} is gone", allowed - {it}, calls, platform)
            without = [call for call in calls if call["outcome"] == "denied" or permission(call) != it]
            mutate(f"that nothing calls {shown(it)}", allowed, without, platform)
        mutate(f"that {shown(it)} is the platform's as well as called", allowed,
                [*calls, {"outcome": "allowed", **dict(zip(PERMISSION, it))}], platform | {it[2]})
    extra = ("SomeRole", "Some", "dynamodb:DeleteTable", "*")
    mutate("one permission too many", allowed | {extra}, calls, platform)
    mutate("an exception for nothing", allowed, calls, platform | {"s3:GetObject"})
    denied = {"outcome": "denied", "function": "F", "role": "R", "action": "s3:GetObject", "resource": "*"}
    mutate("a call that was denied", allowed, [*calls, denied], platform)
    return undetected


def main() -> int:
    folder = pathlib.Path(sys.argv[1])
    allowed, calls, platform = allowed_by_the_template(), called(folder), set(BY_THE_PLATFORM)
    if not allowed or not calls:
        sys.exit(f"nothing to compare: {len(allowed)} permissions, {len(calls)} calls in {folder}")
    wrong = compare(allowed, calls, platform) or undetected_mutations(allowed, calls, platform)
    own = {it for it in allowed if it[2] not in platform}
    used = own & {permission(call) for call in calls if call["outcome"] == "allowed"}
    missing = sum(line.startswith("missing") for line in wrong)
    print("\n".join(wrong), end="\n" if wrong else "")
    print(f"IAM: {len(own)} permissions allowed, {len(used)} used, {missing} missing; "
          f"{len(allowed) - len(own)} by the platform")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
