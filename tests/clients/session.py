"""Tests a live session with an unmodified boto3: reads its media while it is sent, scans its
tables, and checks that a malformed event is dead-lettered with its reason."""

import json
import os
import pathlib
import subprocess
import time
import urllib.request

import boto3

ROOT = pathlib.Path(__file__).resolve().parents[2]
CLOUD = ROOT / os.environ.get("BIN", "target/debug") / "local-cloud"
RECORDING = ROOT / "tests" / "testkit" / "assets" / "two-voices.mka"
URL = os.environ["LOCAL_CLOUD_URL"]


def http(method: str, path: str, token: str, body: dict | None = None) -> tuple[int, dict]:
    """Sends a request to the HTTP API."""
    request = urllib.request.Request(
        URL + path, method=method, data=json.dumps(body).encode() if body else None,
        headers={"authorization": f"Bearer {token}", "content-type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        text = answer.read()
        return answer.status, json.loads(text) if text else {}


def until(what: str, look, seconds: float = 60):
    """Polls `look` until it returns something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.1)
    raise SystemExit(f"timed out waiting for {what}")


def watch_media(stream: str) -> None:
    """Reads GetMedia from the start until a fragment is complete."""
    video = boto3.client("kinesisvideo")
    endpoint = video.get_data_endpoint(StreamName=stream, APIName="GET_MEDIA")["DataEndpoint"]
    media = boto3.client("kinesis-video-media", endpoint_url=endpoint)
    answer = media.get_media(StreamName=stream, StartSelector={"StartSelectorType": "EARLIEST"})
    body = b""
    while b"AWS_KINESISVIDEO_CONTINUATION_TOKEN" not in body:
        chunk = answer["Payload"].read(1024)
        assert chunk, f"the stream ended after {len(body)} bytes without a complete fragment"
        body += chunk
    for needed in (b"\x1aE\xdf\xa3", b"A_OPUS", b"AWS_KINESISVIDEO_FRAGMENT_NUMBER"):
        assert needed in body, needed
    answer["Payload"].close()


def dead_letter() -> None:
    """Checks that an invalid event reaches the dead-letter queue as Lambda's OnFailure record."""
    functions = boto3.client("lambda")
    answer = functions.invoke(
        FunctionName="kvs-stream-consumer-dev", InvocationType="Event",
        Payload=json.dumps({"detail-type": "Session Status Change", "source": "session-management",
                            "detail": {"sessionId": "Not An Id", "status": "ACTIVE"}}),
    )
    assert answer["StatusCode"] == 202
    queues = boto3.client("sqs")
    queue = queues.get_queue_url(QueueName="session-events-dlq-dev")["QueueUrl"]
    messages = until("the dead letter", lambda: queues.receive_message(
        QueueUrl=queue, WaitTimeSeconds=1).get("Messages"), 90)
    record = json.loads(messages[0]["Body"])
    assert record["requestContext"]["condition"] == "RetriesExhausted", record
    assert "sessionId" in json.dumps(record["responsePayload"]), record
    queues.delete_message(QueueUrl=queue, ReceiptHandle=messages[0]["ReceiptHandle"])


def main() -> None:
    token = subprocess.check_output([CLOUD, "token", "--sub", "ana"], text=True).strip()
    status, session = http("POST", "/sessions", token, {"sourceLanguage": "en"})
    assert status == 201, session
    speaker = subprocess.Popen([CLOUD, "speak", session["sessionId"], RECORDING, "--speed", "20"])
    watch_media(session["kvsStreamName"])
    assert speaker.wait(timeout=60) == 0
    status, _ = http("DELETE", f"/sessions/{session['sessionId']}", token)
    assert status == 204

    tables = boto3.resource("dynamodb")
    key = {"sessionId": session["sessionId"]}
    until("the drain", lambda: tables.Table("Streams-dev").get_item(Key=key)
          .get("Item", {}).get("status") == "ENDED")
    for name in ("Sessions-dev", "Streams-dev", "Processed-dev"):
        ids = [item["sessionId"] for item in tables.Table(name).scan()["Items"]]
        assert session["sessionId"] in ids, (name, ids)
    dead_letter()


if __name__ == "__main__":
    main()
