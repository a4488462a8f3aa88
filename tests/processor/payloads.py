"""Payloads as the consumer sends them."""

import base64
import json
import struct

from clouds import ROOT

SAMPLE = json.loads((ROOT / "events" / "audio-processor.process.json").read_text())
CHUNK = 8_000


def pcm(start: int, count: int) -> bytes:
    """Returns samples whose values depend on their positions."""
    return struct.pack(f"<{count}h", *((position * 37 % 20_011) - 10_000 for position in range(start, start + count)))


def payload(session: str, start: int, count: int, epoch: int = 1, **fields) -> dict:
    """Returns a payload of `count` samples; `fields` replace those of the result."""
    samples = {
        "sessionId": session, "startSample": start, "sampleCount": count, "epoch": epoch,
        "sequence": start // CHUNK, "audioData": base64.b64encode(pcm(start, count)).decode(),
    }
    return SAMPLE | samples | fields
