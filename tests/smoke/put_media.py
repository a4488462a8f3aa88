"""PutMedia, which no SDK has, by the command put-media (crates/producer): it sends a recording in
real time with one signed request, and prints the acknowledgements as they arrive.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Iterator

from steps import Failed

ROOT = Path(__file__).resolve().parents[2]
COMMAND = ROOT / os.environ.get("BIN", "target/debug") / "put-media"
RATE = 16_000


class PutMediaError(Failed):
    """KVS refused the request, ended it with an ERROR acknowledgement, or the connection failed."""

    def __init__(self, seen: str) -> None:
        super().__init__(seen, "a refusal names its cause; after a failed connection run this again")


@dataclass(frozen=True)
class Recording:
    """The beginning of a file, or all of it: what the processor must accept, and KVS must store."""

    path: Path
    first_ms: int | None
    samples_16k: int
    fragments: int

    def first(self, first_ms: int) -> Recording:
        """Returns the beginning of the file."""
        return read(self.path, first_ms)

    def arguments(self) -> list[str]:
        """Returns the arguments of put-media."""
        return arguments(self.path, self.first_ms)


def arguments(path: Path, first_ms: int | None) -> list[str]:
    """Returns the arguments of put-media for the beginning of a file."""
    return [str(path), *(["--first-ms", str(first_ms)] if first_ms else [])]


def read(path: Path, first_ms: int | None = None) -> Recording:
    """Reads the figures of the beginning of a file."""
    printed = subprocess.run([COMMAND, *arguments(path, first_ms)], check=True, capture_output=True, text=True).stdout
    figures = json.loads(printed)
    return Recording(path, first_ms, figures["samples"], figures["fragments"])


@dataclass(frozen=True)
class Ack:
    """An acknowledgement: BUFFERING, RECEIVED, PERSISTED, ERROR or IDLE, and its monotonic arrival
    time `at`."""

    kind: str
    timecode_ms: int | None
    number: str | None
    error: str | None
    at: float
    nested: bool

    @classmethod
    def of(cls, value: dict, at: float) -> Ack:
        """Parses either form in the guide: the fields alone, or the fields within
        `Acknowledgement`."""
        inner = value.get("Acknowledgement", value)
        kind = str(inner.get("EventType") or "?").upper()
        error = " ".join(str(inner[key]) for key in ("ErrorId", "ErrorCode") if key in inner) or None
        timecode = inner.get("FragmentTimecode")
        number = inner.get("FragmentNumber")
        return cls(kind, None if timecode is None else int(timecode), None if number is None else str(number), error,
                   at, "Acknowledgement" in value)


@dataclass
class Spoken:
    """The progress of a recording: the acknowledgements."""

    acks: list[Ack] = field(default_factory=list)

    def of_kind(self, kind: str) -> list[Ack]:
        """Returns the acknowledgements of one kind."""
        return [ack for ack in self.acks if ack.kind == kind]


class PutMedia:
    """One PutMedia connection."""

    def __init__(self, session, endpoint: str, stream: str) -> None:
        """`session`: the boto3 session whose credentials sign. `endpoint`: from GetDataEndpoint for
        PUT_MEDIA."""
        self._session, self._endpoint, self._stream = session, endpoint, stream
        self.spoken = Spoken()

    def speak(self, recording: Recording, speed: float, timeout: float,
              on_ack: Callable[[Ack], None] = lambda ack: None) -> Spoken:
        """Sends the recording and waits until the response ends, at most `timeout` seconds.

        Raises PutMediaError if KVS does not accept all of it.
        """
        seconds = recording.samples_16k / RATE / speed + timeout
        with self._started(recording, speed, seconds) as sending:
            for line in sending.stdout:
                value = json.loads(line)
                if "samples" in value:
                    continue
                ack = Ack.of(value, time.monotonic())
                self.spoken.acks.append(ack)
                on_ack(ack)
            reason = sending.stderr.read().strip()
            code = sending.wait()
        for ack in self.spoken.of_kind("ERROR"):
            raise PutMediaError(f"ERROR {ack.error} at {ack.timecode_ms} ms")
        if code:
            raise PutMediaError(reason or f"no end after {seconds:.0f} s")
        return self.spoken

    @contextlib.contextmanager
    def _started(self, recording: Recording, speed: float, seconds: float) -> Iterator[subprocess.Popen]:
        """Runs put-media. It is killed after a time, and when this program is interrupted."""
        command = [COMMAND, *recording.arguments(), "--stream", self._stream, "--endpoint", self._endpoint,
                   "--speed", f"{speed:g}"]
        sending = subprocess.Popen(command, env=self._environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True)
        late = threading.Timer(seconds, sending.kill)
        late.start()
        try:
            yield sending
        finally:
            late.cancel()
            sending.kill()
            sending.wait()

    def _environment(self) -> dict[str, str]:
        """Returns the environment with boto3's credentials, which may be of a kind that the command
        does not know, and without the speaker's token."""
        credentials = self._session.get_credentials()
        if credentials is None:
            raise PutMediaError("no AWS credentials were found")
        key = credentials.get_frozen_credentials()
        env = {name: value for name, value in os.environ.items()
               if name not in ("TOKEN", "AWS_PROFILE", "AWS_SESSION_TOKEN")}
        env |= {"AWS_ACCESS_KEY_ID": key.access_key, "AWS_SECRET_ACCESS_KEY": key.secret_key,
                "AWS_REGION": self._session.region_name}
        if key.token:
            env["AWS_SESSION_TOKEN"] = key.token
        if trusted := os.environ.get("AWS_CA_BUNDLE"):
            env["SSL_CERT_FILE"] = trusted
        return env
