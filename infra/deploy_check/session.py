"""A session of the deployed functions, and its items in their tables."""

import json
import pathlib

from processes import Failure, until
from stack import ENVIRONMENT, client

# Timeouts in seconds: for the consumer's first lease, and for the drain, which takes about 6 s, or
# 75 s if the consumer must be replaced.
READER, DRAIN = 60, 120


class Session:
    """A session that the deployed handler created."""

    def __init__(self, root: pathlib.Path, emulator: str) -> None:
        self.events = root / "events"
        self.functions = client("lambda", emulator)
        self.tables = client("dynamodb", emulator)
        self.id = ""

    @classmethod
    def open(cls, root: pathlib.Path, emulator: str) -> "Session":
        """Creates a session: POST /sessions."""
        session = cls(root, emulator)
        body = session._request("create", 201)
        if body.get("status") != "active":
            raise Failure(f"POST /sessions returned {body}, not an active session")
        session.id = body["sessionId"]
        return session

    def end(self) -> None:
        """Ends the session as its owner."""
        self._request("delete", 204)

    def wait_for_reader(self) -> None:
        """Waits until a consumer holds the stream's lease, which it acquires before it reads."""
        until("a consumer acquires the stream's lease", READER,
              lambda: self._item("Streams").get("status", {}).get("S") == "RUNNING")

    def wait_for_drain(self) -> None:
        """Waits until the consumer has marked the stream as drained."""
        until("the Streams item is ENDED", DRAIN,
              lambda: self._item("Streams").get("status", {}).get("S") == "ENDED")

    def check_samples(self, spoken: int) -> None:
        """Checks that the processor's watermark equals the number of samples."""
        accepted = int(self._item("Processed").get("nextSample", {}).get("N", 0))
        if accepted != spoken:
            raise Failure(f"the processor accepted {accepted} samples of {spoken}")

    def _request(self, name: str, wanted: int) -> dict:
        """Invokes the handler with a sample event of events/. Returns the response body."""
        event = (self.events / f"session-http-handler.{name}.json").read_text()
        event = event.replace("blessed-shepherd-123", self.id)
        answer = self.functions.invoke(
            FunctionName=f"session-http-handler-{ENVIRONMENT}", Payload=event.encode())
        payload = json.load(answer["Payload"])
        if "FunctionError" in answer or payload.get("statusCode") != wanted:
            raise Failure(f"the handler returned {payload} for {name}, not {wanted}")
        return json.loads(payload.get("body") or "{}")

    def _item(self, table: str) -> dict:
        """Returns the session's item of a table."""
        return self.tables.get_item(
            TableName=f"{table}-{ENVIRONMENT}", Key={"sessionId": {"S": self.id}}, ConsistentRead=True,
        ).get("Item", {})
