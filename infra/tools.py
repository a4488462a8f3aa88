"""Venvs under target/ with pinned packages, made at first use: `python infra/tools.py FOLDER REQUIREMENTS`."""

import importlib.util
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
MARK = "INFRA_TOOLS"


def made(folder: pathlib.Path, requirements: str) -> pathlib.Path:
    """The Python of a venv with what REQUIREMENTS pins, made anew where it has anything else."""
    python = folder / "bin" / "python"
    stamp = folder / "installed.txt"
    wanted = (HERE / requirements).read_text()
    if not stamp.exists() or stamp.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                        "-r", HERE / requirements], check=True)
        stamp.write_text(wanted)
    return python


def run_inside(name: str, requirements: str, modules: list[str]) -> None:
    """Starts this script again inside target/NAME with what REQUIREMENTS pins, unless `modules` are here."""
    if all(importlib.util.find_spec(module) for module in modules):
        return
    folder = HERE.parent / "target" / name
    if os.environ.get(MARK) == name:
        sys.exit(f"{folder} lacks one of {', '.join(modules)}: remove it, then again")
    python = made(folder, requirements)
    os.execve(python, [str(python), *sys.argv], os.environ | {MARK: name})


if __name__ == "__main__":
    made(pathlib.Path(sys.argv[1]), sys.argv[2])
