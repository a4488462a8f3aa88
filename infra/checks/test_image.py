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
from image import CERTIFICATES, PLATFORMS, PROGRAM, architecture, image  # noqa: E402


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


BINARIES = {arch: elf(arch) for arch in PLATFORMS}


def test_image_has_the_binaries_and_certificates_and_nothing_else():
    archive, digest = image(BINARIES, b"PEM")
    found = {name: content for name, (_, content) in files(archive).items()}
    blobs = {name for name in found if name.startswith("blobs/")}
    for name in blobs:
        assert hashlib.sha256(found[name]).hexdigest() == name.rsplit("/", 1)[1]

    def blob(descriptor: dict) -> bytes:
        name = descriptor["digest"].replace("sha256:", "blobs/sha256/")
        blobs.discard(name)
        assert len(found[name]) == descriptor["size"]
        return found[name]

    assert json.loads(found["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    whole, = json.loads(found["index.json"])["manifests"]
    assert whole["digest"] == digest
    entries = {it["platform"]["architecture"]: it for it in json.loads(blob(whole))["manifests"]}
    assert entries.keys() == set(PLATFORMS.values())
    for arch, binary in BINARIES.items():
        manifest = json.loads(blob(entries[PLATFORMS[arch]]))
        layer = gzip.decompress(blob(manifest["layers"][0]))
        config = json.loads(blob(manifest["config"]))
        assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(layer).hexdigest()}"]
        assert config["architecture"] == PLATFORMS[arch]
        content = files(layer)
        assert {name: data for name, (_, data) in content.items()} == {PROGRAM: binary, CERTIFICATES: b"PEM"}
        program = content[PROGRAM][0]
        assert (program.mode, program.uid, program.mtime) == (0o755, 0, 0)
    assert not blobs, "nothing refers to them"


def test_image_depends_on_its_files_only():
    one = {"arm64": elf("arm64")}
    assert image(BINARIES, b"PEM") == image(dict(reversed(BINARIES.items())), b"PEM")
    assert len({image(one, b"PEM")[1], image(one, b"PEM2")[1], image(BINARIES, b"PEM")[1]}) == 3


def test_binary_must_be_static_and_for_a_known_architecture():
    assert [architecture(binary) for binary in BINARIES.values()] == list(BINARIES)
    for binary, reason in [
        (elf("arm64", b".interp"), "not static"),
        (b"#!/bin/sh", "is not a little-endian ELF64 binary"),
        (elf("arm64").replace(struct.pack("<HHI", 2, MACHINES["arm64"], 1), struct.pack("<HHI", 2, 243, 1)), "is for none"),
    ]:
        with pytest.raises(ValueError, match=reason):
            architecture(binary)


def test_task_runs_what_the_image_contains():
    """The user, the program of the health check, and the port are those of the image."""
    config_of = image({"arm64": elf("arm64")}, b"PEM")[0]
    blobs = [data for name, (_, data) in files(config_of).items() if name.startswith("blobs/")]
    config, = [it["config"] for data in blobs if data[:1] == b"{" and "rootfs" in (it := json.loads(data))]
    container, = deployed("workers")["WorkerTaskDefinition"]["Properties"]["ContainerDefinitions"]
    assert container["User"] == config["User"]
    assert container["HealthCheck"]["Command"][1] == config["Entrypoint"][0]
    port, = [it["Value"] for it in container["Environment"] if it["Name"] == "HEALTH_PORT"]
    assert list(config["ExposedPorts"]) == [f"{port}/tcp"]
