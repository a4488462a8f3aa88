"""Steps that print one line each, and polling with a timeout."""

from __future__ import annotations

import time
from typing import Callable, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

T = TypeVar("T")
POLL_SECONDS = 0.5


class Failed(Exception):
    """A failed step: the observation, and what to do."""

    def __init__(self, seen: str, todo: str) -> None:
        super().__init__(seen)
        self.seen, self.todo = seen, todo


def step(name: str, work: Callable[[], str]) -> None:
    """Runs a step and prints its line with the text that `work` returns. Raises errors as
    Failed."""
    started = time.monotonic()
    try:
        text = work()
    except (ClientError, BotoCoreError) as error:
        failed = Failed(brief(error), hint(error))
        _line("failed", started, name, f"{failed.seen}\n{'':17}do: {failed.todo}")
        raise failed from error
    except Failed as failed:
        _line("failed", started, name, f"{failed.seen}\n{'':17}do: {failed.todo}")
        raise
    _line("ok", started, name, text)


def until(look: Callable[[], T | None], seconds: float) -> T | None:
    """Polls `look` until it returns a value; returns None after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        found = look()
        if found is not None or time.monotonic() >= end:
            return found
        time.sleep(min(POLL_SECONDS, max(0.0, end - time.monotonic())))


def code_of(error: Exception) -> str:
    """Returns the code of an AWS error, or the class name of an SDK error."""
    return error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__


def brief(error: Exception) -> str:
    """Formats an error of AWS or its SDK in one line."""
    where = f"{error.operation_name}: " if isinstance(error, ClientError) else ""
    return f"{where}{' '.join(str(error).split())[:300]}"


def hint(error: Exception) -> str:
    """Returns the usual remedy."""
    code = code_of(error)
    if code in ("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "SSOTokenLoadError",
                "UnauthorizedSSOTokenError", "ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId",
                "UnrecognizedClientException"):
        return ("log in to AWS (AWS_PROFILE, the AWS_* variables, or `aws sso login`, which AWS CLI v1 lacks), "
                "then run this again")
    if "AccessDenied" in code or "NotAuthorized" in code or "UnauthorizedOperation" in code:
        return "these credentials need that permission; the smoke test uses no role of the stack"
    if code == "NoRegionError":
        return "name the stack's region: REGION=…"
    return "see AWS's message above; if it is transient, run this again"


def _line(word: str, started: float, name: str, text: str) -> None:
    print(f"{word:<7}{time.monotonic() - started:6.1f} s  {name}: {text}", flush=True)
