"""The HTTP API against its description: schemathesis draws requests from docs/openapi.yaml, good and
bad ones, alone and in sequences, and runs all its checks on every answer.

The same requests in every run (deterministic, no database, a bounded number). A few kinds of findings
are no defects; each is dropped only for the very answer that is promised: see `is_right`.
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
# run.py's --time-scale: so many seconds of AWS are one of ours.
SCALE = 20
# A sequence holds no more sessions than it has steps (max-steps in api_contract.toml).
KEPT = 6


def patiently(request: requests.PreparedRequest, tries: int = 5) -> requests.Response:
    """Sends a request, and again when the answer says after how long that may succeed."""
    with requests.Session() as session:
        answer = session.send(request)
        while answer.status_code == 503 and "retry-after" in answer.headers and tries > 0:
            time.sleep(int(answer.headers["retry-after"]) / SCALE)
            tries -= 1
            answer = session.send(request)
    return answer


class Speaker:
    """Who speaks: the token of all requests, one session that is there to be changed, and the end of
    whatever the requests have opened."""

    def __init__(self, name: str):
        self.token = subprocess.check_output([CLOUD, "token", "--sub", name], text=True).strip()
        self.opened: deque[str] = deque()
        self.subject: str | None = None

    def ask(self, method: str, path: str, body: dict | None = None) -> requests.Response:
        request = requests.Request(
            method, URL + path, json=body, headers={"authorization": f"Bearer {self.token}"})
        answer = patiently(request.prepare())
        answer.raise_for_status()
        return answer

    def live(self) -> str:
        """A session that can be changed; a new one when the last was ended."""
        if self.subject is None:
            self.subject = self.ask("POST", "/sessions", {"sourceLanguage": "en"}).json()["sessionId"]
        return self.subject

    def end_all_but(self, kept: int) -> None:
        """An account takes 100 sessions, and a speaker fewer: the oldest go first."""
        while len(self.opened) > kept:
            self.ask("DELETE", f"/sessions/{self.opened.popleft()}")


speaker = Speaker("contract")


def stands_alone(case) -> bool:
    return case.meta is not None and case.meta.phase.name.value != "stateful"


@schemathesis.hook
def map_case(context, case):
    """Changes meet a session that is there; drawn ids, which are none, are left to the other routes."""
    if stands_alone(case) and case.method == "PATCH" and not case.meta.is_negative_at(ParameterLocation.PATH):
        case.path_parameters["sessionId"] = speaker.live()
    return case


@schemathesis.hook
def after_call(context, case, response):
    """Ends what was opened, once no later step of a sequence can ask for it."""
    if case.method == "POST" and response.status_code == 201:
        speaker.opened.append(response.json()["sessionId"])
    if case.method == "PATCH" and response.status_code == 200 and response.json()["status"] == "ended":
        speaker.subject = None
    speaker.end_all_but(0 if stands_alone(case) else KEPT)


@schemathesis.hook
def filter_failure(context, failure, case, response) -> bool:
    return not is_right(failure, case, response)


def is_right(failure, case, response) -> bool:
    """Whether the answer that a check complains of is the one that is promised."""
    if isinstance(failure, UnsupportedMethodResponse):
        # An HTTP API of API Gateway knows no 405: a method without a route is no route.
        return response.status_code == 404 and response.json() == {"message": "Not Found"}
    if isinstance(failure, UseAfterFree):
        # A session that was ended stays readable, and says so.
        return response.status_code == 200 and response.json()["status"] == "ended"
    if isinstance(failure, RejectedPositiveData):
        # No schema can say that a key was drawn before, for another body.
        return response.status_code == 422 and "Idempotency-Key" in (case.headers or {})
    if isinstance(failure, ServerError):
        # The 2 s that a table is given are 100 ms here, which a busy machine may miss. The promise is
        # that the same request may succeed after Retry-After, so it must.
        answer = patiently(response.request)
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
