"""One session through the deployed functions, and what their tables then hold."""

import json
import pathlib

from processes import Failure, until
from stack import ENVIRONMENT, client

# Patience, in seconds: for the consumer's first lease, and for the drain, which takes some 6 s when
# nothing goes wrong and 75 s when a consumer must be replaced.
READER, DRAIN = 60, 120


class Session:
    """A session that the deployed handler opened."""

    def __init__(self, root: pathlib.Path, emulator: str) -> None:
        self.events = root / "events"
        self.functions = client("lambda", emulator)
        self.tables = client("dynamodb", emulator)
        self.id = ""

    @classmethod
    def open(cls, root: pathlib.Path, emulator: str) -> "Session":
        """POST /sessions: channel, stream, mapping, item and event are the handler's work."""
        session = cls(root, emulator)
        body = session._request("create", 201)
        if body.get("status") != "active":
            raise Failure(f"POST /sessions made {body}, not an active session")
        session.id = body["sessionId"]
        return session

    def end(self) -> None:
        """DELETE by its owner."""
        self._request("delete", 204)

    def wait_for_reader(self) -> None:
        """Until a consumer holds the stream's lease, which it takes before it reads."""
        until("a consumer to take the stream's lease", READER,
              lambda: self._item("Streams").get("status", {}).get("S") == "RUNNING")

    def wait_for_drain(self) -> None:
        """Until the consumer has written that nothing is left."""
        until("the Streams item to be ENDED", DRAIN,
              lambda: self._item("Streams").get("status", {}).get("S") == "ENDED")

    def check_samples(self, spoken: int) -> None:
        """The processor's watermark stands exactly behind the last sample."""
        accepted = int(self._item("Processed").get("nextSample", {}).get("N", 0))
        if accepted != spoken:
            raise Failure(f"the processor accepted {accepted} samples of {spoken}")

    def _request(self, name: str, wanted: int) -> dict:
        """What the handler answers to API Gateway for one of events/session-http-handler.*.json."""
        event = (self.events / f"session-http-handler.{name}.json").read_text()
        event = event.replace("blessed-shepherd-123", self.id)
        answer = self.functions.invoke(
            FunctionName=f"session-http-handler-{ENVIRONMENT}", Payload=event.encode())
        payload = json.load(answer["Payload"])
        if "FunctionError" in answer or payload.get("statusCode") != wanted:
            raise Failure(f"the handler answered {name} with {payload}, not {wanted}")
        return json.loads(payload.get("body") or "{}")

    def _item(self, table: str) -> dict:
        """The session's item of a table, as it is now."""
        return self.tables.get_item(
            TableName=f"{table}-{ENVIRONMENT}", Key={"sessionId": {"S": self.id}}, ConsistentRead=True,
        ).get("Item", {})
