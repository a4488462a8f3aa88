"""Runs `cargo build ARGUMENTS` and says in one line how far it is; nothing if there is nothing to do.

On a terminal the line is rewritten, elsewhere it is printed every 15 s. Diagnostics are cargo's own.
"""

import json
import os
import subprocess
import sys
import time

EVERY = 0.5 if sys.stderr.isatty() else 15.0


def units(arguments: list[str]) -> int:
    """Returns the number of parts that the build consists of, and downloads the dependencies."""
    # The unit graph is unstable; the variable has no effect on the build that follows.
    command = ["cargo", "build", *arguments, "--quiet", "--unit-graph", "-Z", "unstable-options"]
    graph = subprocess.run(command, stdout=subprocess.PIPE, env=os.environ | {"RUSTC_BOOTSTRAP": "1"})
    return len(json.loads(graph.stdout)["units"]) if graph.returncode == 0 else 0


def show(text: str, end: str = "\n") -> None:
    print(f"\r{text}" if sys.stderr.isatty() else text, end=end, file=sys.stderr, flush=True)


def main(arguments: list[str]) -> int:
    began, total = time.monotonic(), units(arguments)
    build = subprocess.Popen(
        ["cargo", "build", *arguments, "--quiet", "--message-format", "json-render-diagnostics"],
        stdout=subprocess.PIPE, text=True,
    )
    compiled, fresh, shown = 0, 0, began
    for line in build.stdout:
        message = json.loads(line)
        if message["reason"] == "compiler-artifact":
            fresh, compiled = (fresh + 1, compiled) if message["fresh"] else (fresh, compiled + 1)
        elif message["reason"] == "build-script-executed":
            compiled += 1
        if time.monotonic() - shown >= EVERY:
            shown = time.monotonic()
            show(f"compiled {min(fresh + compiled, total)} of {total} parts, {shown - began:.0f} s  ",
                 "" if sys.stderr.isatty() else "\n")
    code = build.wait()
    if code == 0 and shown > began:
        show(f"compiled in {time.monotonic() - began:.0f} s{' ' * 24}")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
