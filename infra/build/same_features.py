"""Checks that `make run` compiles each dependency with the features that it has in the whole workspace.

Otherwise `make test` compiles the dependency, and all that use it, again. `same_features.py PACKAGE…`,
with the packages that `make run` compiles; prints the differences, and then exits with 1.
"""

import subprocess
import sys


def features(*selection: str) -> dict[str, set[str]]:
    """Returns the features of each package, by name and version. A build may have several sets of
    one package: for the target, and for build scripts."""
    command = ["cargo", "tree", "--locked", "--prefix", "none", "--no-dedupe", "--format", "{p}|{f}", *selection]
    lines = subprocess.run(command, check=True, text=True, capture_output=True).stdout.splitlines()
    found: dict[str, set[str]] = {}
    for line in filter(None, lines):
        package, enabled = line.removesuffix(" (*)").split("|")
        found.setdefault(" ".join(package.split()[:2]), set()).add(enabled)
    return found


def main() -> int:
    chosen = [flag for package in sys.argv[1:] for flag in ("--package", package)]
    run = features("--edges", "normal,build", *chosen)
    workspace = features("--edges", "normal,build,dev", "--workspace")
    different = [name for name, sets in run.items() if not sets <= workspace[name]]
    for name in different:
        print(f"{name}: {run[name]} for `make run`, {workspace[name]} in the workspace; see crates/local-cloud/Cargo.toml")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
