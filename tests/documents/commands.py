"""Runs the commands of the documents as printed, in the order of each page, against a local cloud.

Every ```sh block runs unless an HTML comment in front of it says otherwise:

    <!-- needs: aws -->             it needs an AWS account: not run
    <!-- needs: aws cli v2 -->      it needs version 2 of the AWS CLI: not run with another one
    <!-- needs: NAME cli -->        it needs the command NAME: not run without it
    <!-- runs: ci|bench|by hand --> it takes long and is run elsewhere, or by hand: not run
    <!-- runs: until TEXT -->       it does not end: it must print TEXT within a minute, and is stopped

`commands.py [DOCUMENT…]` runs all documents, or some, or those of an operator (`--operations`). A page
is one bash, so variables stay. `aws` is the one of target/aws-cli (tests/documents/requirements.txt)
if that is installed, and always calls the local cloud. The pages of an operator find the values that
they name: `ID`, a session with speech that runs, `TOKEN`, its speaker's token, and `URL`, the API.

The results are in target/documents/commands.json, those of an operator's pages also in
target/operate/commands.json.
"""

import functools
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
import urllib.request
from pathlib import Path
from typing import Iterator, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
BIN = ROOT / os.environ.get("BIN", "target/debug")
PORT = 7878
DOCUMENTS = ["README.md", "docs/*.md", "crates/*/README.md", "examples/*/README.md", "CONTRIBUTING.md"]
# Where an operator looks up a command.
OPERATIONS = ["docs/operations.md", "docs/testing.md", "docs/testing-guide.md", "docs/troubleshooting.md",
              "docs/cost.md"]
MEDIA = ROOT / "tests/testkit/assets/two-voices.mka"
AWS_CLI = ROOT / "target/aws-cli/bin"
BLOCK = re.compile(r"^( *)```sh\n(.*?)^ *```$", re.M | re.S)
# The comments right in front of a block.
MARKERS = re.compile(r"(?:<!-- (?:needs|runs): .+? -->\s*)+$")
MARKER = re.compile(r"<!-- (needs|runs): (.+?) -->")
# The Python of .venv has the packages of the examples.
PATH = os.pathsep.join([str(ROOT / ".venv/bin"), str(AWS_CLI), str(BIN), os.environ["PATH"]])
# Seconds for a command, and for the text of one that does not end.
TIMEOUT, UNTIL = 180, 60
# The shell of a page. It reads a file name a line, and answers with the exit code of that file.
SHELL = "set -o pipefail; aws() {{ command aws --endpoint-url $ENDPOINT \"$@\"; }}; while read -r file <&{0}; do . $file >$file.out 2>&1 </dev/null; echo $? >&{1}; done"


class Command(NamedTuple):
    document: str
    line: int
    text: str
    skip: str | None
    until: str | None


@functools.cache
def is_there(needed: str) -> bool:
    """Returns whether a command `NAME cli` is there, or version 2 of the AWS CLI."""
    name, _, rest = needed.partition(" cli")
    if name == needed or shutil.which(name, path=PATH) is None:
        return False
    if rest != " v2":
        return True
    version = subprocess.run(["aws", "--version"], env=os.environ | {"PATH": PATH}, capture_output=True, text=True)
    return version.stdout.startswith("aws-cli/2")


def complete(text: str) -> bool:
    """Returns whether bash would run the text instead of reading more."""
    check = subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True)
    return not text.endswith("\\") and check.returncode == 0


def commands(document: Path) -> Iterator[Command]:
    """Yields the commands of a document."""
    page = document.read_text(encoding="utf-8")
    for block in BLOCK.finditer(page):
        skip = until = None
        markers = MARKERS.search(page[: block.start()])
        for kind, value in MARKER.findall(markers[0]) if markers else []:
            if value.startswith("until "):
                until = value.removeprefix("until ")
            elif kind == "runs" or not is_there(value):
                skip = f"{kind}: {value}"
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


