"""Tests the HTTP API against docs/openapi.yaml: schemathesis generates valid and invalid requests,
alone and in sequences, and runs all its checks on every response.

The requests are the same in every run (deterministic, no database, a bounded number). A few kinds of
findings are not defects; `is_expected` ignores each only for exactly the documented response.
"""

import os
import pathlib
import subprocess
import sys
import time
from collections import deque

import requests
import schemathesis
from schemathesis.cli import schemathesis as command
from schemathesis.core.failures import ServerError
from schemathesis.core.parameters import ParameterLocation
from schemathesis.openapi.checks import RejectedPositiveData, UnsupportedMethodResponse, UseAfterFree

ROOT = pathlib.Path(__file__).resolve().parents[2]
CLOUD = ROOT / os.environ.get("BIN", "target/debug") / "local-cloud"
URL = os.environ["LOCAL_CLOUD_URL"]
# The --time-scale of run.py.
SCALE = 20
# A sequence opens at most as many sessions as it has steps (max-steps in api_contract.toml).
KEPT = 6


def send_with_retry(request: requests.PreparedRequest, tries: int = 5) -> requests.Response:
    """Sends a request, and retries a 503 with Retry-After."""
    with requests.Session() as session:
        answer = session.send(request)
        while answer.status_code == 503 and "retry-after" in answer.headers and tries > 0:
            time.sleep(int(answer.headers["retry-after"]) / SCALE)
            tries -= 1
            answer = session.send(request)
    return answer


class Speaker:
    """The speaker of all requests: its token, a session for changes, and the sessions to end."""

    def __init__(self, name: str):
        self.token = subprocess.check_output([CLOUD, "token", "--sub", name], text=True).strip()
        self.opened: deque[str] = deque()
        self.subject: str | None = None

    def ask(self, method: str, path: str, body: dict | None = None) -> requests.Response:
        request = requests.Request(
            method, URL + path, json=body, headers={"authorization": f"Bearer {self.token}"})
        answer = send_with_retry(request.prepare())
        answer.raise_for_status()
        return answer

    def live(self) -> str:
        """Returns the id of an active session; opens a new one if the last was ended."""
        if self.subject is None:
            self.subject = self.ask("POST", "/sessions", {"sourceLanguage": "en"}).json()["sessionId"]
        return self.subject

    def end_all_but(self, kept: int) -> None:
        """Ends the oldest sessions, because account and speaker have quotas."""
        while len(self.opened) > kept:
            self.ask("DELETE", f"/sessions/{self.opened.popleft()}")


speaker = Speaker("contract")


def stands_alone(case) -> bool:
    return case.meta is not None and case.meta.phase.name.value != "stateful"


@schemathesis.hook
def map_case(context, case):
    """Sends changes to an existing session; other routes keep the generated ids, which do not
    exist."""
    if stands_alone(case) and case.method == "PATCH" and not case.meta.is_negative_at(ParameterLocation.PATH):
        case.path_parameters["sessionId"] = speaker.live()
    return case


@schemathesis.hook
def after_call(context, case, response):
    """Ends opened sessions that no later step of a sequence can use."""
    if case.method == "POST" and response.status_code == 201:
        speaker.opened.append(response.json()["sessionId"])
    if case.method == "PATCH" and response.status_code == 200 and response.json()["status"] == "ended":
        speaker.subject = None
    speaker.end_all_but(0 if stands_alone(case) else KEPT)


@schemathesis.hook
def filter_failure(context, failure, case, response) -> bool:
    return not is_expected(failure, case, response)


def is_expected(failure, case, response) -> bool:
    """Returns whether a response that a check reports is the documented one."""
    if isinstance(failure, UnsupportedMethodResponse):
        # An HTTP API of API Gateway returns 404, and not 405, for a method without a route.
        return response.status_code == 404 and response.json() == {"message": "Not Found"}
    if isinstance(failure, UseAfterFree):
        # An ended session stays readable, with status `ended`.
        return response.status_code == 200 and response.json()["status"] == "ended"
    if isinstance(failure, RejectedPositiveData):
        # The schema cannot express that a key was used before with another body.
        return response.status_code == 422 and "Idempotency-Key" in (case.headers or {})
    if isinstance(failure, ServerError):
        # A table's timeout of 2 s is 100 ms here, which a busy machine may exceed. The same request
        # must succeed after Retry-After.
        answer = send_with_retry(response.request)
        if case.method == "POST" and answer.status_code == 201:
            speaker.opened.append(answer.json()["sessionId"])
        return "retry-after" in response.headers and answer.status_code < 500
    return False


def main() -> int:
    arguments = ["--config-file", str(ROOT / "tests" / "clients" / "api_contract.toml"), "--no-color", "run",
                 str(ROOT / "docs" / "openapi.yaml"), "--url", URL, "--checks", "all",
                 "--header", f"Authorization: Bearer {speaker.token}"]
    try:
        command.main(args=arguments)
    except SystemExit as done:
        return int(done.code or 0)
    finally:
        speaker.opened.extend([speaker.subject] if speaker.subject else [])
        speaker.end_all_but(0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
