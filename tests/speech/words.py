"""Prints the recognised words of WAV files: `words.py FILE.wav…`, 16 kHz, 16-bit, mono.

One JSON object a line: `{"startMs": 480, "endMs": 2270, "text": "Good morning.", "isFinal": true}`,
with `"file"` if there is more than one. Exits with 69 if the recogniser is not installed.
"""

import json
import pathlib
import sys
import wave

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "examples" / "recogniser"))

from recogniser import EXIT_ABSENT, RATE, Absent, exit_with, recognised  # noqa: E402


def pcm_of(path: pathlib.Path) -> bytes:
    """Returns the samples of a WAV file."""
    with wave.open(str(path)) as file:
        found = (file.getframerate(), file.getnchannels(), file.getsampwidth())
        if found != (RATE, 1, 2):
            sys.exit(f"{path}: {found[0]} Hz, {found[1]} channels, {8 * found[2]} bits; expected {RATE} Hz, 1, 16")
        return file.readframes(file.getnframes())


def main() -> int:
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    try:
        for path in sys.argv[1:]:
            for line in recognised(pcm_of(pathlib.Path(path))):
                print(json.dumps(line if len(sys.argv) == 2 else {"file": path, **line}), flush=True)
    except Absent as absent:
        print(absent, file=sys.stderr)
        return EXIT_ABSENT
    return 0


if __name__ == "__main__":
    exit_with(main())
