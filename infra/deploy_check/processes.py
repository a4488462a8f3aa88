"""The processes of a check: started with a log each, waited for, and ended by their ids."""

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

# What any AWS SDK wants before it calls anything. It is meaningless to both clouds.
CREDENTIALS = {
    "AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
}
# Patience, in seconds: for a server to answer, for a recording to be spoken, for a process to end.
START, SPEECH, END = 60, 120, 20


class Failure(Exception):
    """What went wrong, for whoever ran the check."""


def until(what: str, seconds: float, look):
    """What `look` returns once it returns something; Failure with what it saw last otherwise."""
    end = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > end:
            raise Failure(f"gave up after {seconds:g} s waiting for {what}")
        time.sleep(0.1)
    return found


def environment(**changes: str) -> dict[str, str]:
    """This process's environment without its own ideas of AWS, and with these changes."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return kept | CREDENTIALS | changes


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Processes:
    """What was started, and is ended in reverse order however the check ends."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.running: list[subprocess.Popen] = []

    def __enter__(self) -> "Processes":
        # So that a signal ends the children too.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit("deploy-check was ended"))
        return self

    def __exit__(self, *_) -> None:
        for process in reversed(self.running):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=END)
            except subprocess.TimeoutExpired:
                self._kill_group(process)
            # Its children, if it left any: each process leads a group of its own.
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
        """Starts the cloud that plays Kinesis Video Streams; its URL."""
        if not program.exists():
            raise Failure(f"{program.relative_to(root)} is not there: make cloud")
        process = self._start("local-cloud", [program, "up", "--port", "0"], environment(), root)
        log = self.folder / "local-cloud.log"

        def ready() -> str | None:
            if process.poll() is not None:
                raise Failure(f"local-cloud ended before it served:\n{log.read_text()}")
            found = re.search(r"^ready (\S+)$", log.read_text(), re.M)
            return found and found[1]

        return until("local-cloud to serve", START, ready)

    def start_ministack(self, video: str) -> str:
        """Starts the emulator; its URL. Its functions inherit its environment, and so where video is."""
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
                raise Failure("ministack ended before it served; ministack.log says why")
            try:
                with urllib.request.urlopen(f"{url}/_ministack/ready", timeout=2) as answer:
                    return answer.status == 200
            except (urllib.error.URLError, OSError):
                return False

        until("ministack to serve", START, ready)
        return url

    def speak(self, program: pathlib.Path, root: pathlib.Path, video: str, session: str,
              recording: pathlib.Path, speed: str) -> int:
        """Speaks a recording into a session's stream; its length in samples at 16 kHz."""
        try:
            spoken = subprocess.run(
                [program, "speak", session, recording, "--speed", speed, "--url", video],
                cwd=root, env=environment(), text=True, capture_output=True, timeout=SPEECH)
        except subprocess.TimeoutExpired as late:
            raise Failure(f"local-cloud speak took more than {SPEECH} s") from late
        found = re.search(r"(\d+) samples at 16 kHz", spoken.stderr)
        if spoken.returncode or not found:
            raise Failure(f"local-cloud speak: {spoken.stderr}")
        return int(found[1])
