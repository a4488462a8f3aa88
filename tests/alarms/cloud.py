"""A local cloud for one group of scenarios: its faults, its sessions, and its alarms as boto3 sees
them."""

from __future__ import annotations

import datetime
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

import boto3
import botocore.config

ROOT = pathlib.Path(__file__).resolve().parents[2]
LOCAL_CLOUD = ROOT / os.environ.get("BIN", "target/debug") / "local-cloud"
RECORDING = ROOT / "tests" / "testkit" / "assets" / "two-voices.mka"
# The longest wait for anything, in real seconds: a busy machine is slow, a wrong state is for ever.
STEP_TIMEOUT = 400
CONSUMER = "kvs-stream-consumer"


def eventually(what: str, found, limit: float = STEP_TIMEOUT):
    """Returns the first true result of `found`, which is called until then."""
    end = time.monotonic() + limit
    while not (result := found()):
        assert time.monotonic() < end, f"after {limit} s: {what}"
        time.sleep(0.1)
    return result


class Cloud:
    """A running `local-cloud up`."""

    def __init__(self, name: str, scale: int, arguments: tuple[str, ...] = (), **parameters: object) -> None:
        self.name, self.scale = name, scale
        self._folder = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self._folder.name)
        # No scenario depends on the end of sessions without audio.
        parameters = {"SessionIdleMinutes": 1440} | parameters
        flags = [word for key, value in parameters.items() for word in ("--parameter", f"{key}={value}")]
        with (self.folder / "cloud.log").open("w") as log:
            self._process = subprocess.Popen(
                [LOCAL_CLOUD, "up", "--port", "0", "--data", self.folder / "data", "--time-scale", str(scale), *arguments,
                 *flags],
                cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True)
        ready = next((line for line in self._process.stdout if line.startswith("ready ")), None)
        assert ready, (self.folder / "cloud.log").read_text()
        self.url = ready.split()[1]
        self._session = boto3.Session("test", "test", region_name="us-east-1")
        self.cloudwatch, self.events, self.sqs, self.dynamodb = map(
            self.client, ("cloudwatch", "events", "sqs", "dynamodb"))

    def settle(self) -> None:
        """Waits until all alarms are OK: that on the health check is raised until the first one."""
        eventually(f"{self.name}: all alarms are OK", lambda: self.states() == {"OK"})

    def client(self, service: str):
        """Returns an unmodified client of a service."""
        config = botocore.config.Config(retries={"total_max_attempts": 3}, read_timeout=60)
        return self._session.client(service, endpoint_url=self.url, config=config)

    def close(self) -> None:
        """Stops the cloud and deletes its data."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(timeout=60)
        self._process.stdout.close()
        self._folder.cleanup()

    def request(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, dict]:
        """Sends a request; returns the status and the JSON of the answer."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"content-type": "application/json"} | headers,
                                         method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return answer.status, json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"{}")

    def now(self) -> datetime.datetime:
        """Returns the time of the cloud's clock."""
        return datetime.datetime.fromisoformat(self.request("GET", "/_local/state")[1]["time"])

    def fault(self, service: str, operation: str, **settings: object) -> None:
        """Injects a fault."""
        fault = {"service": service, "operation": operation} | settings
        status, answer = self.request("POST", "/_local/faults", fault)
        assert status == 201, answer

    def remove_faults(self, service: str, operation: str, target: str = "") -> None:
        """Removes the faults of an operation."""
        query = f"service={service}&operation={operation}" + (f"&target={target}" if target else "")
        self.request("DELETE", f"/_local/faults?{query}")

    def post(self, speaker: str = "ana") -> tuple[int, dict]:
        """Sends POST /sessions."""
        token = self.request("POST", "/_local/token", {"sub": speaker})[1]["token"]
        return self.request("POST", "/sessions", {"sourceLanguage": "en"}, authorization=f"Bearer {token}")

    def open(self, speaker: str = "ana") -> str:
        """Opens a session; returns its id. On a busy machine, a request may exceed its time."""
        def opened() -> str | None:
            status, answer = self.post(speaker)
            assert status == 201 or status >= 500, answer
            return answer.get("sessionId")
        return eventually("a session is opened", opened)

    def end(self, session: str, speaker: str = "ana") -> None:
        """Ends a session."""
        def ended() -> bool:
            token = self.request("POST", "/_local/token", {"sub": speaker})[1]["token"]
            status, answer = self.request("DELETE", f"/sessions/{session}", authorization=f"Bearer {token}")
            assert status < 300 or status >= 500, answer
            return status < 300
        eventually("a session is ended", ended)

    def speak(self, session: str, speed: float = 1) -> None:
        """Sends the recording into a session."""
        subprocess.run([LOCAL_CLOUD, "--url", self.url, "speak", session, RECORDING, "--speed", str(speed)],
                       cwd=ROOT, capture_output=True, check=True)

    def put_media(self, session: str, body: bytes) -> None:
        """Sends a Matroska file as it is into a session, at once. The cloud reads the service's name
        from the signature and does not check it."""
        scope = "test/20260101/us-east-1/kinesisvideo/aws4_request"
        request = urllib.request.Request(self.url + "/putMedia", body, {
            "authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
            "x-amzn-stream-name": f"session-{session}",
            "x-amzn-fragment-timecode-type": "RELATIVE",
            "x-amzn-producer-start-timestamp": str(time.time()),
        })
        with urllib.request.urlopen(request, timeout=120) as answer:
            acknowledgements = answer.read()
        assert b'"ERROR"' not in acknowledgements, acknowledgements

    def delivered(self, session: str) -> int:
        """Returns how many samples the processor has accepted."""
        return self.request("GET", f"/_local/deliveries/{session}")[1].get("samplesDelivered", 0)

    def letters(self, queue: str) -> int:
        """Returns how many messages a queue has."""
        url = self.sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        name = "ApproximateNumberOfMessages"
        return int(self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name])

    def purge(self, queue: str) -> None:
        """Deletes the messages of a queue."""
        self.sqs.purge_queue(QueueUrl=self.sqs.get_queue_url(QueueName=queue)["QueueUrl"])

    def states(self) -> set[str]:
        """Returns the states in which alarms are."""
        found = self.cloudwatch.describe_alarms(AlarmTypes=["MetricAlarm", "CompositeAlarm"])
        return {it["StateValue"] for kind in ("MetricAlarms", "CompositeAlarms") for it in found[kind]}

    def is_ok(self, alarm: str) -> bool:
        """Returns whether an alarm is in the state OK."""
        found = self.cloudwatch.describe_alarms(AlarmNames=[f"{alarm}-dev"], StateValue="OK",
                                                AlarmTypes=["MetricAlarm", "CompositeAlarm"])
        return bool(found["MetricAlarms"] + found["CompositeAlarms"])

    def changes(self, alarm: str, state: str, since: datetime.datetime) -> list[datetime.datetime]:
        """Returns when an alarm changed to a state, oldest first."""
        found = self.cloudwatch.describe_alarm_history(
            AlarmName=f"{alarm}-dev", HistoryItemType="StateUpdate", StartDate=since, ScanBy="TimestampAscending")
        return [it["Timestamp"] for it in found["AlarmHistoryItems"] if it["HistorySummary"].endswith(f"to {state}")]


class Speech:
    """The recording again and again, at its own pace, until the block ends."""

    def __init__(self, cloud: Cloud, session: str) -> None:
        self._cloud, self._session, self._ended = cloud, session, threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._ended.is_set():
            subprocess.run([LOCAL_CLOUD, "--url", self._cloud.url, "speak", self._session, RECORDING,
                            "--fragment-ms", "1000"], cwd=ROOT, capture_output=True, check=False)

    def __enter__(self) -> Speech:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
