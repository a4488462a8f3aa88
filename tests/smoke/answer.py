"""Parses an HTTP response while its request is still being sent, which http.client cannot do (RFC
9112)."""

from __future__ import annotations

import http.client
import io


class Answer:
    """An incremental parser: `status` is set after the head, `take` returns the new bytes of the
    body."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.headers: http.client.HTTPMessage | None = None
        self.ended = False
        self._raw, self._body = b"", b""
        self._chunked, self._left = False, None

    def feed(self, data: bytes) -> None:
        """Adds bytes; empty bytes mean that the connection is closed."""
        if not data:
            self.ended = True
        self._raw += data
        while not self.ended and self._step():
            pass

    def take(self) -> bytes:
        """Returns the bytes of the body since the last call."""
        body, self._body = self._body, b""
        return body

    def _step(self) -> bool:
        """Parses one part; returns whether there may be another."""
        if self.status is None:
            return self._head()
        if self._left == 0 and self._chunked:
            return self._next_chunk()
        piece = self._raw if self._left is None else self._raw[:self._left]
        self._raw = self._raw[len(piece):]
        self._body += piece
        if self._left is not None:
            self._left -= len(piece)
            self.ended = self._left == 0 and not self._chunked
        return bool(piece) and bool(self._raw)

    def _head(self) -> bool:
        head, end, rest = self._raw.partition(b"\r\n\r\n")
        if not end:
            return False
        line, _, fields = head.partition(b"\r\n")
        status = int(line.split()[1])
        self._raw = rest
        if status < 200:  # 100 Continue
            return True
        self.status = status
        self.headers = http.client.parse_headers(io.BytesIO(fields + b"\r\n\r\n"))
        self._chunked = "chunked" in self.headers.get("transfer-encoding", "").lower()
        length = self.headers.get("content-length")
        self._left = 0 if self._chunked else None if length is None else int(length)
        self.ended = self._left == 0 and not self._chunked
        return True

    def _next_chunk(self) -> bool:
        raw = self._raw[2:] if self._raw.startswith(b"\r\n") else self._raw
        line, end, rest = raw.partition(b"\r\n")
        if not end:
            return False
        self._left, self._raw = int(line.split(b";")[0], 16), rest
        self.ended = self._left == 0
        return True
