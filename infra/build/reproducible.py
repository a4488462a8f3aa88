"""Proves that a second build creates the same bytes: `python infra/build/reproducible.py FUNCTION
ARCH`.

Builds a function from a copy of the source in another folder, with another target directory, and
compares its zip with that of `make build`. Reports the offset of the first difference.
"""

import hashlib
import os
import pathlib
import shutil
import subprocess
import sys

from check_zips import LAMBDA, ROOT
from pack_zips import pack

ELSEWHERE = ROOT / "target" / "elsewhere"


def copy_source(to: pathlib.Path) -> None:
    """Copies the working tree, except the files that git ignores (target/, .aws-sam/)."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                            cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        source = ROOT / name
        if source.is_file() and not source.is_symlink():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, to / name)


def build(function: str, arch: str, where: pathlib.Path) -> bytes:
    """Builds a function from scratch in another folder, with these tools. Returns its zip."""
    shutil.rmtree(where, ignore_errors=True)
    copy_source(where)
    environment = {name: value for name, value in os.environ.items() if name != "CARGO_TARGET_DIR"}
    subprocess.run(["make", "--no-print-directory", "--old-file=tools", f"lambda/{arch}/{function}"],
                   cwd=where, env=environment, check=True)
    path = where / "again.zip"
    pack((where / "target" / "lambda" / arch / function / "bootstrap").read_bytes(), path)
    return path.read_bytes()


def main(function: str, arch: str) -> int:
    first = LAMBDA / arch / function / "bootstrap.zip"
    if not first.exists():
        sys.exit(f"{first.relative_to(ROOT)} does not exist: make build ARCH={arch}")
    once, again = first.read_bytes(), build(function, arch, ELSEWHERE)
    if once != again:
        at = next((n for n, (one, other) in enumerate(zip(once, again)) if one != other), len(once))
        sys.exit(f"{function} for {arch}: {len(once)} and {len(again)} bytes; the first difference is at byte {at}")
    print(f"{function} for {arch}: the same {len(once)} bytes, sha256 {hashlib.sha256(once).hexdigest()}")
    shutil.rmtree(ELSEWHERE)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
