"""Writes the image of the workers, without Docker: `python infra/build/image.py arm64 BINARY IMAGE.tar`.

The image is an archive of the OCI image layout: one layer with the binary and the certificates of the
authorities that the SDK trusts, no shell, no libraries. So the binary must be static (target
*-unknown-linux-musl). The bytes depend on the two files only: two builds of the same source have the
same digest, which is printed. `skopeo copy oci-archive:IMAGE.tar docker://REGISTRY/stream-worker:TAG`
pushes it.
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


def problem(binary: bytes, arch: str) -> str | None:
    """Returns why a binary does not run in the image, or None."""
    try:
        elf = Elf(binary)
    except ValueError as error:
        return str(error)
    if elf.machine != MACHINES[arch]:
        return f"is not for {arch}"
    if elf.libraries() or ".interp" in elf.names:
        return "is not static: build it for a target *-unknown-linux-musl"
    return None


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


def image(binary: bytes, certificates: bytes, arch: str) -> tuple[bytes, str]:
    """Returns the image's archive, and the digest of its manifest."""
    blobs: dict[str, tuple[bytes, int]] = {}

    def blob(content: bytes, kind: str) -> dict:
        digest = hashlib.sha256(content).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = (content, 0o644)
        return {"mediaType": f"{OCI}.{kind}", "digest": f"sha256:{digest}", "size": len(content)}

    def document(value: dict, kind: str) -> dict:
        return blob(json.dumps(value, sort_keys=True, separators=(",", ":")).encode(), kind)

    layer = tar({PROGRAM: (binary, 0o755), CERTIFICATES: (certificates, 0o644)})
    config = document({
        "architecture": PLATFORMS[arch],
        "os": "linux",
        "config": {"Entrypoint": [f"/{PROGRAM}"], "User": f"{USER}:{USER}", "StopSignal": "SIGTERM",
                   "ExposedPorts": {f"{PORT}/tcp": {}}},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }, "config.v1+json")
    manifest = document({
        "schemaVersion": 2,
        "mediaType": f"{OCI}.manifest.v1+json",
        "config": config,
        "layers": [blob(gzip.compress(layer, 9, mtime=0), "layer.v1.tar+gzip")],
    }, "manifest.v1+json")
    index = {"schemaVersion": 2, "mediaType": f"{OCI}.index.v1+json",
             "manifests": [manifest | {"platform": {"architecture": PLATFORMS[arch], "os": "linux"}}]}
    blobs["index.json"] = (json.dumps(index, sort_keys=True).encode(), 0o644)
    blobs["oci-layout"] = (b'{"imageLayoutVersion": "1.0.0"}', 0o644)
    return tar(blobs), manifest["digest"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("arch", choices=PLATFORMS)
    parser.add_argument("binary", type=pathlib.Path)
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("--certificates", type=pathlib.Path, default=pathlib.Path("/", CERTIFICATES),
                        help="the authorities, as PEM (default: those of this machine)")
    args = parser.parse_args()
    binary = args.binary.read_bytes()
    if reason := problem(binary, args.arch):
        sys.exit(f"{args.binary} {reason}")
    archive, digest = image(binary, args.certificates.read_bytes(), args.arch)
    args.output.write_bytes(archive)
    print(f"{args.output}: {len(archive) / 1e6:.1f} MB, {digest}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
