"""Every parameter is typed, bounded and described, and used: part of check_template.py."""

import copy

# Any one of these sets bounds a parameter.
BOUNDS = {
    "String": [{"AllowedValues"}, {"AllowedPattern", "ConstraintDescription"}, {"MinLength", "MaxLength"}],
    "Number": [{"AllowedValues"}, {"MinValue", "MaxValue"}],
}


def wrong_with(parameter: dict) -> str | None:
    """What a parameter lacks."""
    if parameter.get("Type") not in BOUNDS:
        return f"its type {parameter.get('Type')} has no bounds that are known here"
    if not str(parameter.get("Description", "")).strip().endswith("."):
        return "its description is no sentence"
    bounds = BOUNDS[parameter["Type"]]
    return None if any(bound <= parameter.keys() for bound in bounds) else f"it needs one of {bounds}"


def check(source: dict) -> list[str]:
    """What is wrong with the parameters of a template."""
    found = {name: wrong_with(parameter) for name, parameter in source["Parameters"].items()}
    return [f"{name}: {reason}" for name, reason in found.items() if reason]


def check_would_notice(source: dict) -> list[str]:
    """Takes from each parameter what bounds or describes it, in a copy."""
    unnoticed = []
    for name, parameter in source["Parameters"].items():
        for key in parameter.keys() - {"Default", "MaxLength", "ConstraintDescription"}:
            changed = copy.deepcopy(source)
            del changed["Parameters"][name][key]
            is_other_bound = key == "AllowedPattern" and {"MinLength", "MaxLength"} <= parameter.keys()
            if not is_other_bound and not check(changed):
                unnoticed.append(f"check_parameters does not notice {name} without {key}")
    return unnoticed
