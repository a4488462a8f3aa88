"""A GetMedia connection that records its bytes, their times, and its end."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass, field

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from steps import brief, code_of

LONGEST = 60.0
QUIET = 15.0
DOCUMENT = b"\x1a\x45\xdf\xa3"
TAG_STRING = b"\x44\x87"


@dataclass
class Received:
    """The record of a connection. `refused` is the error code if the call failed."""

    body: bytearray = field(default_factory=bytearray)
    documents: list[float] = field(default_factory=list)
    refused: str | None = None
    end: str = "still open"
    last_at: float = 0.0
    ended_at: float = 0.0

    def values(self, tag: str) -> list[str]:
        """Returns the values of one of AWS's tags (SimpleTag: TagName, then TagString), in
        order."""
        found = []
        for place in re.finditer(f"AWS_KINESISVIDEO_{tag}".encode() + TAG_STRING, self.body):
            at = place.end()
            width = 9 - self.body[at].bit_length()
            size = int.from_bytes(self.body[at:at + width], "big") & ((1 << 7 * width) - 1)
            found.append(self.body[at + width:at + width + size].rstrip(b"\0").decode("utf-8", "replace"))
        return found

    def tags(self) -> list[str]:
        """Returns the names of AWS's tags, each once, in order."""
        return list(dict.fromkeys(t.decode() for t in re.findall(rb"AWS_KINESISVIDEO_([A-Z_]+)" + TAG_STRING, self.body)))


class Listener:
    """Reads GetMedia of a stream in a thread until it ends or fails, at most for a minute."""

    def __init__(self, session, stream: str, selector: dict) -> None:
        self.received, self.started = Received(), time.monotonic()
        control = session.client("kinesisvideo")
        endpoint = control.get_data_endpoint(StreamName=stream, APIName="GET_MEDIA")["DataEndpoint"]
        config = Config(read_timeout=QUIET, retries={"total_max_attempts": 1})
        media = session.client("kinesis-video-media", endpoint_url=endpoint, config=config)
        self._thread = threading.Thread(target=self._read, args=(media, stream, selector), daemon=True)
        self._thread.start()

    def wait(self, seconds: float = LONGEST) -> Received:
        """Waits for the end, at most `seconds`, and returns the record."""
        self._thread.join(seconds)
        return self.received

    def _read(self, media, stream: str, selector: dict) -> None:
        received = self.received
        try:
            body = media.get_media(StreamName=stream, StartSelector=selector)["Payload"]
            while time.monotonic() < self.started + LONGEST:
                byte = body.read(1)  # a longer read would block until all bytes arrive
                if not byte:
                    received.end = "cleanly"
                    break
                received.body += byte
                received.last_at = time.monotonic()
                if received.body.endswith(DOCUMENT):
                    received.documents.append(received.last_at)
        except (ClientError, BotoCoreError) as error:
            received.refused = code_of(error) if isinstance(error, ClientError) else None
            received.end = f"with {brief(error)}"
        except Exception as error:  # any end is a valid observation
            received.end = f"with {type(error).__name__}"
        received.ended_at = time.monotonic()
