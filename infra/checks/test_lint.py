"""AWS's linters, on the source and on its translation.

cfn-lint does not expand SAM or AWS::Include, so that it finds a wrong timeout in a SAM resource, or
an alarm on a resource that does not exist, in the translation only.
"""

import json
import os
import pathlib
import subprocess
import sys

import pytest

from resolve import REGION
from template import EXAMPLE_PROCESSOR, TEMPLATE, TRANSLATED

BIN = pathlib.Path(sys.executable).parent


def run(*command) -> None:
    """Runs a tool of this venv. Fails with its output if it finds something."""
    environment = os.environ | {"SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": REGION,
                                "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(command, env=environment, text=True, capture_output=True)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"


@pytest.mark.parametrize("template", [TEMPLATE, EXAMPLE_PROCESSOR], ids=["stack", "example-processor"])
def test_sam_validate(template: pathlib.Path):
    run(BIN / "sam", "validate", "--lint", "-t", template)


def test_cfn_lint_on_the_translation(tmp_path: pathlib.Path):
    path = tmp_path / "translated.json"
    path.write_text(json.dumps(TRANSLATED, indent=1))
    # W2001 (unused parameter): the translation replaces some !Refs by values. test_parameters.py
    # checks it on the source. W1033 (the default "" is no subnet or security group): reported at the
    # parameter, where the resource cannot ignore it; rules of the template refuse the default.
    run(BIN / "cfn-lint", "--ignore-checks", "W2001", "W1033", "--regions", REGION, "--", path)
