"""The image of the workers (infra/build/image.py): its layout, its content, and its bytes."""

import gzip
import hashlib
import io
import json
import struct
import sys
import tarfile

import pytest

from template import ROOT, deployed

sys.path.insert(0, str(ROOT / "infra" / "build"))

from elf import MACHINES  # noqa: E402
from image import CERTIFICATES, PLATFORMS, PROGRAM, image, problem  # noqa: E402


def elf(arch: str, section: bytes = b".text") -> bytes:
    """Returns a binary without code: the names of its sections, and one more section."""
    names = b"\0" + section + b"\0"
    table = 64 + len(names)
    header = b"\x7fELF\x02\x01" + bytes(10) + struct.pack("<HHI", 2, MACHINES[arch], 1)
    header += bytes(16) + struct.pack("<QIHHHHHH", table, 0, 64, 0, 0, 64, 2, 0)
    strings = struct.pack("<IIQQQQIIQQ", 0, 3, 0, 0, 64, len(names), 0, 0, 1, 0)
    other = struct.pack("<IIQQQQIIQQ", 1, 1, 0, 0, 64, 0, 0, 0, 1, 0)
    return header + names + strings + other


def files(archive: bytes) -> dict[str, tuple[tarfile.TarInfo, bytes]]:
    """Returns the files of an archive, by name."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {it.name: (it, tar.extractfile(it).read()) for it in tar if it.isfile()}


@pytest.mark.parametrize("arch", PLATFORMS)
def test_image_has_the_binary_and_certificates_and_nothing_else(arch: str):
    binary = elf(arch)
    archive, digest = image(binary, b"PEM", arch)
    found = {name: content for name, (_, content) in files(archive).items()}
    for name in found:
        if name.startswith("blobs/"):
            assert hashlib.sha256(found[name]).hexdigest() == name.rsplit("/", 1)[1]

    def blob(descriptor: dict) -> bytes:
        content = found[descriptor["digest"].replace("sha256:", "blobs/sha256/")]
        assert len(content) == descriptor["size"]
        return content

    assert json.loads(found["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    entry, = json.loads(found["index.json"])["manifests"]
    assert (entry["digest"], entry["platform"]["architecture"]) == (digest, PLATFORMS[arch])
    manifest = json.loads(blob(entry))
    layer = gzip.decompress(blob(manifest["layers"][0]))
    config = json.loads(blob(manifest["config"]))
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(layer).hexdigest()}"]
    assert config["architecture"] == PLATFORMS[arch]
    content = files(layer)
    assert {name: data for name, (_, data) in content.items()} == {PROGRAM: binary, CERTIFICATES: b"PEM"}
    program = content[PROGRAM][0]
    assert (program.mode, program.uid, program.mtime) == (0o755, 0, 0)


def test_image_depends_on_its_files_only():
    assert image(elf("arm64"), b"PEM", "arm64") == image(elf("arm64"), b"PEM", "arm64")
    assert image(elf("arm64"), b"PEM", "arm64")[1] != image(elf("arm64"), b"PEM2", "arm64")[1]


def test_binary_must_be_static_and_for_the_architecture():
    assert problem(elf("arm64"), "arm64") is None
    assert problem(elf("arm64"), "x86_64") == "is not for x86_64"
    assert "not static" in problem(elf("arm64", b".interp"), "arm64")
    assert problem(b"#!/bin/sh", "arm64") == "is not a little-endian ELF64 binary"


def test_task_runs_what_the_image_contains():
    """The user, the program of the health check, and the port are those of the image."""
    config_of = image(elf("arm64"), b"PEM", "arm64")[0]
    blobs = [data for name, (_, data) in files(config_of).items() if name.startswith("blobs/")]
    config, = [it["config"] for data in blobs if data[:1] == b"{" and "rootfs" in (it := json.loads(data))]
    container, = deployed("workers")["WorkerTaskDefinition"]["Properties"]["ContainerDefinitions"]
    assert container["User"] == config["User"]
    assert container["HealthCheck"]["Command"][1] == config["Entrypoint"][0]
    port, = [it["Value"] for it in container["Environment"] if it["Name"] == "HEALTH_PORT"]
    assert list(config["ExposedPorts"]) == [f"{port}/tcp"]
