"""Tests the words that `local-cloud run` ends with: those of the bundled recording, at their times.

The recording is two voices of espeak-ng that read the sentences of make-recording.sh. The test is
skipped with a message if the recogniser is not installed.
"""

import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

from words import errors, words_in

ROOT = pathlib.Path(__file__).resolve().parents[2]
LOCAL_CLOUD = ROOT / os.environ.get("BIN", "target/debug") / "local-cloud"
RECOGNISER = ROOT / "examples" / "recogniser" / "recogniser.py"
ASSETS = ROOT / "tests" / "testkit" / "assets"
SPEED = "8"
# Limits: word errors, and the distance of a line from the speaker's pace.
MAX_ERRORS = 0.10
MAX_JITTER_MS = 50


def spoken() -> list[str]:
    """Returns the words of the recording."""
    script = (ASSETS / "make-recording.sh").read_text(encoding="utf-8")
    return words_in(" ".join(re.findall(r'^say \S+ \d+ "(.*)"$', script, re.M)))


def run(report: pathlib.Path) -> dict:
    """Runs one session and returns its report."""
    recogniser = shlex.join([sys.executable, str(RECOGNISER)])
    command = [LOCAL_CLOUD, "run", "--speed", SPEED, "--recogniser", recogniser, "--report", report]
    environment = {name: value for name, value in os.environ.items() if name != "LOCAL_CLOUD_URL"}
    subprocess.run(command, check=True, cwd=ROOT, env=environment)
    return json.loads(report.read_text(encoding="utf-8"))


def faults(report: dict) -> list[str]:
    """Returns what is wrong with the words of a report."""
    words, length_ms = report["words"], report["samplesDelivered"] / 16
    lines, expected = words["lines"], spoken()
    found = words_in(" ".join(line["text"] for line in lines))
    rate = errors(expected, found) / len(expected)
    print(f"{len(lines)} lines, {len(expected)} words spoken, {rate:.1%} wrong")
    starts, ends = [line["startMs"] for line in lines], [line["endMs"] for line in lines]
    beginnings = [line["spokenAt"] - line["startMs"] for line in lines] or [0]
    return [text for text, is_wrong in {
        f"state {words['state']}: {words['reason']}": words["state"] != "ended",
        f"{words['missedMs']} ms were left out": words["missedMs"] != 0,
        f"{rate:.1%} of the words are wrong, at most {MAX_ERRORS:.0%} may be": rate > MAX_ERRORS,
        f"{len(lines)} lines": not 4 <= len(lines) <= 40,
        f"times are not in order: {starts}, {ends}": starts != sorted(starts) or ends != sorted(ends),
        f"the words end after the session of {length_ms} ms: {ends}": max(ends, default=0) > length_ms + 1,
        f"the beginning differs by line: {beginnings}": max(beginnings) - min(beginnings) > MAX_JITTER_MS,
        "a line is not final": not all(line["isFinal"] for line in lines),
    }.items() if is_wrong]


def main() -> int:
    probe = subprocess.run([sys.executable, RECOGNISER], input=b"", capture_output=True)
    if probe.returncode == os.EX_UNAVAILABLE:
        print(f"skipped: {probe.stderr.decode().strip()}")
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        wrong = faults(run(pathlib.Path(scratch) / "report.json"))
    print(*(f"FAILED: {text}" for text in wrong), sep="\n", end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
