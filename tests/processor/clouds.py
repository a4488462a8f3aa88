"""Local clouds for the tests: with the reference processor, or with examples/processor-python."""

import json
import os
import pathlib
import signal
import subprocess
import tempfile

import boto3
import botocore.config

ROOT = pathlib.Path(__file__).resolve().parents[2]
CLOUD = ROOT / os.environ.get("BIN", "target/debug") / "local-cloud"
EXAMPLE = ROOT / "examples" / "processor-python"


class Cloud:
    """A running `local-cloud up`. `processor` is the program that it runs as the audio processor;
    `None`: the reference processor."""

    def __init__(self, processor: pathlib.Path | None = None) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self._folder.name)
        own = ["--processor", processor] if processor else []
        with (self.folder / "cloud.log").open("w") as log:
            self._process = subprocess.Popen(
                [CLOUD, "up", "--port", "0", "--data", self.folder / "data", "--time-scale", "20", *own],
                cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True,
            )
        ready = next((line for line in self._process.stdout if line.startswith("ready ")), None)
        assert ready, (self.folder / "cloud.log").read_text()
        self.url = ready.split()[1]
        self._lambda, self._dynamodb = self._client("lambda"), self._client("dynamodb")

    def _client(self, service: str):
        config = botocore.config.Config(retries={"total_max_attempts": 1}, read_timeout=60)
        return boto3.client(service, endpoint_url=self.url, region_name="us-east-1", config=config,
                            aws_access_key_id="test", aws_secret_access_key="test")

    def invoke(self, payload: object) -> dict:
        """Invokes the processor. Returns `{"answer": …}`, or `{"errorType": …, "errorMessage": …}`."""
        response = self._lambda.invoke(FunctionName="audio-processor-dev", Payload=json.dumps(payload))
        body = json.load(response["Payload"])
        if "FunctionError" not in response:
            return {"answer": body}
        return {"errorType": body["errorType"], "errorMessage": body["errorMessage"]}

    def watermark(self, session: str) -> dict | None:
        """Returns the session's item of table Processed, without its expiry."""
        item = self._dynamodb.get_item(TableName="Processed-dev", Key={"sessionId": {"S": session}})
        item = item.get("Item", {})
        return {name: int(item[name]["N"]) for name in ("nextSample", "epoch")} if item else None

    def log(self, function: str) -> str:
        """Returns what the function has logged."""
        return (self.folder / "data" / "logs" / f"{function}.log").read_text()

    def close(self) -> None:
        """Stops the cloud and deletes its data."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(timeout=30)
        self._process.stdout.close()
        self._folder.cleanup()
