"""Tests the decoded audio with a speech recogniser.

The sentences of the sample media are encoded to Opus and AAC, decoded by `examples/decode`, and
recognised. The word error rate may be at most 5 points higher than on the original recording, where
it is at most 6 %. The test is skipped with a message if the sample media (SHARED_MEDIA, or
../shared/media) or the recogniser are absent.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

import imageio_ffmpeg

from words import Absent, errors, exit_with, pcm_of, recognised, words_in

ROOT = pathlib.Path(__file__).resolve().parents[2]
DECODE = ROOT / os.environ.get("BIN", "target/debug") / "examples" / "decode"
MEDIA = pathlib.Path(os.environ.get("SHARED_MEDIA", ROOT.parent / "shared" / "media")) / "speech"
MAX_INCREASE = 0.05
MAX_RATE = 0.06

# The encodings: options of FFmpeg.
ENCODINGS = {
    "Opus 32 kb/s": ["-c:a", "libopus", "-b:a", "32k", "-application", "voip"],
    "Opus 16 kb/s": ["-c:a", "libopus", "-b:a", "16k", "-application", "voip"],
    "AAC 48 kHz stereo 96 kb/s": ["-c:a", "aac", "-b:a", "96k", "-ar", "48000", "-ac", "2"],
    "AAC 44.1 kHz mono 64 kb/s": ["-c:a", "aac", "-b:a", "64k", "-ar", "44100"],
}


def sentences() -> list[tuple[pathlib.Path, list[str]]]:
    """Returns each recording and its transcript."""
    lines = (MEDIA / "transcription.txt").read_text().splitlines()
    matches = (re.fullmatch(r"<s> (.*) </s> \((.*)\)", line.strip()) for line in lines)
    return [(MEDIA / f"{match[2]}.wav", words_in(match[1])) for match in matches if match]


def delivered(path: pathlib.Path, options: list[str], scratch: str) -> bytes:
    """Returns the sentence after encoding, Matroska and decoding."""
    encoded = pathlib.Path(scratch) / "spoken.mka"
    ffmpeg = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", "-i", path, *options, encoded]
    subprocess.run(ffmpeg, check=True)
    return subprocess.run([DECODE, encoded], check=True, capture_output=True).stdout


def rate(take) -> float:
    """Returns the word error rate over all sentences; `take` returns the PCM of a recording."""
    wrong = total = 0
    for path, words in sentences():
        text = " ".join(line["text"] for line in recognised(take(path)))
        wrong += errors(words, words_in(text))
        total += len(words)
    return wrong / total


def main() -> int:
    if not MEDIA.exists():
        print(f"skipped: sample media {MEDIA} is absent (set SHARED_MEDIA)")
        return 0
    try:
        before = rate(pcm_of)
    except Absent as absent:
        print(f"skipped: {absent}")
        return 0
    failed = before > MAX_RATE
    outcome = "FAILED" if failed else "ok"
    print(f"{outcome}: original recordings: {before:.1%}, at most {MAX_RATE:.0%}")
    with tempfile.TemporaryDirectory() as scratch:
        for encoding, options in ENCODINGS.items():
            after = rate(lambda path: delivered(path, options, scratch))
            good = after - before <= MAX_INCREASE
            failed += not good
            outcome = "ok" if good else "FAILED"
            print(f"{outcome}: {encoding}: {after:.1%}, at most {MAX_INCREASE:.0%} more")
    return 1 if failed else 0


if __name__ == "__main__":
    exit_with(main())
