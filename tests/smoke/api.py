"""A client of the session API (docs/openapi.yaml)."""

from __future__ import annotations

import time
import uuid

import requests

from steps import Failed

ANSWER_SECONDS = 35  # API Gateway's timeout is 30 s
TRIES = 3
LONGEST_PAUSE = 20


class Api:
    """The API with a speaker's token, which is never printed."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._token = url, token
        self._key = str(uuid.uuid4())
        self.unanswered = False
        """Whether a POST was sent whose outcome is unknown, so that a session may exist."""

    def health(self) -> dict:
        """GET /health."""
        answer = self._call("GET", "/health")
        return self._expect(answer, 200).json()

    def open(self) -> dict:
        """POST /sessions. Retries use one Idempotency-Key, which creates one session."""
        self.unanswered = True
        answer = self._tried("POST", "/sessions", {"sourceLanguage": "en"}, {"idempotency-key": self._key})
        # If the function returned the error, it has cleaned up; after an error of API Gateway, the
        # outcome is unknown.
        unknown = answer.status_code >= 500 and '"error"' not in answer.text
        self.unanswered = answer.status_code == 409 or unknown
        return self._expect(answer, 201).json()

    def end(self, session_id: str) -> None:
        """DELETE /sessions/{sessionId}."""
        self._expect(self._tried("DELETE", f"/sessions/{session_id}"), 204)

    def _tried(self, method: str, path: str, body: dict | None = None, headers: dict | None = None):
        """Sends a request, and retries 409 and 503 twice."""
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
            raise Failed(f"no response from {self._url}: {type(error).__name__}",
                         "check that the stack's API exists and is reachable") from error

    @staticmethod
    def _expect(answer, status: int):
        if answer.status_code == status:
            return answer
        try:
            body = answer.json()
            message = body.get("error") or body.get("message") or ""
        except (ValueError, AttributeError):
            message = answer.text[:200]
        todo = {
            401: "TOKEN is no valid token of the stack's issuer and audience: take a fresh one",
            403: "TOKEN may not do this: it is not the session's speaker",
            429: "this speaker has too many sessions: end one, or use another speaker's token",
        }.get(answer.status_code, "see the log: aws logs filter-log-events --log-group-name "
                                  "/aws/lambda/session-http-handler-ENV")
        raise Failed(f"{answer.status_code} {message}", todo)
