"""Runs the commands of the documents as printed, in the order of each page, against a local cloud.

Every ```sh block runs unless an HTML comment in front of it says otherwise:

    <!-- needs: aws -->             it needs an AWS account: not run
    <!-- needs: NAME cli -->        it needs the command NAME: not run without it
    <!-- runs: ci|bench|by hand --> it takes long and is run elsewhere, or by hand: not run
    <!-- runs: until TEXT -->       it does not end: it must print TEXT within a minute, and is stopped

`commands.py [DOCUMENT…]` runs all documents, or some. A page is one bash, so variables stay. The
result is in target/documents/commands.json.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Iterator, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
BIN = ROOT / os.environ.get("BIN", "target/debug")
PORT = 7878
DOCUMENTS = ["README.md", "docs/*.md", "crates/*/README.md", "examples/*/README.md", "CONTRIBUTING.md"]
BLOCK = re.compile(r"^( *)```sh\n(.*?)^ *```$", re.M | re.S)
MARKER = re.compile(r"<!-- (needs|runs): (.+?) -->\s*$")
# Seconds for a command, and for the text of one that does not end.
TIMEOUT, UNTIL = 180, 60
# The shell of a page. It reads a file name a line, and answers with the exit code of that file.
SHELL = "set -o pipefail; while read -r file <&{0}; do . $file >$file.out 2>&1 </dev/null; echo $? >&{1}; done"


class Command(NamedTuple):
    document: str
    line: int
    text: str
    skip: str | None
    until: str | None


def complete(text: str) -> bool:
    """Returns whether bash would run the text instead of reading more."""
    check = subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True)
    return not text.endswith("\\") and check.returncode == 0


def commands(document: Path) -> Iterator[Command]:
    """Yields the commands of a document."""
    page = document.read_text(encoding="utf-8")
    for block in BLOCK.finditer(page):
        skip = until = None
        if marker := MARKER.search(page[: block.start()]):
            kind, value = marker.groups()
            tool = value.removesuffix(" cli")
            if kind == "runs":
                until = value.removeprefix("until ") if value.startswith("until ") else None
                skip = None if until else f"runs: {value}"
            elif tool == value or shutil.which(tool) is None:
                skip = f"needs: {value}"
        text, first = "", page.count("\n", 0, block.start()) + 2
        for number, line in enumerate(block.group(2).splitlines(), first):
            text, start = (f"{text}\n{line}", start) if text else (line.strip(), number)
            if text and complete(text):
                yield Command(str(document.relative_to(ROOT)), start, text, skip, until)
                text = ""
        if text:
            sys.exit(f"{document}:{start}: this command has no end:\n{text}")


class Page:
    """The bash of one document. It is replaced after a command that does not end."""

    def __init__(self, folder: str, env: dict[str, str]):
        self.folder, self.env, self.count = folder, env, 0
        self._open()

    def _open(self) -> None:
        (there, self.files), (self.codes, back) = os.pipe(), os.pipe()
        self.bash = subprocess.Popen(["bash", "-c", SHELL.format(there, back)], cwd=ROOT, env=self.env,
                                     pass_fds=(there, back), start_new_session=True)
        os.close(there)
        os.close(back)
        os.set_blocking(self.codes, False)

    def run(self, command: Command) -> tuple[int, str]:
        """Runs a command, and returns its exit code and output."""
        self.count += 1
        file = Path(self.folder, f"{self.bash.pid}-{self.count}")
        out = Path(f"{file}.out")
        out.touch()
        # A command that does not end runs in a process group of its own, which is then ended.
        job = f"set -m\n{{ {command.text}\n}} &\necho $! >{file}.pid\nset +m\n" if command.until else command.text
        file.write_text(job + "\n")
        os.write(self.files, f"{file}\n".encode())
        code = wait(TIMEOUT, self._code)
        if command.until and code == 0:
            code = 0 if wait(UNTIL, lambda: command.until in out.read_text(errors="replace") or None) else 124
            self._end(int(Path(f"{file}.pid").read_text()))
        if code is None:
            self.close()
            self._open()
        return 124 if code is None else code, out.read_text(errors="replace")

    def _code(self) -> int | None:
        try:
            return int(os.read(self.codes, 16) or b"126")
        except BlockingIOError:
            return None

    @staticmethod
    def _end(group: int) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(group, number)
                time.sleep(1)
            except ProcessLookupError:
                return

    def close(self) -> None:
        os.close(self.files)
        os.close(self.codes)
        # Without files to read it ends, unless a command still runs.
        if wait(1, self.bash.poll) is None:
            self._end(self.bash.pid)
        self.bash.wait()


def wait(seconds: float, look):
    """Returns the first result of `look` that is not None, or None after that time."""
    deadline = time.monotonic() + seconds
    while (found := look()) is None and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def start(data: str) -> subprocess.Popen:
    """Starts the local cloud on the port that the documents name, and waits until it is ready."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", PORT)) == 0:
            sys.exit(f"port {PORT} is in use: stop the local cloud that runs there")
    cloud = subprocess.Popen([BIN / "local-cloud", "up", "--port", str(PORT), "--data", data], cwd=ROOT,
                             stdout=subprocess.PIPE, stderr=open(f"{data}/cloud.log", "w"), text=True)
    if not cloud.stdout.readline().startswith("ready "):
        sys.exit(f"the local cloud did not start:\n{Path(data, 'cloud.log').read_text()}")
    return cloud


def main() -> int:
    globs = sys.argv[1:] or DOCUMENTS
    documents = [document for glob in globs for document in sorted(ROOT.glob(glob))]
    results = []
    with tempfile.TemporaryDirectory() as data, tempfile.TemporaryDirectory() as scripts:
        cloud = start(data)
        # `make up` in a document takes a free port; curl fails if a response is an error.
        Path(scripts, ".curlrc").write_text("fail-with-body\n")
        env = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LOCAL_CLOUD"))}
        env |= {"PORT": "0", "CURL_HOME": scripts, "PATH": f"{ROOT / '.venv/bin'}{os.pathsep}{env['PATH']}"}
        try:
            for document in documents:
                page = Page(scripts, env)
                for command in commands(document):
                    place, shown = f"{command.document}:{command.line}", command.text.split("\n")[0]
                    code, out = (None, "") if command.skip else page.run(command)
                    print("skip" if command.skip else "ok" if code == 0 else f"FAILED ({code})", place, shown,
                          f"({command.skip})" if command.skip else "", flush=True)
                    if code:
                        print(out[-4000:])
                    results.append({"document": command.document, "line": command.line, "command": command.text,
                                    "rc": code, "skipped": command.skip})
                page.close()
        finally:
            cloud.send_signal(signal.SIGTERM)
            cloud.wait(timeout=30)
    report = ROOT / "target/documents/commands.json"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    ran = [result for result in results if result["rc"] is not None]
    failed = sum(result["rc"] != 0 for result in ran)
    print(f"{len(ran) - failed} of {len(ran)} commands passed, {len(results) - len(ran)} not run")
    return 1 if failed or not ran else 0


if __name__ == "__main__":
    sys.exit(main())
