"""Writes the image of the workers, without Docker: `python3 infra/build/image.py IMAGE.tar BINARY...`.

The image is an archive of the OCI image layout, with one platform for each binary, by the architecture
of the binary. A platform has one layer with the binary and the certificates of the authorities that the
SDK trusts, no shell, no libraries. So a binary must be static (target *-unknown-linux-musl). The bytes
depend on the files only: two builds of the same source have the same digest, which is printed.
`skopeo copy --all oci-archive:IMAGE.tar docker://REGISTRY/stream-worker:TAG` pushes it.
"""

import argparse
import gzip
import hashlib
import io
import json
import pathlib
import sys
import tarfile

from elf import MACHINES, Elf

PROGRAM = "stream-worker"
CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"
# The names of the architectures in OCI images.
PLATFORMS = {"arm64": "arm64", "x86_64": "amd64"}
# Neither root nor a user of the host.
USER = 65532
PORT = 8080
OCI = "application/vnd.oci.image"


def architecture(binary: bytes) -> str:
    """Returns the architecture of a binary that runs in the image.

    Raises ValueError with the reason if it does not.
    """
    elf = Elf(binary)
    arch = next((arch for arch in PLATFORMS if elf.machine == MACHINES[arch]), None)
    if arch is None:
        raise ValueError(f"is for none of {', '.join(PLATFORMS)}")
    if elf.libraries() or ".interp" in elf.names:
        raise ValueError("is not static: build it for a target *-unknown-linux-musl")
    return arch


def tar(files: dict[str, tuple[bytes, int]]) -> bytes:
    """Returns an archive of files, each with its mode, and of their folders; all belong to root."""
    folders = {str(parent) for name in files for parent in pathlib.PurePosixPath(name).parents} - {"."}
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in sorted(folders | files.keys()):
            entry = tarfile.TarInfo(name)
            if name in files:
                content, entry.mode = files[name]
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
            else:
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(entry)
    return out.getvalue()


class Blobs:
    """The blobs of an image layout, by name."""

    def __init__(self) -> None:
        self.files: dict[str, tuple[bytes, int]] = {}

    def add(self, content: bytes, kind: str) -> dict:
        """Adds a blob, and returns its descriptor."""
        digest = hashlib.sha256(content).hexdigest()
        self.files[f"blobs/sha256/{digest}"] = (content, 0o644)
        return {"mediaType": f"{OCI}.{kind}", "digest": f"sha256:{digest}", "size": len(content)}

    def document(self, value: dict, kind: str) -> dict:
        return self.add(json.dumps(value, sort_keys=True, separators=(",", ":")).encode(), kind)

    def index(self, manifests: list[dict]) -> dict:
        kind = "index.v1+json"
        return self.document({"schemaVersion": 2, "mediaType": f"{OCI}.{kind}", "manifests": manifests}, kind)

    def platform(self, binary: bytes, certificates: bytes, arch: str) -> dict:
        """Adds the image of one platform, and returns the descriptor of its manifest."""
        layer = tar({PROGRAM: (binary, 0o755), CERTIFICATES: (certificates, 0o644)})
        config = self.document({
            "architecture": PLATFORMS[arch],
            "os": "linux",
            "config": {"Entrypoint": [f"/{PROGRAM}"], "User": f"{USER}:{USER}", "StopSignal": "SIGTERM",
                       "ExposedPorts": {f"{PORT}/tcp": {}}},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
        }, "config.v1+json")
        manifest = self.document({
            "schemaVersion": 2,
            "mediaType": f"{OCI}.manifest.v1+json",
            "config": config,
            "layers": [self.add(gzip.compress(layer, 9, mtime=0), "layer.v1.tar+gzip")],
        }, "manifest.v1+json")
        return manifest | {"platform": {"architecture": PLATFORMS[arch], "os": "linux"}}


def image(binaries: dict[str, bytes], certificates: bytes) -> tuple[bytes, str]:
    """Returns the image's archive with a binary for each architecture, and the image's digest."""
    blobs = Blobs()
    platforms = [blobs.platform(binaries[arch], certificates, arch) for arch in sorted(binaries)]
    whole = blobs.index(platforms)
    layout = {"schemaVersion": 2, "mediaType": f"{OCI}.index.v1+json", "manifests": [whole]}
    blobs.files["index.json"] = (json.dumps(layout, sort_keys=True).encode(), 0o644)
    blobs.files["oci-layout"] = (b'{"imageLayoutVersion": "1.0.0"}', 0o644)
    return tar(blobs.files), whole["digest"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=pathlib.Path, metavar="IMAGE.tar")
    parser.add_argument("binaries", type=pathlib.Path, nargs="+", metavar="BINARY")
    parser.add_argument("--certificates", type=pathlib.Path, default=pathlib.Path("/", CERTIFICATES),
                        help="the authorities, as PEM (default: those of this machine)")
    args = parser.parse_args()
    binaries: dict[str, bytes] = {}
    for path in args.binaries:
        try:
            arch = architecture(binary := path.read_bytes())
        except OSError as error:
            sys.exit(f"{path}: {error.strerror}")
        except ValueError as error:
            sys.exit(f"{path} {error}")
        if arch in binaries:
            sys.exit(f"{path} is the second binary for {arch}")
        binaries[arch] = binary
    archive, digest = image(binaries, args.certificates.read_bytes())
    args.output.write_bytes(archive)
    print(f"{args.output}: {', '.join(sorted(binaries))}, {len(archive) / 1e6:.1f} MB, {digest}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
