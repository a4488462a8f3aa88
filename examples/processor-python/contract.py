"""The contract with the consumer: checks payloads, and decides on the answer from a watermark.

Pure functions without AWS. They give the same answers as the reference processor
(crates/audio-processor, crates/session/src/audio.rs). docs/processor.md describes the contract.
"""

import base64
import binascii
import dataclasses
import re

MAX_U64 = 2**64 - 1
MAX_U32 = 2**32 - 1
# What fits in base64 into the 6 MB of a synchronous invocation.
MAX_SAMPLES = 6 * 1024 * 1024 // 8 * 3
# Two years of speech.
MAX_POSITION = 2**40
LANGUAGES = frozenset("en es fr de it pt ru ja ko zh ar hi nl pl tr sv da no fi".split())
SESSION_ID = re.compile(r"[a-z]+-[a-z]+-[0-9]+")
STREAM_ARN = re.compile(
    r"arn:[A-Za-z0-9_.-]{1,256}:kinesisvideo:[A-Za-z0-9_.-]{1,256}:[0-9]+"
    r":stream/[A-Za-z0-9_.-]{1,256}/[0-9]+"
)


class Refusal(Exception):
    """A refusal. Lambda reports the name of the class as `errorType`."""

    def __init__(self, text: str) -> None:
        super().__init__(f"{type(self).__name__}: {text}")


class InvalidPayload(Refusal):
    """The payload violates the contract. The consumer moves it to its dead-letter queue."""


class StaleEpoch(Refusal):
    """A newer sender has delivered. The consumer stops."""

    def __init__(self, epoch: int) -> None:
        super().__init__(f'a newer sender has taken over {{"epoch":{epoch}}}')


class OutOfOrder(Refusal):
    """Samples before the payload are missing. The consumer continues at `next_sample`."""

    def __init__(self, next_sample: int) -> None:
        super().__init__(f'samples are missing {{"nextSample":{next_sample}}}')


@dataclasses.dataclass(frozen=True)
class Watermark:
    """The state of a session: the first sample that is not accepted, and the newest epoch."""

    next: int = 0
    epoch: int = 0


@dataclasses.dataclass(frozen=True)
class Chunk:
    """A valid payload. `pcm` holds 16-bit little-endian samples."""

    session: str
    epoch: int
    start: int
    gap: int
    pcm: bytes
    is_final: bool

    @property
    def floor(self) -> int:
        """The lowest watermark that the chunk continues: its start less the gap before it."""
        return self.start - self.gap

    @property
    def end(self) -> int:
        """The position after the last sample."""
        return self.start + len(self.pcm) // 2

    def samples_from(self, position: int) -> tuple[int, bytes]:
        """Returns the samples from `position` on, with the position of their first."""
        first = max(self.start, position)
        return first, self.pcm[2 * (first - self.start):]


def applies(chunk: Chunk, at: Watermark) -> bool:
    """Returns whether the chunk advances the watermark."""
    return at.epoch <= chunk.epoch and chunk.floor <= at.next < chunk.end


def accepted(chunk: Chunk) -> dict:
    """Returns the answer to a chunk that has advanced the watermark."""
    return {"accepted": True, "nextSample": chunk.end, "duplicate": False}


def answer(chunk: Chunk, at: Watermark) -> dict:
    """Returns the answer to a chunk that does not advance the watermark, or raises its refusal."""
    if at.epoch > chunk.epoch:
        raise StaleEpoch(at.epoch)
    if at.next < chunk.floor:
        raise OutOfOrder(at.next)
    return {"accepted": True, "nextSample": at.next, "duplicate": bool(chunk.pcm)}


def check(payload: object) -> Chunk:
    """Returns the chunk of a payload. Raises InvalidPayload with the first violation."""
    _require(isinstance(payload, dict), "not a JSON object")
    _check_fields(payload)
    _require((payload["sampleRate"], payload["channels"]) == (16_000, 1), "not 16000 Hz mono")
    _require(payload["schemaVersion"].split(".")[0] == "1", "schemaVersion is not 1.x")
    start, count = payload["startSample"], payload["sampleCount"]
    _require(count <= MAX_SAMPLES, f"sampleCount {count} is more than {MAX_SAMPLES}")
    _require(start <= MAX_POSITION, f"startSample {start} is more than {MAX_POSITION}")
    _require(payload["gapSamples"] <= start, "gapSamples is more than startSample")
    _require(payload["filledSamples"] <= count, "filledSamples is more than sampleCount")
    pcm = _decode(payload["audioData"])
    _require(len(pcm) == 2 * count, f"{len(pcm)} bytes, but sampleCount is {count}")
    _require(count > 0 or payload["final"], "a payload without samples must be final")
    return Chunk(
        session=payload["sessionId"],
        epoch=payload["epoch"],
        start=start,
        gap=payload["gapSamples"],
        pcm=pcm,
        is_final=payload["final"],
    )


def _unsigned(limit: int = MAX_U64):
    # A boolean is an int in Python, and 1.0 is a float: neither is an integer in JSON.
    return lambda value: type(value) is int and 0 <= value <= limit


def _text(pattern: re.Pattern, limit: int):
    return lambda value: _is_text(value) and len(value) <= limit and pattern.fullmatch(value)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_language(value: object) -> bool:
    return _is_text(value) and value in LANGUAGES


# A field that is not listed here is ignored, so that 1.x can add fields.
FIELDS = {
    "action": lambda value: value == "process",
    "sessionId": _text(SESSION_ID, 64),
    "streamArn": _text(STREAM_ARN, 1024),
    "epoch": _unsigned(),
    "sourceLanguage": _is_language,
    "targetLanguages": lambda value: isinstance(value, list) and all(map(_is_language, value)),
    "qualityTier": lambda value: value in ("standard", "premium"),
    "audioData": _is_text,
    "sampleRate": _unsigned(MAX_U32),
    "channels": _unsigned(255),
    "format": lambda value: value == "pcm_s16le",
    "source": lambda value: value == "kvs_stream_consumer",
    "sequence": _unsigned(),
    "chunkCount": _unsigned(MAX_U32),
    "startSample": _unsigned(),
    "sampleCount": _unsigned(),
    "filledSamples": _unsigned(),
    "gapSamples": _unsigned(),
    "producerTimestamp": _unsigned(),
    "fragmentNumber": _is_text,
    "final": lambda value: isinstance(value, bool),
    "schemaVersion": _is_text,
}


def _check_fields(payload: dict) -> None:
    for name, is_valid in FIELDS.items():
        _require(name in payload, f"missing field {name}")
        _require(is_valid(payload[name]), f"invalid value of {name}")


def _decode(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidPayload(f"audioData is not base64: {error}") from None
    # b64decode accepts several texts for the same bytes; only one of them is canonical.
    _require(base64.b64encode(data).decode() == text, "audioData is not canonical base64")
    return data


def _require(condition: object, text: str) -> None:
    if not condition:
        raise InvalidPayload(text)
