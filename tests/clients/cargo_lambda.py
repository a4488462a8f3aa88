"""Invokes each function with each file of events/ through `cargo lambda invoke`.

The samples name a session that does not exist here, so some responses are typed errors of the
function, which are checked as well.
"""

import os
import pathlib
import subprocess
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
URL = urllib.parse.urlparse(os.environ["LOCAL_CLOUD_URL"])

# A text in the response to each sample.
ANSWERS = {
    # First, while the session is unknown: there is nothing to continue.
    "kvs-stream-consumer.continue": '"outcome":"ended"',
    "session-http-handler.create": '"statusCode":201',
    "session-http-handler.patch": '"statusCode":404',
    "session-http-handler.delete": '"statusCode":404',
    "session-http-handler.get": '"statusCode":404',
    "session-http-handler.health": '"statusCode":200',
    "kvs-stream-consumer.health-check": '"activeStreams"',
    "kvs-stream-consumer.session-active": "StreamUnknown",
    "kvs-stream-consumer.session-ended": "StreamUnknown",
    "kvs-stream-consumer.start": "SessionUnknown",
    "kvs-stream-consumer.stop": "SessionUnknown",
    "audio-processor.process": '"accepted":true',
}


def invoke(file: pathlib.Path) -> str:
    """Returns the output of cargo-lambda for this file, without white space."""
    function = file.name.split(".")[0]
    done = subprocess.run(
        ["cargo", "lambda", "invoke", "-A", URL.hostname, "-P", str(URL.port), function,
         "--data-file", file],
        cwd=ROOT, text=True, capture_output=True, timeout=120,
    )
    return "".join((done.stdout + done.stderr).split()).replace("\\", "")


def main() -> None:
    samples = {file.stem: file for file in (ROOT / "events").glob("*.*.json")
               if file.name.split(".")[0] in ("session-http-handler", "kvs-stream-consumer", "audio-processor")}
    assert samples.keys() == ANSWERS.keys(), samples.keys() ^ ANSWERS.keys()
    wrong = []
    for name, wanted in ANSWERS.items():
        answer = invoke(samples[name])
        if wanted not in answer:
            wrong.append(f"{name}: no {wanted} in {answer}")
    assert not wrong, "\n".join(wrong)


if __name__ == "__main__":
    main()
