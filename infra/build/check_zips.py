"""Checks the zips of `make build`: `python infra/build/check_zips.py arm64 x86_64`.

Each target/lambda/ARCH/FUNCTION/bootstrap.zip must run on Lambda's provided.al2023: one executable
named bootstrap, for that architecture, with its glibc and its libraries. Prints a table of sizes
and digests, and the problems of each zip.
"""

import hashlib
import pathlib
import struct
import sys
import zipfile

from elf import MACHINES, SYMTAB, Elf

ROOT = pathlib.Path(__file__).resolve().parents[2]
LAMBDA = ROOT / "target" / "lambda"
FUNCTIONS = ("session-http-handler", "kvs-stream-consumer", "audio-processor", "session-canary")
# Of Amazon Linux 2023, the base of provided.al2023.
GLIBC = (2, 34)
LIBRARIES = {"libc.so.6", "libm.so.6", "libgcc_s.so.1", "libpthread.so.0", "libdl.so.2", "librt.so.1",
             "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}
# A cold start loads the whole binary.
MAX_MB = 10
MODE = 0o100755
HEADER = f"{'function':<22}{'for':<8}{'zip MB':>7}{'binary MB':>11}{'glibc':>7}  sha256 of the zip"


def bootstrap(path: pathlib.Path) -> bytes:
    """Returns the executable in a zip. Raises ValueError if the zip contains anything else."""
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        if [entry.filename for entry in entries] != ["bootstrap"]:
            raise ValueError(f"contains {[entry.filename for entry in entries]}, not only bootstrap")
        if entries[0].external_attr >> 16 != MODE:
            raise ValueError(f"bootstrap has mode {entries[0].external_attr >> 16:o}, not {MODE:o}")
        return archive.read(entries[0])


def problems(binary: bytes, elf: Elf, arch: str) -> list[str]:
    """Returns the reasons why Lambda would not start this binary, or not efficiently."""
    wrong = []
    if elf.machine != MACHINES[arch]:
        wrong.append(f"is for machine {elf.machine}, not {MACHINES[arch]} ({arch})")
    if elf.glibc() > GLIBC:
        wrong.append(f"needs glibc {dotted(elf.glibc())}; provided.al2023 has {dotted(GLIBC)}")
    if missing := elf.libraries() - LIBRARIES:
        wrong.append(f"needs {', '.join(sorted(missing))}, which provided.al2023 lacks")
    if not elf.is_stripped():
        wrong.append("is not stripped")
    if len(binary) > MAX_MB * 1_000_000:
        wrong.append(f"has {megabytes(len(binary))} MB unpacked; the maximum is {MAX_MB}")
    return wrong


def check(path: pathlib.Path, function: str, arch: str) -> tuple[str, list[str]]:
    """Returns a zip's line of the table, and its problems."""
    if not path.exists():
        return "", [f"does not exist: make build ARCH={arch}"]
    try:
        binary = bootstrap(path)
        elf = Elf(binary)
    except (ValueError, zipfile.BadZipFile) as reason:
        return "", [str(reason)]
    packed = path.read_bytes()
    line = f"{function:<22}{arch:<8}{megabytes(len(packed)):>7}{megabytes(len(binary)):>11}" \
           f"{dotted(elf.glibc()):>7}  {hashlib.sha256(packed).hexdigest()}"
    return line, problems(binary, elf, arch) or undetected(binary, arch)


def undetected(binary: bytes, arch: str) -> list[str]:
    """Returns the defects that the checks do not detect in broken copies of a valid binary."""
    other = next(machine for name, machine in MACHINES.items() if name != arch)
    table, = struct.unpack_from("<Q", binary, 40)
    second_type = table + 64 + 4
    broken = {
        "another architecture": binary[:18] + struct.pack("<H", other) + binary[20:],
        "a newer glibc": binary.replace(f"GLIBC_{dotted(Elf(binary).glibc())}\0".encode(), b"GLIBC_2.35\0"),
        "an unknown library": binary.replace(b"\0libc.so.6\0", b"\0libq.so.6\0"),
        "symbols": binary[:second_type] + struct.pack("<I", SYMTAB) + binary[second_type + 4:],
        "its size": binary + bytes(MAX_MB * 1_000_000),
    }
    return [f"check_zips does not detect {what}" for what, changed in broken.items()
            if not problems(changed, Elf(changed), arch)]


def megabytes(count: int) -> str:
    """Returns bytes as megabytes with two decimals."""
    return f"{count / 1_000_000:.2f}"


def dotted(version: tuple[int, ...]) -> str:
    """Returns a version as text."""
    return ".".join(map(str, version))


def main(architectures: list[str]) -> int:
    print(HEADER)
    wrong = []
    for arch in architectures:
        for function in FUNCTIONS:
            path = LAMBDA / arch / function / "bootstrap.zip"
            line, reasons = check(path, function, arch)
            if line:
                print(line)
            wrong += [f"{path.relative_to(ROOT)}: {reason}" for reason in reasons]
    for reason in wrong:
        print(reason, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or list(MACHINES)))
