"""PutMedia, which no SDK for Python supports: one signed request whose chunked body is sent in real
time while its acknowledgements are read from the same connection (API_dataplane_PutMedia of the KVS
developer guide).
"""

from __future__ import annotations

import json
import os
import socket
import ssl
import time
import urllib.parse
from dataclasses import dataclass, field
from typing import Callable

import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from answer import Answer
from mkv import Recording
from steps import Failed

FRAGMENT_MS = 2000
SEND_SECONDS = 10.0


class PutMediaError(Failed):
    """KVS refused the request, ended it with an ERROR acknowledgement, or the connection failed."""

    def __init__(self, seen: str) -> None:
        super().__init__(seen, "a refusal names its cause; after a failed connection run this again")


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
        kind = str(inner.get("EventType") or inner.get("AckEventType") or "?").upper()
        error = " ".join(str(inner[key]) for key in ("ErrorId", "ErrorCode") if key in inner) or None
        timecode = inner.get("FragmentTimecode", inner.get("FragmentTimeCode"))
        number = inner.get("FragmentNumber")
        return cls(kind, None if timecode is None else int(timecode), None if number is None else str(number), error,
                   at, "Acknowledgement" in value)


@dataclass
class Spoken:
    """The progress of a recording: sent pieces and acknowledgements."""

    pieces: int = 0
    acks: list[Ack] = field(default_factory=list)

    def of_kind(self, kind: str) -> list[Ack]:
        """Returns the acknowledgements of one kind."""
        return [ack for ack in self.acks if ack.kind == kind]


class PutMedia:
    """One PutMedia connection."""

    def __init__(self, session, endpoint: str, stream: str) -> None:
        """`session`: the boto3 session that signs. `endpoint`: from GetDataEndpoint for
        PUT_MEDIA."""
        self._session, self._stream = session, stream
        self._url = f"{endpoint.rstrip('/')}/putMedia"
        self._answer, self._text = Answer(), b""
        self.spoken = Spoken()

    def speak(self, recording: Recording, speed: float, timeout: float,
              on_ack: Callable[[Ack], None] = lambda ack: None) -> Spoken:
        """Sends the recording and waits until the response ends, at most `timeout` seconds.

        Raises PutMediaError if KVS does not accept all of it.
        """
        self._on_ack, started = on_ack, time.monotonic()
        with self._connect() as self._socket:
            try:
                self._send(self._head())
                for at_ms, piece in recording.pieces(FRAGMENT_MS):
                    self._listen(started + at_ms / 1000 / speed)
                    self._send(b"%x\r\n%b\r\n" % (len(piece), piece))
                    self.spoken.pieces += 1
                self._send(b"0\r\n\r\n")
                self._listen(time.monotonic() + timeout, until_ended=True)
            except OSError as error:
                self._read_remaining()
                self._raise_if_refused()
                raise PutMediaError(f"the connection failed after {self.spoken.pieces} pieces: {error}") from error
        return self.spoken

    def _connect(self) -> socket.socket:
        url = urllib.parse.urlsplit(self._url)
        secure = url.scheme == "https"
        try:
            plain = socket.create_connection((url.hostname, url.port or (443 if secure else 80)), SEND_SECONDS)
            if not secure:
                return plain
            trusted = os.environ.get("AWS_CA_BUNDLE") or requests.certs.where()
            return ssl.create_default_context(cafile=trusted).wrap_socket(plain, server_hostname=url.hostname)
        except OSError as error:
            raise PutMediaError(f"{url.netloc} cannot be reached: {error}") from error

    def _head(self) -> bytes:
        """Returns the signed head. The streamed body is signed as empty, as AWS's producers do."""
        request = AWSRequest("POST", self._url, headers={
            "x-amzn-stream-name": self._stream,
            "x-amzn-fragment-timecode-type": "RELATIVE",
            "x-amzn-fragment-acknowledgment-required": "1",
            "x-amzn-producer-start-timestamp": f"{time.time():.3f}",
        })
        credentials = self._session.get_credentials()
        if credentials is None:
            raise PutMediaError("no AWS credentials were found")
        signer = SigV4Auth(credentials.get_frozen_credentials(), "kinesisvideo", self._session.region_name)
        signer.add_auth(request)
        url = urllib.parse.urlsplit(self._url)
        lines = [f"POST {url.path} HTTP/1.1", f"host: {url.netloc}", "transfer-encoding: chunked",
                 *(f"{name}: {value}" for name, value in request.headers.items())]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def _send(self, data: bytes) -> None:
        self._socket.settimeout(SEND_SECONDS)
        self._socket.sendall(data)

    def _listen(self, until: float, until_ended: bool = False) -> None:
        """Reads until a time. One thread sends and reads, because two must not share a TLS
        socket."""
        while not self._answer.ended:
            left = until - time.monotonic()
            if left <= 0:
                break
            self._socket.settimeout(left)
            try:
                data = self._socket.recv(65536)
            except socket.timeout:
                continue
            self._answer.feed(data)
            self._parse_acks()
        self._raise_if_refused()
        if self._answer.ended and not until_ended:
            raise PutMediaError(f"KVS ended the connection after {self.spoken.pieces} pieces")

    def _read_remaining(self) -> None:
        """Reads the rest of the response: it contains an ERROR if KVS ended the connection."""
        try:
            while not self._answer.ended:
                self._socket.settimeout(1)
                self._answer.feed(self._socket.recv(65536))
                self._parse_acks()
        except OSError:
            pass  # no more bytes

    def _parse_acks(self) -> None:
        """Parses complete acknowledgements from the received text."""
        if self._answer.status != 200:
            return
        self._text += self._answer.take()
        text = self._text.decode("utf-8", "ignore").lstrip()
        while text:
            try:
                value, end = json.JSONDecoder().raw_decode(text)
            except ValueError:
                break
            text = text[end:].lstrip()
            ack = Ack.of(value, time.monotonic())
            self.spoken.acks.append(ack)
            self._on_ack(ack)
        self._text = text.encode()

    def _raise_if_refused(self) -> None:
        if self._answer.status not in (None, 200):
            kind = self._answer.headers.get("x-amzn-errortype") or self._answer.headers.get("x-amz-errortype") or ""
            body = self._answer.take().decode("utf-8", "replace")[:300]
            raise PutMediaError(f"refused with {self._answer.status} {kind.split(':')[0]} {body}".rstrip())
        for ack in self.spoken.of_kind("ERROR"):
            raise PutMediaError(f"ERROR {ack.error} at {ack.timecode_ms} ms")
