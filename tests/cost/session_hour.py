"""Measures what an hour of one session with speech costs, by the calls that the functions make.

    session_hour.py [--chunk-ms N…] [--seconds N] [--time-scale N]

Each chunk length has a local cloud of its own (after `make cloud`), in which one session receives speech
for `--seconds` of the cloud's time. The calls are those that `/_local/state` counts, by function and
IAM action, from the second recording on; an hour is their rate. Prices: list prices, US East, October
2026. The result is printed, and written to target/cost/session-hour.json.
"""

import argparse
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import urllib.request
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = ROOT / os.environ.get("BIN", "target/debug")
MEDIA = ROOT / "tests/testkit/assets/two-voices.mka"
CONSUMER, PROCESSOR = "KvsStreamConsumerFunction", "AudioProcessorFunction"
MEMORY_GB = 0.25
# USD: Lambda on arm64 a GB-second and a request, DynamoDB on demand a write and a read unit,
# CloudWatch Logs a GB, KVS a GB of ingest or of consumption.
GB_SECOND, REQUEST = 0.0000133334, 0.20e-6
WRITE_UNIT, READ_UNIT = 0.625e-6, 0.125e-6
LOG_GB, MEDIA_GB = 0.50, 0.0085
# The audio of WebRTC ingestion and its least video, bits a second.
MEDIA_BITS = 64_000 + 200_000
HOUR = 3600
SESSION_READS = HOUR / 5


class Cloud:
    """A local cloud with one session."""

    def __init__(self, data: str, chunk_ms: int, scale: int):
        command = [BIN / "local-cloud", "up", "--port", "0", "--data", data, "--time-scale", str(scale),
                   "--parameter", f"ChunkMillis={chunk_ms}"]
        with open(f"{data}/cloud.log", "w") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True)
        self.data, self.scale = data, scale

    def open_session(self) -> None:
        """Waits until the cloud is ready, and opens the session."""
        line = self.process.stdout.readline()
        if not line.startswith("ready "):
            sys.exit(f"the local cloud did not start:\n{Path(self.data, 'cloud.log').read_text()}")
        self.url = line.split()[1]
        self.env = os.environ | {"LOCAL_CLOUD_URL": self.url}
        token = subprocess.check_output([BIN / "local-cloud", "token", "--sub", "ana"], env=self.env, text=True).strip()
        body = self.request("/sessions", b'{"sourceLanguage": "en"}', Authorization=f"Bearer {token}")
        self.session = body["sessionId"]

    def request(self, path: str, body: bytes | None = None, **headers: str) -> dict:
        request = urllib.request.Request(self.url + path, body, {"Content-Type": "application/json"} | headers)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def speak(self) -> None:
        """Sends the recording once, in the cloud's time."""
        command = [BIN / "local-cloud", "speak", self.session, MEDIA, "--speed", str(self.scale)]
        subprocess.check_call(command, env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def counters(self) -> dict:
        """Returns the cloud's time in seconds, and what was counted until then."""
        state = self.request("/_local/state")
        logs = sum(file.stat().st_size for file in Path(self.data, "logs").iterdir())
        samples = self.request(f"/_local/deliveries/{self.session}")["samplesDelivered"]
        return {"time": datetime.fromisoformat(state["time"]).timestamp(), "calls": state["calls"],
                "logBytes": logs, "speech": samples / 16_000}

    def lease_item_bytes(self) -> int:
        """Returns the size of the session's Streams item, as DynamoDB counts it: names and values."""
        key = {"TableName": "Streams-dev", "Key": {"sessionId": {"S": self.session}}}
        item = self.request("/", json.dumps(key).encode(), **{
            "Content-Type": "application/x-amz-json-1.0", "X-Amz-Date": "20260101T000000Z", "X-Amz-Target": "DynamoDB_20120810.GetItem",
            "Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/dynamodb/aws4_request, "
                             "SignedHeaders=host, Signature=0"})["Item"]
        return sum(len(name) + len(json.dumps(value)) - len('{"S": ""}') for name, value in item.items())

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=30)


