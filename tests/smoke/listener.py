"""A GetMedia connection that notes what came, when, and how it ended."""

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
class Heard:
    """What one connection brought. `refused` is the error's code when there was no connection."""

    body: bytearray = field(default_factory=bytearray)
    documents: list[float] = field(default_factory=list)
    refused: str | None = None
    end: str = "still open"
    last_at: float = 0.0
    ended_at: float = 0.0

    def values(self, tag: str) -> list[str]:
        """The values of one of AWS's tags (SimpleTag: TagName, then TagString), in order."""
        found = []
        for place in re.finditer(f"AWS_KINESISVIDEO_{tag}".encode() + TAG_STRING, self.body):
            at = place.end()
            width = 9 - self.body[at].bit_length()
            size = int.from_bytes(self.body[at:at + width], "big") & ((1 << 7 * width) - 1)
            found.append(self.body[at + width:at + width + size].rstrip(b"\0").decode("utf-8", "replace"))
        return found

    def tags(self) -> list[str]:
        """Which of AWS's tags came, each once, in order."""
        return list(dict.fromkeys(t.decode() for t in re.findall(rb"AWS_KINESISVIDEO_([A-Z_]+)" + TAG_STRING, self.body)))


class Listener:
    """Reads GetMedia of a stream in a thread of its own until it ends, breaks, or a minute is over."""

    def __init__(self, session, stream: str, selector: dict) -> None:
        self.heard, self.started = Heard(), time.monotonic()
        control = session.client("kinesisvideo")
        endpoint = control.get_data_endpoint(StreamName=stream, APIName="GET_MEDIA")["DataEndpoint"]
        patient = Config(read_timeout=QUIET, retries={"total_max_attempts": 1})
        media = session.client("kinesis-video-media", endpoint_url=endpoint, config=patient)
        self._thread = threading.Thread(target=self._read, args=(media, stream, selector), daemon=True)
        self._thread.start()

    def wait(self, seconds: float = LONGEST) -> Heard:
        """What it brought, once it has ended; or as far as it is after so many seconds."""
        self._thread.join(seconds)
        return self.heard

    def _read(self, media, stream: str, selector: dict) -> None:
        heard = self.heard
        try:
            body = media.get_media(StreamName=stream, StartSelector=selector)["Payload"]
            while time.monotonic() < self.started + LONGEST:
                byte = body.read(1)  # a longer read would wait for all of it
                if not byte:
                    heard.end = "cleanly"
                    break
                heard.body += byte
                heard.last_at = time.monotonic()
                if heard.body.endswith(DOCUMENT):
                    heard.documents.append(heard.last_at)
        except (ClientError, BotoCoreError) as error:
            heard.refused = code_of(error) if isinstance(error, ClientError) else None
            heard.end = f"with {brief(error)}"
        except Exception as error:  # however it ends, that is the answer
            heard.end = f"with {type(error).__name__}"
        heard.ended_at = time.monotonic()
