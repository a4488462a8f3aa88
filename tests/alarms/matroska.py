"""Recordings that cannot be decoded (EBML: RFC 8794; elements: RFC 9559)."""

from __future__ import annotations

from collections.abc import Iterator

SEGMENT, CLUSTER, BLOCK_GROUP = 0x18538067, 0x1F43B675, 0xA0
SIMPLE_BLOCK, BLOCK = 0xA3, 0xA1


def without_codec(recording: bytes) -> bytes:
    """Returns the recording with the name of another codec."""
    return recording.replace(b"A_OPUS", b"A_FLAC")


def damaged(recording: bytes) -> bytes:
    """Damages every fourth packet: a packet of code 3 has at least one frame (RFC 6716, R6)."""
    changed = bytearray(recording)
    for index, start in enumerate(packets(recording)):
        if index % 4 == 3:
            changed[start:start + 2] = b"\x03\x00"
    return bytes(changed)


def packets(data: bytes) -> Iterator[int]:
    """Yields where the packet of each block begins: after its track, its time and its flags."""
    at = 0
    while at < len(data):
        kind, length = vint(data, at)
        at += length
        size, length = vint(data, at)
        at += length
        if kind in (SEGMENT, CLUSTER, BLOCK_GROUP):
            continue
        if kind in (SIMPLE_BLOCK, BLOCK):
            yield at + 4
        at += size & ~(1 << 7 * length)


def vint(data: bytes, at: int) -> tuple[int, int]:
    """Returns a variable-length integer with its marker, and its length."""
    length = 9 - data[at].bit_length()
    return int.from_bytes(data[at:at + length], "big"), length