def session_with_speech(env: dict[str, str]) -> dict[str, str]:
    """Opens a session, sends speech to it, and returns the values that an operator's pages name."""
    local_cloud, url = BIN / "local-cloud", f"http://127.0.0.1:{PORT}"
    token = subprocess.check_output([local_cloud, "token", "--sub", "ana"], env=env, text=True).strip()
    request = urllib.request.Request(f"{url}/sessions", b'{"sourceLanguage": "en"}', {
        "Authorization": f"Bearer {token}", "Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        session = json.load(answer)["sessionId"]
    subprocess.check_call([local_cloud, "speak", session, MEDIA, "--speed", "20"], env=env, stdout=subprocess.DEVNULL)
    return {"ID": session, "TOKEN": token, "URL": url}


def send_letters(env: dict[str, str], session: str) -> None:
    """Puts a letter into each dead-letter queue, about this session."""
    event = json.loads((ROOT / "events/kvs-stream-consumer.start.json").read_text()) | {"sessionId": session}
    function = "arn:aws:lambda:us-east-1:000000000000:function:kvs-stream-consumer-dev:$LATEST"
    failure = {"requestContext": {"functionArn": function, "condition": "RetriesExhausted"},
               "requestPayload": event, "responsePayload": {"errorType": "Store", "errorMessage": "no answer"}}
    payload = json.loads((ROOT / "events/audio-processor.process.json").read_text()) | {"sessionId": session}
    chunk = {name: payload[name] for name in ("sessionId", "streamArn", "startSample", "sampleCount")}
    chunk |= {"fragmentNumber": None, "reason": "too loud", "payload": payload}
    for queue, letter in (("session-events-dlq-dev", failure), ("chunk-dlq-dev", chunk)):
        body = json.dumps({"QueueUrl": f"{env['ENDPOINT']}/000000000000/{queue}", "MessageBody": json.dumps(letter)})
        request = urllib.request.Request(env["ENDPOINT"], body.encode(), {
            "Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "AmazonSQS.SendMessage",
            "Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/sqs/aws4_request, "
                             "SignedHeaders=host, Signature=0"})
        urllib.request.urlopen(request).close()


def report(file: str, results: list[dict]) -> None:
    path = ROOT / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def main() -> int:
    globs = OPERATIONS if sys.argv[1:] == ["--operations"] else sys.argv[1:] or DOCUMENTS
    documents = [document for glob in globs for document in sorted(ROOT.glob(glob))]
    results = []
    with tempfile.TemporaryDirectory() as data, tempfile.TemporaryDirectory() as scripts:
        cloud = start(data)
        # `make up` in a document takes a free port; curl fails if a response is an error.
        Path(scripts, ".curlrc").write_text("fail-with-body\n")
        env = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LOCAL_CLOUD"))}
        # The credentials and the region are the local cloud's, also for a command that names none.
        env |= {"PORT": "0", "CURL_HOME": scripts, "PATH": PATH, "TMPDIR": scripts, "ENDPOINT": f"http://127.0.0.1:{PORT}",
                "AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        try:
            for document in documents:
                values = {}
                if str(document.relative_to(ROOT)) in OPERATIONS:
                    values = session_with_speech(env) | {"AWS_ENDPOINT_URL": env["ENDPOINT"]}
                    send_letters(env, values["ID"])
                page = Page(scripts, env | values)
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
    report("target/documents/commands.json", results)
    report("target/operate/commands.json", [
        {name: result[name] for name in ("document", "line", "command", "rc")}
        for result in results if result["document"] in OPERATIONS])
    ran = [result for result in results if result["rc"] is not None]
    failed = sum(result["rc"] != 0 for result in ran)
    print(f"{len(ran) - failed} of {len(ran)} commands passed, {len(results) - len(ran)} not run")
    return 1 if failed or not ran else 0


if __name__ == "__main__":
    sys.exit(main())
