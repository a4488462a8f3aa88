"""Tests the local cloud with unmodified clients: boto3, cargo-lambda and schemathesis.

Starts `local-cloud up` on a free port and runs every other script of this folder with
AWS_ENDPOINT_URL, a region and placeholder credentials. A script exits with a non-zero code at the
first response that differs from AWS.
"""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CLOUD = ROOT / os.environ.get("BIN", "target/debug") / "local-cloud"


def start(data: str) -> tuple[subprocess.Popen, str]:
    """Starts the cloud, waits until it is ready, and returns it with its base URL."""
    cloud = subprocess.Popen(
        [CLOUD, "up", "--port", "0", "--data", data, "--time-scale", "20"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=open(f"{data}/cloud.log", "w"), text=True,
    )
    for line in cloud.stdout:
        if line.startswith("ready "):
            return cloud, line.split()[1]
    sys.exit("local-cloud exited before it was ready:\n" + open(f"{data}/cloud.log").read())


def main() -> int:
    scripts = sorted(p for p in HERE.glob("*.py") if p.name != pathlib.Path(__file__).name)
    passed = failed = 0
    with tempfile.TemporaryDirectory() as data:
        cloud, url = start(data)
        env = os.environ | {
            "AWS_ENDPOINT_URL": url, "LOCAL_CLOUD_URL": url, "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
            "PATH": f"{pathlib.Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }
        try:
            for script in scripts:
                code = subprocess.run([sys.executable, script], env=env, cwd=ROOT, timeout=300).returncode
                print(f"client {script.name}: {'ok' if code == 0 else f'FAILED ({code})'}", flush=True)
                passed, failed = passed + (code == 0), failed + (code != 0)
        finally:
            cloud.send_signal(signal.SIGTERM)
            cloud.wait(timeout=20)
        if failed:
            sys.stderr.write(open(f"{data}/cloud.log").read()[-8000:])
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not scripts else 0


if __name__ == "__main__":
    sys.exit(main())
