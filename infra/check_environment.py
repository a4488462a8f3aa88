"""Each function's variables, held against what its code reads: part of check_template.py.

A variable that the template sets and no code reads is a setting without effect; one that the code
reads and the template does not set is a setting that nobody can make. Both end the check, unless
UNSET says why.
"""

import copy
import pathlib
import re

CRATES = pathlib.Path(__file__).resolve().parent.parent / "crates"
# Read, and not for the template to set.
UNSET = {
    "AWS_LAMBDA_FUNCTION_NAME": "Lambda sets it",
    "AUDIO_OUT_DIR": "only on one machine is there a folder that stays",
}
# What a config hands on, and the file that then reads the variable.
HANDED_ON = {"Endpoint::from_env": CRATES / "aws-adapters" / "src" / "websocket.rs"}
NAME = re.compile(r'"([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*)"')


def without_tests(path: pathlib.Path) -> str:
    """The code of a file, without comments and what comes after `#[cfg(test)]`."""
    code = path.read_text().split("#[cfg(test)]")[0]
    return re.sub(r"^\s*//.*$", "", code, flags=re.M)


def read_by(package: str) -> set[str]:
    """The variables that a function's config reads."""
    code = without_tests(CRATES / package / "src" / "config.rs")
    found = set(NAME.findall(code))
    for call, file in HANDED_ON.items():
        if call in code:
            found |= set(NAME.findall(without_tests(file)))
    return found - UNSET.keys()


def check(source: dict) -> list[str]:
    """What is wrong with the variables of a template's functions."""
    wrong = []
    for name, resource in source["Resources"].items():
        if resource["Type"] != "AWS::Serverless::Function":
            continue
        properties = resource["Properties"]
        wanted = read_by(properties["CodeUri"].rsplit("/", 1)[-1])
        is_set = set(properties["Environment"]["Variables"])
        wrong += [f"{name}: {variable} is set, and its code does not read it" for variable in is_set - wanted]
        wrong += [f"{name}: its code reads {variable}, which is not set" for variable in wanted - is_set]
    return wrong


def check_would_notice(source: dict) -> list[str]:
    """Takes each variable away, and adds one, in a copy."""
    unnoticed = []
    for name, resource in source["Resources"].items():
        if resource["Type"] != "AWS::Serverless::Function":
            continue
        variables = resource["Properties"]["Environment"]["Variables"]
        for variable in [*variables, "NEW"]:
            changed = copy.deepcopy(source)
            there = changed["Resources"][name]["Properties"]["Environment"]["Variables"]
            if there.pop(variable, None) is None:
                there[variable] = "x"
            if not check(changed):
                unnoticed.append(f"check_environment does not notice {variable} in {name}")
    return unnoticed
