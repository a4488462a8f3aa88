"""The modules of examples/processor-python, imported into the test."""

import os
import sys

from clouds import EXAMPLE

sys.path.insert(0, str(EXAMPLE))
# A folder of the repository: no files are written into it.
sys.dont_write_bytecode = True
# A client that is created and never used.
os.environ |= {"PROCESSED_TABLE": "Processed-dev", "AWS_DEFAULT_REGION": "us-east-1",
               "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}

import contract  # noqa: E402
import handler  # noqa: E402
import speech  # noqa: E402

__all__ = ["contract", "handler", "speech"]
