"""Which events start the consumer, and which are kept for replay: part of check_template.py.

The rule's pattern is what events/rule-pattern.json says, to the letter; the archive's is the same for whatever
status. What both then match: check_emulator.py, and the local cloud's tests.
"""

import json
import pathlib

from spoil import Spoiler

WANTED = json.loads((pathlib.Path(__file__).resolve().parent.parent / "events" / "rule-pattern.json").read_text())
PATTERNS = {
    "SessionLifecycleRule": WANTED,
    "SessionEventsArchive": {key: value for key, value in WANTED.items() if key != "detail"},
}


def check(resources: dict) -> list[str]:
    """What is wrong with the patterns of a translated template."""
    found = {name: resources.get(name, {}).get("Properties", {}).get("EventPattern") for name in PATTERNS}
    wrong = [f"{name}: {found[name]} is not {pattern}" for name, pattern in PATTERNS.items() if found[name] != pattern]
    # Session events go to the default bus, which is the one that a rule without a bus listens to.
    return wrong + [f"{name}: it listens to another bus" for name, it in resources.items()
                    if it["Type"] == "AWS::Events::Rule" and "EventBusName" in it["Properties"]]


def check_would_notice(resources: dict) -> list[str]:
    """Takes each part of each pattern away, and widens it, in a copy."""
    spoilt = Spoiler("check_pattern", check, resources)
    for name, pattern in PATTERNS.items():
        for part in pattern:
            spoilt(f"{name} without {part}", lambda it, name=name, part=part: (
                it[name]["Properties"]["EventPattern"].pop(part)))
            spoilt(f"{name} with any {part}", lambda it, name=name, part=part: (
                it[name]["Properties"]["EventPattern"].update({part: [{"prefix": ""}]})))
    spoilt("the rule on another bus", lambda it: it["SessionLifecycleRule"]["Properties"].update(EventBusName="other"))
    return spoilt.unnoticed
