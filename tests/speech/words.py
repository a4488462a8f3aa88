"""Prints the recognised words of WAV files: `words.py FILE.wav…`, 16 kHz, 16-bit, mono.

One JSON object a line: `{"startMs": 480, "endMs": 2270, "text": "Good morning.", "isFinal": true}`,
with `"file"` if there is more than one.

`words.py --spoken TEXT FILE.wav…` prints the word errors of each file instead:
`{"words": 2, "errors": 0, "text": "Good morning."}`.

Exits with 69 if the recogniser is not installed.
"""

import argparse
import json
import pathlib
import re
import sys
import wave
from collections.abc import Iterator

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "examples" / "recogniser"))

from recogniser import EXIT_ABSENT, RATE, Absent, exit_with, recognised  # noqa: E402


def pcm_of(path: pathlib.Path) -> bytes:
    """Returns the samples of a WAV file."""
    with wave.open(str(path)) as file:
        found = (file.getframerate(), file.getnchannels(), file.getsampwidth())
        if found != (RATE, 1, 2):
            form = f"{found[0]} Hz, {found[1]} channels, {8 * found[2]} bits"
            sys.exit(f"{path}: {form}; expected {RATE} Hz, 1, 16")
        return file.readframes(file.getnframes())


def words_in(text: str) -> list[str]:
    """Returns the words of a text in lower case, without punctuation."""
    return re.findall(r"[a-z0-9']+", text.lower().replace("mr.", "mister"))


def errors(spoken: list[str], hypothesis: list[str]) -> int:
    """Returns how many words are wrong, missing or additional: the edit distance in words."""
    row = list(range(len(hypothesis) + 1))
    for count, word in enumerate(spoken, 1):
        above, row[0] = row[0], count
        for at, other in enumerate(hypothesis, 1):
            above, row[at] = row[at], min(above + (word != other), row[at] + 1, row[at - 1] + 1)
    return row[-1]


def compared(spoken: str, text: str) -> dict:
    """Returns the number of spoken words and the errors of the recognised text."""
    words = words_in(spoken)
    return {"words": len(words), "errors": errors(words, words_in(text)), "text": text}


def results(files: list[pathlib.Path], spoken: str | None) -> Iterator[dict]:
    """Yields the lines of the files, or the word errors of each one. Raises `Absent`."""
    for path in files:
        lines = recognised(pcm_of(path))
        if spoken is not None:
            lines = [compared(spoken, " ".join(line["text"] for line in lines))]
        yield from lines if len(files) == 1 else ({"file": str(path), **line} for line in lines)


def main() -> int:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("files", metavar="FILE.wav", nargs="+", type=pathlib.Path)
    parser.add_argument("--spoken", metavar="TEXT", help="the spoken words, to count the errors")
    given = parser.parse_args()
    try:
        for result in results(given.files, given.spoken):
            print(json.dumps(result), flush=True)
    except Absent as absent:
        print(absent, file=sys.stderr)
        return EXIT_ABSENT
    return 0


if __name__ == "__main__":
    exit_with(main())
