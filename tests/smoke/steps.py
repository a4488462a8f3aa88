"""Steps with one printed line each, and waits that end."""

from __future__ import annotations

import time
from typing import Callable, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

T = TypeVar("T")
LOOK_EVERY = 0.5


class Failed(Exception):
    """A step did not do what it should: what was seen, and what to do about it."""

    def __init__(self, seen: str, todo: str) -> None:
        super().__init__(seen)
        self.seen, self.todo = seen, todo


def step(name: str, work: Callable[[], str]) -> None:
    """Does a step and prints its line; `work` returns what is worth telling. Raises what failed as Failed."""
    started = time.monotonic()
    try:
        told = work()
    except (ClientError, BotoCoreError) as error:
        failed = Failed(brief(error), hint(error))
        _line("failed", started, name, f"{failed.seen}\n{'':17}do: {failed.todo}")
        raise failed from error
    except Failed as failed:
        _line("failed", started, name, f"{failed.seen}\n{'':17}do: {failed.todo}")
        raise
    _line("ok", started, name, told)


def until(look: Callable[[], T | None], seconds: float) -> T | None:
    """Looks again and again until something is seen; nothing after so many seconds."""
    end = time.monotonic() + seconds
    while True:
        found = look()
        if found is not None or time.monotonic() >= end:
            return found
        time.sleep(min(LOOK_EVERY, max(0.0, end - time.monotonic())))


def code_of(error: Exception) -> str:
    """The code of an AWS error, or the name of the SDK's own."""
    return error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__


def brief(error: Exception) -> str:
    """An error of AWS or of its SDK in one line."""
    where = f"{error.operation_name}: " if isinstance(error, ClientError) else ""
    return f"{where}{' '.join(str(error).split())[:300]}"


def hint(error: Exception) -> str:
    """What usually helps."""
    code = code_of(error)
    if code in ("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "SSOTokenLoadError",
                "UnauthorizedSSOTokenError", "ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId",
                "UnrecognizedClientException"):
        return "log in to AWS (AWS_PROFILE, aws sso login or the AWS_* variables), then run this again"
    if "AccessDenied" in code or "NotAuthorized" in code or "UnauthorizedOperation" in code:
        return "these credentials need that permission; the smoke test uses no role of the stack"
    if code == "NoRegionError":
        return "name the stack's region: REGION=…"
    return "see what AWS says above; run this again when it may have passed"


def _line(word: str, started: float, name: str, told: str) -> None:
    print(f"{word:<7}{time.monotonic() - started:6.1f} s  {name}: {told}", flush=True)
