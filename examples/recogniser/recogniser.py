"""Recognises English speech: PCM on standard input, one JSON object a line on standard output.

A recogniser for `local-cloud --recogniser`; docs/local-cloud.md#words describes the protocol. The
input is 16 kHz, 16-bit, mono and ends with the last line; an object is

    {"startMs": 480, "endMs": 2270, "text": "Good morning.", "isFinal": true}

The model is that of the package moonshine-voice, which runs on the CPU, without a network. Exits
with 69 if the package is not installed.
"""

import array
import ctypes
import functools
import importlib
import importlib.util
import json
import os
import platform
import select
import sys
import types
from typing import Iterable, Iterator, NoReturn

RATE = 16_000
# The model gets the samples in pieces of this length.
PIECE = RATE // 10
# Samples between two recognitions of the line that is being spoken. Each costs as much as the last
# one of that line.
INTERVAL = 2 * RATE
# The same while more input is waiting: the words are the same, for less than half of the CPU time.
LONG_INTERVAL = 10 * RATE
# Of glibc's malloc.h.
M_TRIM_THRESHOLD = -1
EXIT_ABSENT = os.EX_UNAVAILABLE


class Absent(Exception):
    """The package moonshine-voice is not installed."""


@functools.cache
def moonshine() -> types.ModuleType:
    """Imports `moonshine_voice.transcriber` only: the package itself imports sound devices and a
    network client, which are not needed and may be absent."""
    spec = importlib.util.find_spec("moonshine_voice")
    if spec is None:
        raise Absent("moonshine-voice is not installed: pip install --no-deps -r examples/recogniser/requirements.txt")
    package = types.ModuleType("moonshine_voice")
    package.__path__ = spec.submodule_search_locations
    sys.modules["moonshine_voice"] = package
    return importlib.import_module("moonshine_voice.transcriber")


@functools.cache
def transcriber():
    """Loads the model. Raises `Absent`."""
    if platform.libc_ver()[0] == "glibc":
        # Without a fixed threshold, the memory grows by some 0.7 MB for each second of audio.
        ctypes.CDLL(None).mallopt(M_TRIM_THRESHOLD, 128 * 1024)
    options = {"return_audio_data": "false", "identify_speakers": "false"}
    model = moonshine().get_model_path("tiny-en")
    return moonshine().Transcriber(str(model), moonshine().ModelArch.TINY, options=options)


class Recogniser:
    """Recognises one recording. Raises `Absent`."""

    def __init__(self) -> None:
        # Lines are recognised by `lines` only, not by `add`.
        self._stream = transcriber().create_stream(update_interval=float("inf"))
        self._stream.start()
        self._texts: dict[int, str] = {}
        self._final: set[int] = set()

    def add(self, pcm: bytes) -> None:
        """Adds whole 16-bit samples."""
        samples = array.array("h", pcm)
        if sys.byteorder == "big":
            samples.byteswap()
        for start in range(0, len(samples), PIECE):
            self._stream.add_audio([sample / 32_768 for sample in samples[start : start + PIECE]], RATE)

    def lines(self) -> Iterator[dict]:
        """Yields the lines that are new or have changed."""
        return self._changed(self._stream.update_transcription())

    def end(self) -> Iterator[dict]:
        """Ends the input, and yields the last lines."""
        yield from self._changed(self._stream.stop(), ended=True)
        self._stream.close()

    def _changed(self, transcript, ended: bool = False) -> Iterator[dict]:
        for line in transcript.lines:
            is_final, text = line.is_complete or ended, line.text.strip()
            known = self._texts.get(line.line_id)
            if not text or line.line_id in self._final or (known == text and not is_final):
                continue
            self._texts[line.line_id] = text
            if is_final:
                self._final.add(line.line_id)
            start, end = line.start_time, line.start_time + line.duration
            yield {"startMs": round(start * 1_000), "endMs": round(end * 1_000), "text": text, "isFinal": is_final}


def recognised(pcm: bytes) -> list[dict]:
    """Returns the final lines of a recording. Raises `Absent`."""
    size = 2 * LONG_INTERVAL
    lines = lines_of(pcm[at : at + size] for at in range(0, len(pcm), size))
    return [line for line in lines if line["isFinal"]]


def lines_of(pieces: Iterable[bytes]) -> Iterator[dict]:
    """Yields the lines of a recording after each piece of it. Raises `Absent`."""
    recogniser = Recogniser()
    for piece in pieces:
        recogniser.add(piece)
        yield from recogniser.lines()
    yield from recogniser.end()


def pieces_of(file) -> Iterator[bytes]:
    """Yields what arrives in a pipe, in whole samples: an interval, or a long one if more is waiting."""
    collected = b""
    while read := os.read(file.fileno(), 65_536):
        collected += read
        is_more_waiting = bool(select.select([file], [], [], 0)[0])
        if len(collected) >= 2 * (LONG_INTERVAL if is_more_waiting else INTERVAL):
            whole = len(collected) - len(collected) % 2
            yield collected[:whole]
            collected = collected[whole:]
    yield collected[: len(collected) - len(collected) % 2]


def exit_with(code: int) -> NoReturn:
    """Ends the process at once: the library may crash while Python frees its objects."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def main() -> int:
    # The library may print: only lines of JSON belong on standard output.
    output = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    try:
        for line in lines_of(pieces_of(sys.stdin.buffer)):
            print(json.dumps(line), file=output, flush=True)
    except Absent as absent:
        print(absent, file=sys.stderr)
        return EXIT_ABSENT
    except BrokenPipeError:
        return 1
    return 0


if __name__ == "__main__":
    exit_with(main())
