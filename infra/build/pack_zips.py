"""Packs the binaries of cargo-lambda: `python infra/build/pack_zips.py arm64 x86_64`.

Writes a bootstrap.zip beside each target/lambda/ARCH/FUNCTION/bootstrap. Its bytes depend on the
binary only, unlike those of cargo-lambda's zip, which contains the build time: two builds of the
same source have the same digest.
"""

import pathlib
import sys
import zipfile

from check_zips import FUNCTIONS, LAMBDA, MODE, ROOT

# The earliest time in the zip format.
EPOCH = (1980, 1, 1, 0, 0, 0)
UNIX = 3


def pack(binary: bytes, path: pathlib.Path) -> None:
    """Writes a zip with this binary as its only entry."""
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
                sys.exit(f"{binary.relative_to(ROOT)} does not exist: make build ARCH={arch}")
            pack(binary.read_bytes(), binary.with_suffix(".zip"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
