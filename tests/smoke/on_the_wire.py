"""Tests the parts of PutMedia that a local cloud does not check: the signature, recomputed from the
sent bytes (SigV4), and acknowledgements in the guide's other form, which arrive while the body is
being sent.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import socket
import threading
from pathlib import Path

import boto3

from put_media import PutMedia, read

ACK = '{ "Acknowledgement" : { "EventType": "%s", "FragmentTimecode": 0, "FragmentNumber": "%d" } }\n'
SECRET, TOKEN = "secret", "a-session-token"
EBML = b"\x1a\x45\xdf\xa3"
ONE_FRAGMENT_MS = 1980


class Recorder:
    """A server for one request: responds after its first bytes, and records all bytes until the
    last chunk."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.received = b""
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        connection, _ = self._listening.accept()
        with contextlib.closing(connection):
            self.received = connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            for number, kind in enumerate(("BUFFERING", "RECEIVED", "PERSISTED")):
                line = (ACK % (kind, number)).encode()
                chunk = b"%x\r\n%b\r\n" % (len(line), line)
                connection.sendall(chunk[:20])
                connection.sendall(chunk[20:])
            while not self.received.endswith(b"\r\n0\r\n\r\n"):
                self.received += connection.recv(65536)
            connection.sendall(b"0\r\n\r\n")


def signature(head: str) -> tuple[str, str]:
    """Returns the signature computed from a head, and the one in it."""
    request, *lines = head.split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    scheme, _, rest = fields["authorization"].partition(" ")
    parts = dict(part.strip().split("=", 1) for part in rest.split(","))
    names = parts["SignedHeaders"].split(";")
    assert {"host", "x-amz-date", "x-amz-security-token", "x-amzn-stream-name"} <= set(names), names
    method, path, _ = request.split()
    empty = hashlib.sha256(b"").hexdigest()
    canonical = "\n".join([method, path, "", *(f"{name}:{fields[name]}" for name in names), "", ";".join(names), empty])
    _, date, region, service, last = parts["Credential"].split("/")
    assert (region, service) == ("eu-west-1", "kinesisvideo"), parts
    scope = f"{date}/{region}/{service}/{last}"
    key = f"AWS4{SECRET}".encode()
    for word in (date, region, service, last):
        key = hmac.digest(key, word.encode(), "sha256")
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    text = "\n".join([scheme, fields["x-amz-date"], scope, hashed])
    return hmac.new(key, text.encode(), "sha256").hexdigest(), parts["Signature"]


def unchunked(body: bytes) -> bytes:
    """Returns the body without the chunked encoding."""
    whole = b""
    while body != b"0\r\n\r\n":
        size, _, body = body.partition(b"\r\n")
        whole, body = whole + body[:int(size, 16)], body[int(size, 16) + 2:]
    return whole


def check(recording: Path) -> None:
    """Raises AssertionError if the request differs from AWS's protocol."""
    server = Recorder()
    session = boto3.Session("AKIDEXAMPLE", SECRET, TOKEN, "eu-west-1")
    speech = read(recording, ONE_FRAGMENT_MS)
    assert speech.fragments == 1, speech
    spoken = PutMedia(session, server.url, "session-a-b-1").speak(speech, 1000, 10)
    server.thread.join(10)
    assert [ack.kind for ack in spoken.acks] == ["BUFFERING", "RECEIVED", "PERSISTED"], spoken.acks
    assert all(ack.nested and ack.number == str(n) for n, ack in enumerate(spoken.acks)), spoken.acks
    head, _, body = server.received.partition(b"\r\n\r\n")
    wanted, carried = signature(head.decode())
    assert wanted == carried, head
    assert unchunked(body).startswith(EBML), body[:40]
