"""`make` reports a missing or wrong value before it builds or installs anything."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Without the options of the `make` that runs this test.
ENV = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES")}
DEPLOY = ["deploy", "JWT_ISSUER=https://issuer.example", "JWT_AUDIENCE=sessions"]


@pytest.mark.parametrize(("arguments", "reported"), [
    (["deploy", "JWT_ISSUER=", "JWT_AUDIENCE=sessions"], "missing: JWT_ISSUER"),
    (["deploy", "JWT_ISSUER=https://issuer.example", "JWT_AUDIENCE="], "missing: JWT_AUDIENCE"),
    ([*DEPLOY, "ENV=nowhere"], "ENV=nowhere: infra/samconfig.toml has only"),
    (["smoke", "TOKEN="], "missing: TOKEN"),
    (["run", "MEDIA=nowhere.mka"], "missing: MEDIA=nowhere.mka"),
    (["run", "PROFILE=fast"], "PROFILE=fast: give dev or release."),
])
def test_a_missing_value_is_reported_before_anything_is_installed(
        arguments: list[str], reported: str, tmp_path: Path) -> None:
    """The tools' folders are empty, so a target that checks too late would fill them."""
    tools = {name: tmp_path / name for name in ("VENV", "SAM_TOOLS", "EMULATOR")}
    command = ["make", *arguments, *(f"{name}={folder}" for name, folder in tools.items()), "PYTHON=python3"]
    made = subprocess.run(command, cwd=ROOT, env=ENV, capture_output=True, text=True, timeout=60)
    assert made.returncode != 0
    assert reported in made.stdout + made.stderr
    assert "installing" not in made.stdout
    assert list(tmp_path.iterdir()) == []


def test_parameters_reach_the_sam_cli_as_words_that_it_takes() -> None:
    """The SAM CLI refuses `Name=`, and takes `Name=""` for the empty text."""
    command = ["make", "--dry-run", *DEPLOY, "PARAMETERS=WorkerImage= AlarmEmail=a@b.c KmsKeyArn="]
    made = subprocess.run(command, cwd=ROOT, env=ENV, capture_output=True, text=True, timeout=60)
    line = next(line for line in made.stdout.splitlines() if "set -- $overrides" in line)
    words = line[line.index("set -- "):].removesuffix("&& \\")
    printed = subprocess.run(["bash", "-c", f'{words}; printf "%s\\n" "$@"'], capture_output=True, text=True).stdout
    assert printed.splitlines() == ["JwtIssuer=https://issuer.example", "JwtAudience=sessions", 'WorkerImage=""',
                                    "AlarmEmail=a@b.c", 'KmsKeyArn=""']


def test_an_installation_names_its_packages(tmp_path: Path) -> None:
    """A printed line names the packages of the requirements file and the folder."""
    command = ["make", "--dry-run", "check-api", f"VENV={tmp_path / 'tools'}"]
    made = subprocess.run(command, cwd=ROOT, env=ENV, capture_output=True, text=True, timeout=60)
    line = next(line for line in made.stdout.splitlines() if "installing into" in line and "requirements.txt" in line)
    printed = subprocess.run(["bash", "-c", line.lstrip("@")], cwd=ROOT, capture_output=True, text=True).stdout
    assert printed.startswith(f"installing into {tmp_path / 'tools'}: boto3 cargo-lambda cmake")
