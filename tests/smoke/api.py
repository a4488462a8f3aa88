"""The session API as a speaker calls it (docs/openapi.yaml)."""

from __future__ import annotations

import time
import uuid

import requests

from steps import Failed

ANSWER_SECONDS = 35  # API Gateway gives up at 30
TRIES = 3
LONGEST_PAUSE = 20


class Api:
    """The API with a speaker's token, which is sent and never shown."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._token = url, token
        self._key = str(uuid.uuid4())
        self.unanswered = False
        """Whether a POST was sent and its outcome is not known: there may be a session."""

    def health(self) -> dict:
        """GET /health."""
        answer = self._call("GET", "/health")
        return self._expect(answer, 200).json()

    def open(self) -> dict:
        """POST /sessions. However often it is sent, one key makes one session."""
        self.unanswered = True
        answer = self._tried("POST", "/sessions", {"sourceLanguage": "en"}, {"idempotency-key": self._key})
        # What the function itself refuses, it has undone; API Gateway may not know what became of it.
        gave_up = answer.status_code >= 500 and '"error"' not in answer.text
        self.unanswered = answer.status_code == 409 or gave_up
        return self._expect(answer, 201).json()

    def end(self, session_id: str) -> None:
        """DELETE /sessions/{sessionId}."""
        self._expect(self._tried("DELETE", f"/sessions/{session_id}"), 204)

    def _tried(self, method: str, path: str, body: dict | None = None, headers: dict | None = None):
        """The answer of the first try, or of the third at most where the answers say that trying again may help."""
        for tries in range(1, TRIES + 1):
            answer = self._call(method, path, body, headers)
            if answer.status_code not in (409, 503) or tries == TRIES:
                break
            time.sleep(min(float(answer.headers.get("retry-after", 5)), LONGEST_PAUSE))
        return answer

    def _call(self, method: str, path: str, body: dict | None = None, headers: dict | None = None):
        headers = (headers or {}) | {"authorization": f"Bearer {self._token}"}
        if path == "/health":
            headers = {}
        try:
            return requests.request(method, self._url + path, json=body, headers=headers, timeout=ANSWER_SECONDS)
        except requests.RequestException as error:
            raise Failed(f"{self._url} does not answer: {type(error).__name__}",
                         "see whether the stack's API is there and reachable from here") from error

    @staticmethod
    def _expect(answer, status: int):
        if answer.status_code == status:
            return answer
        try:
            said = answer.json()
            said = said.get("error") or said.get("message") or ""
        except (ValueError, AttributeError):
            said = answer.text[:200]
        todo = {
            401: "TOKEN is no valid token of the stack's issuer and audience: take a fresh one",
            403: "TOKEN may not do this: it is not the session's speaker",
            429: "this speaker has too many sessions: end one, or use another speaker's token",
        }.get(answer.status_code, "see the log: aws logs tail /aws/lambda/session-http-handler-ENV")
        raise Failed(f"{answer.status_code} {said}", todo)
