"""The processes of the check: each has a log, and is ended by its id."""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

# AWS SDKs require credentials. Both emulators ignore them.
CREDENTIALS = {
    "AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
}
# Timeouts in seconds: until a server answers, a recording is sent, a process ends.
START, SPEECH, END = 60, 120, 20


class Failure(Exception):
    """A failed step, with the message for the user."""


def until(what: str, seconds: float, look):
    """Polls `look` until it returns a true value, and returns it. Raises Failure on timeout."""
    end = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > end:
            raise Failure(f"timeout after {seconds:g} s waiting until {what}")
        time.sleep(0.1)
    return found


def environment(**changes: str) -> dict[str, str]:
    """Returns this process's environment with the AWS settings of CREDENTIALS and `changes`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return kept | CREDENTIALS | changes


def free_port() -> int:
    """Returns a free port."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Processes:
    """The started processes, which are ended in reverse order when the check ends."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.running: list[subprocess.Popen] = []

    def __enter__(self) -> "Processes":
        # A signal must end the children too.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit("deploy-check was terminated"))
        return self

    def __exit__(self, *_) -> None:
        for process in reversed(self.running):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=END)
            except subprocess.TimeoutExpired:
                self._kill_group(process)
            # Remaining children: each process leads its own process group.
            self._kill_group(process)

    @staticmethod
    def _kill_group(process: subprocess.Popen) -> None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def _start(self, name: str, command: list, env: dict[str, str], cwd: pathlib.Path) -> subprocess.Popen:
        with open(self.folder / f"{name}.log", "w") as log:
            process = subprocess.Popen(
                command, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                start_new_session=True)
        self.running.append(process)
        return process

    def start_local_cloud(self, program: pathlib.Path, root: pathlib.Path) -> str:
        """Starts the emulator of Kinesis Video Streams. Returns its URL."""
        if not program.exists():
            raise Failure(f"{program.relative_to(root)} does not exist: make cloud")
        process = self._start("local-cloud", [program, "up", "--port", "0"], environment(), root)
        log = self.folder / "local-cloud.log"

        def ready() -> str | None:
            if process.poll() is not None:
                raise Failure(f"local-cloud ended before it served:\n{log.read_text()}")
            found = re.search(r"^ready (\S+)$", log.read_text(), re.M)
            return found and found[1]

        return until("local-cloud serves", START, ready)

    def start_ministack(self, video: str) -> str:
        """Starts ministack, whose functions inherit its environment. Returns its URL."""
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        temporary = self.folder / "tmp"
        temporary.mkdir(exist_ok=True)
        process = self._start("ministack", [sys.executable, "-m", "ministack"], environment(
            BIND_HOST="127.0.0.1", GATEWAY_PORT=str(port), AWS_ENDPOINT_URL=url,
            AWS_ENDPOINT_URL_KINESIS_VIDEO=video, IOT_MTLS_ENABLED="0", SFTP_ENABLED="0",
            TMPDIR=str(temporary), S3_DATA_DIR=str(temporary / "s3"),
        ), self.folder)

        def ready() -> bool:
            if process.poll() is not None:
                raise Failure("ministack ended before it served; see ministack.log")
            try:
                with urllib.request.urlopen(f"{url}/_ministack/ready", timeout=2) as answer:
                    return answer.status == 200
            except (urllib.error.URLError, OSError):
                return False

        until("ministack serves", START, ready)
        return url

    def speak(self, put_media: pathlib.Path, video: str, session: str, recording: pathlib.Path,
              speed: str) -> int:
        """Sends a recording to a session's stream. Returns its length in samples at 16 kHz."""
        stream = ["--stream", f"session-{session}", "--endpoint", video]
        try:
            spoken = subprocess.run(
                [put_media, recording, *stream, "--speed", speed],
                env=environment(), text=True, capture_output=True, timeout=SPEECH)
        except subprocess.TimeoutExpired as late:
            raise Failure(f"put-media took more than {SPEECH} s") from late
        if spoken.returncode:
            raise Failure(f"put-media: {spoken.stderr}")
        # The first line has the figures of the recording, the others are acknowledgements.
        return json.loads(spoken.stdout.splitlines()[0])["samples"]