def positive(text: str) -> float:
    """Reads a number of seconds above 0."""
    if (number := float(text)) <= 0:
        raise argparse.ArgumentTypeError("must be more than 0")
    return number


def measure(chunk_ms: int, seconds: float, scale: int) -> dict:
    """Returns the calls of an hour for a chunk length."""
    with tempfile.TemporaryDirectory() as data:
        cloud = Cloud(data, chunk_ms, scale)
        try:
            cloud.open_session()
            cloud.speak()
            first = last = cloud.counters()
            while last["time"] - first["time"] < seconds:
                cloud.speak()
                last = cloud.counters()
            item = cloud.lease_item_bytes()
        finally:
            cloud.stop()
    elapsed, speech = last["time"] - first["time"], last["speech"] - first["speech"]

    def hourly(function: str, action: str, of: float) -> float:
        before, after = (it["calls"].get(function, {}).get(action, 0) for it in (first, last))
        return (after - before) * HOUR / of

    return {
        "chunkMs": chunk_ms, "seconds": round(elapsed), "speechSeconds": round(speech), "leaseItemBytes": item,
        "invocations": hourly(CONSUMER, "lambda:InvokeFunction", speech),
        # Here GetMedia delivers complete fragments, whose chunks go into one payload.
        "invocationsAtMost": HOUR * 1000 / chunk_ms,
        "leaseWrites": hourly(CONSUMER, "dynamodb:UpdateItem", elapsed),
        # Calls are counted by action; of the reads, one each 5 s is of the session's record.
        "leaseReads": hourly(CONSUMER, "dynamodb:GetItem", elapsed) - SESSION_READS,
        "sessionReads": hourly(CONSUMER, "dynamodb:Query", elapsed) + SESSION_READS,
        "watermarkWrites": hourly(PROCESSOR, "dynamodb:UpdateItem", speech),
        "watermarkReads": hourly(PROCESSOR, "dynamodb:GetItem", speech),
        "logMegabytes": (last["logBytes"] - first["logBytes"]) * HOUR / elapsed / 1e6,
    }


def cost(hour: dict) -> dict:
    """Returns the USD of an hour, without the processor's own work, if each chunk is a payload."""
    payloads = hour["invocationsAtMost"] / hour["invocations"]
    write_units = hour["leaseWrites"] * math.ceil(hour["leaseItemBytes"] / 1024)
    read_units = hour["leaseReads"] * math.ceil(hour["leaseItemBytes"] / 4096)
    usd = {
        "consumer": HOUR * MEMORY_GB * GB_SECOND,
        "invocations": payloads * hour["invocations"] * REQUEST,
        "sessions": hour["sessionReads"] * READ_UNIT,
        "leaseTable": write_units * WRITE_UNIT + read_units * READ_UNIT,
        "watermarks": payloads * (hour["watermarkWrites"] * WRITE_UNIT + hour["watermarkReads"] * READ_UNIT),
        "logs": hour["logMegabytes"] / 1e3 * LOG_GB,
        "media": 2 * MEDIA_BITS / 8 * HOUR / 1e9 * MEDIA_GB,
    }
    return usd | {"total": sum(usd.values())}


def rounded(values: dict, digits: int) -> str:
    return ", ".join(f"{name} {value:.{digits}f}" for name, value in values.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--chunk-ms", type=int, nargs="+", default=[250, 500, 1000, 2000])
    parser.add_argument("--seconds", type=positive, default=180, help="of the cloud's time")
    parser.add_argument("--time-scale", type=int, default=5)
    options = parser.parse_args()
    results = []
    for chunk_ms in options.chunk_ms:
        hour = measure(chunk_ms, options.seconds, options.time_scale)
        usd = cost(hour)
        results.append(hour | {"usd": usd})
        print(f"an hour: {rounded(hour, 0)}\n    USD: {rounded(usd, 5)}", flush=True)
    report = ROOT / "target/cost/session-hour.json"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
