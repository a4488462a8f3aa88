"""bootstrap: answers, errors and a failed start reach the Runtime API."""

import http.server
import json
import os
import queue
import subprocess
import sys
import threading
import unittest

from clouds import EXAMPLE
from payloads import SAMPLE

API = "/2018-06-01/runtime"


class RuntimeApi(http.server.ThreadingHTTPServer):
    """Gives each of `events` to the function, and puts what it posts into `posted`."""

    daemon_threads = True

    def __init__(self, events: list) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.events, self.posted = list(events), queue.Queue()
        self.stopped = threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request: object, client_address: object) -> None:
        """Reports an error, unless the function closed its connection."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Request(http.server.BaseHTTPRequestHandler):
    """One request of the function."""

    def do_GET(self):
        if not self.server.events:
            self.server.stopped.wait()
            return
        self.answer(200, self.server.events.pop(0))

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.posted.put((self.path, body, self.headers["lambda-runtime-function-error-type"]))
        self.answer(202, {"status": "OK"})

    def answer(self, status: int, body: object) -> None:
        """Sends a response."""
        self.send_response(status)
        self.send_header("lambda-runtime-aws-request-id", "request-1")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_):
        pass


class Bootstrap(unittest.TestCase):
    """The program, with a Runtime API of the test."""

    def run_with(self, events: list, **environment: str) -> tuple[RuntimeApi, subprocess.Popen]:
        """Starts the program."""
        api = RuntimeApi(events)
        environment |= {
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{api.server_port}", "PATH": os.environ["PATH"],
            "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test", "PYTHONDONTWRITEBYTECODE": "1",
        }
        process = subprocess.Popen([sys.executable, EXAMPLE / "bootstrap"], env=environment,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.addCleanup(lambda: (process.kill(), process.communicate(), api.stopped.set(), api.shutdown(),
                                 api.server_close()))
        return api, process

    def test_a_refusal_and_then_the_next_invocation(self):
        wrong = SAMPLE | {"channels": 2}
        # No server: the table cannot be reached, which is no refusal.
        api, _ = self.run_with([wrong, SAMPLE], PROCESSED_TABLE="Processed-dev",
                               AWS_ENDPOINT_URL="http://127.0.0.1:9", AWS_MAX_ATTEMPTS="1")
        path, body, error_type = api.posted.get(timeout=60)
        self.assertEqual((path, error_type), (f"{API}/invocation/request-1/error", "InvalidPayload"))
        self.assertEqual(body, {"errorType": "InvalidPayload", "errorMessage": "InvalidPayload: not 16000 Hz mono"})
        path, body, error_type = api.posted.get(timeout=60)
        self.assertEqual((path, error_type), (f"{API}/invocation/request-1/error", "EndpointConnectionError"))
        self.assertNotIn("{", body["errorMessage"])

    def test_a_missing_variable_fails_the_start(self):
        # The Runtime API is on this machine: no proxy is used, although one is set.
        api, process = self.run_with([SAMPLE], http_proxy="http://127.0.0.1:9")
        path, body, _ = api.posted.get(timeout=60)
        self.assertEqual((path, body["errorType"]), (f"{API}/init/error", "KeyError"))
        self.assertIn("PROCESSED_TABLE", body["errorMessage"])
        self.assertEqual(process.wait(timeout=30), 1)


if __name__ == "__main__":
    unittest.main()
