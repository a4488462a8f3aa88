"""Converts an Opus file in Matroska to the format of PutMedia: one Segment of unknown size, one
Cluster of unknown size per fragment, one SimpleBlock per packet, as AWS's producer SDK writes it
(mkvgen).

EBML: RFC 8794. Elements: RFC 9559. Opus: RFC 6716 §3.1, RFC 7845 §5.1.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

EBML, SEGMENT, INFO, TRACKS, CLUSTER = 0x1A45DFA3, 0x18538067, 0x1549A966, 0x1654AE6B, 0x1F43B675
TIMECODE, SIMPLE_BLOCK, BLOCK_GROUP, BLOCK = 0xE7, 0xA3, 0xA0, 0xA1
TRACK_ENTRY, CODEC_PRIVATE = 0xAE, 0x63A2
SEGMENT_START = b"\x18\x53\x80\x67\xff"
CLUSTER_START = b"\x1f\x43\xb6\x75\xff\xe7\x88"


@dataclass(frozen=True)
class Packet:
    """An Opus packet: start (ms), duration (samples at 48 kHz), bytes."""

    at_ms: int
    samples_48k: int
    data: bytes


@dataclass(frozen=True)
class Recording:
    """The bytes before the first Cluster, the packets, and the pre-skip."""

    head: bytes
    packets: list[Packet]
    pre_skip_48k: int

    @property
    def samples_16k(self) -> int:
        """Number of samples at 16 kHz that the processor must accept."""
        return (sum(packet.samples_48k for packet in self.packets) - self.pre_skip_48k) // 3

    def pieces(self, fragment_ms: int) -> Iterator[tuple[int, bytes]]:
        """Yields the pieces of the stream, each with its send time in ms."""
        yield 0, self.head
        start = None
        for packet in self.packets:
            piece = b""
            if start is None or packet.at_ms >= start + fragment_ms:
                start, piece = packet.at_ms, CLUSTER_START + struct.pack(">Q", packet.at_ms)
            block = b"\x81" + struct.pack(">h", packet.at_ms - start) + b"\x80" + packet.data
            yield packet.at_ms, piece + b"\xa3" + struct.pack(">Q", len(block) | 1 << 56) + block


def read(path: Path) -> Recording:
    """Reads the only track of a file with known sizes. Ignores DiscardPadding: the last packet
    counts fully."""
    data = path.read_bytes()
    head, packets, pre_skip = b"", [], 0
    for kind, start, body, end in _elements(data, 0, len(data)):
        if kind == EBML:
            head += data[start:end] + SEGMENT_START
        elif kind == SEGMENT:
            for kind, start, body, end in _elements(data, body, end):
                if kind in (INFO, TRACKS):
                    head += data[start:end]
                if kind == TRACKS:
                    pre_skip = _pre_skip(data, body, end)
                elif kind == CLUSTER:
                    packets += _packets(data, body, end)
    if not packets:
        raise ValueError(f"{path} contains no packets")
    return Recording(head, packets, pre_skip)


def _elements(data: bytes, at: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Yields id, start, start of the payload and end of each element in a range."""
    while at < end:
        start, width = at, 9 - data[at].bit_length()
        kind, at = int.from_bytes(data[at:at + width], "big"), at + width
        width = 9 - data[at].bit_length()
        size = int.from_bytes(data[at:at + width], "big") & ((1 << 7 * width) - 1)
        at += width
        yield kind, start, at, at + size
        at += size


def _packets(data: bytes, body: int, end: int) -> Iterator[Packet]:
    cluster_ms = 0
    for kind, _, body, end in _elements(data, body, end):
        if kind == TIMECODE:
            cluster_ms = int.from_bytes(data[body:end], "big")
        elif kind == SIMPLE_BLOCK:
            yield _packet(cluster_ms, data[body:end])
        elif kind == BLOCK_GROUP:
            yield from (_packet(cluster_ms, data[b:e]) for k, _, b, e in _elements(data, body, end) if k == BLOCK)


def _packet(cluster_ms: int, block: bytes) -> Packet:
    packet = block[4:]
    return Packet(cluster_ms + struct.unpack(">h", block[1:3])[0], _samples_48k(packet), packet)


def _samples_48k(packet: bytes) -> int:
    config, code = packet[0] >> 3, packet[0] & 3
    if config < 12:
        frame = (480, 960, 1920, 2880)[config % 4]
    else:
        frame = (480, 960)[config % 2] if config < 16 else (120, 240, 480, 960)[config % 4]
    return frame * (1, 2, 2, packet[1] & 0x3F if code == 3 else 0)[code]


def _pre_skip(data: bytes, body: int, end: int) -> int:
    for kind, _, body, end in _elements(data, body, end):
        if kind == TRACK_ENTRY:
            for kind, _, body, end in _elements(data, body, end):
                if kind == CODEC_PRIVATE and data[body:body + 8] == b"OpusHead":
                    return struct.unpack_from("<H", data, body + 10)[0]
    raise ValueError("the recording has no OpusHead")
