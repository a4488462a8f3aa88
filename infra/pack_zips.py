"""Packs what cargo-lambda built for Lambda: `python infra/pack_zips.py arm64 x86_64`.

Each target/lambda/ARCH/FUNCTION/bootstrap gets a bootstrap.zip beside it, whose bytes depend on the
binary alone. cargo-lambda's own zip carries the time of the build, so that a function that is built again
from the same source looks new to whoever compares digests.
"""

import pathlib
import sys
import zipfile

from check_zips import FUNCTIONS, LAMBDA, MODE, ROOT

# The first moment that a zip can name.
EPOCH = (1980, 1, 1, 0, 0, 0)
UNIX = 3


def pack(binary: bytes, path: pathlib.Path) -> None:
    """Writes the zip with this binary as its one entry."""
    entry = zipfile.ZipInfo("bootstrap", EPOCH)
    entry.create_system = UNIX
    entry.external_attr = MODE << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(entry, binary, zipfile.ZIP_DEFLATED, compresslevel=9)


def main(architectures: list[str]) -> int:
    for arch in architectures:
        for function in FUNCTIONS:
            binary = LAMBDA / arch / function / "bootstrap"
            if not binary.exists():
                sys.exit(f"{binary.relative_to(ROOT)} is not there: make build ARCH={arch}")
            pack(binary.read_bytes(), binary.with_suffix(".zip"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
