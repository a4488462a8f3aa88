"""Every parameter has a type, bounds and a description, and is used."""

import json
import re

import pytest

from mutations import broken, drop, mutation, put
from template import SOURCE

# A parameter needs one of these sets of keys.
BOUNDS = {
    "String": [{"AllowedValues"}, {"AllowedPattern", "ConstraintDescription"}, {"MinLength", "MaxLength"}],
    "Number": [{"AllowedValues"}, {"MinValue", "MaxValue"}],
}


def problem(parameter: dict) -> str | None:
    """Returns what a parameter lacks, or None."""
    if parameter.get("Type") not in BOUNDS:
        return f"no bounds are defined for the type {parameter.get('Type')}"
    if not str(parameter.get("Description", "")).strip().endswith("."):
        return "its description is not a sentence"
    bounds = BOUNDS[parameter["Type"]]
    return None if any(bound <= parameter.keys() for bound in bounds) else f"it needs one of {bounds}"


def problems(source: dict) -> list[str]:
    """Returns what is wrong with the parameters of a template."""
    body = json.dumps({section: it for section, it in source.items() if section not in ("Parameters", "Rules")})
    used = set(re.findall(r'"Ref": "(\w+)"|\$\{(\w+)\}', body))
    used = {name for names in used for name in names}
    found = [f"{name}: {it}" for name, parameter in source["Parameters"].items() if (it := problem(parameter))]
    return found + [f"{name}: it is not used" for name in source["Parameters"].keys() - used]


def test_every_parameter_is_bounded_described_and_used():
    assert problems(SOURCE) == []


def mutations():
    """Yields the parameters without each key that bounds or describes them, and an unused one."""
    yield mutation("unused", put("Parameters", Unused=SOURCE["Parameters"]["Environment"]))
    for name, parameter in SOURCE["Parameters"].items():
        for key in parameter.keys() - {"Default", "MaxLength", "ConstraintDescription"}:
            if key != "AllowedPattern" or not {"MinLength", "MaxLength"} <= parameter.keys():
                yield mutation(f"{name}-without-{key}", drop("Parameters", name, key))


@pytest.mark.parametrize("change", list(mutations()))
def test_detects(change):
    assert problems(broken(SOURCE, change))
