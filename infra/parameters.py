"""Prints the parameter overrides of an environment in samconfig.toml, for `make deploy`."""

import re
import sys
from pathlib import Path


def overrides(environment: str) -> str:
    """Returns the overrides of an environment. Without tomllib, which Python 3.10 lacks."""
    text = Path(__file__).with_name("samconfig.toml").read_text(encoding="utf-8")
    tables = dict(re.findall(r"^\[(\w+)\.deploy\.parameters\]\n((?:[^\[\n].*\n)*)", text, re.M))
    found = re.search(r'^parameter_overrides = "(.*)"$', tables.get(environment, ""), re.M)
    if found is None:
        sys.exit(f"ENV={environment}: infra/samconfig.toml has only {', '.join(tables)}")
    return found.group(1)


if __name__ == "__main__":
    print(overrides(sys.argv[1]))
