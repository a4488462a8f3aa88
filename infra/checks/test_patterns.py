"""The event patterns of the rule and the archive against events/rule-pattern.json.

emulator/test_event_patterns.py and the local cloud's tests check which events they match.
"""

import json

import pytest

from mutations import broken, drop, mutation, put
from resolve import of_type
from template import ROOT, TRANSLATED

RESOURCES = TRANSLATED["Resources"]
RULE = json.loads((ROOT / "events" / "rule-pattern.json").read_text())
# All environments share the bus.
CONTINUATION = {
    "source": RULE["source"], "detail-type": ["Session Continuation"], "detail": {"environment": [{"Ref": "Environment"}]},
}
# The archive keeps the events of every status.
PATTERNS = {
    "SessionLifecycleRule": RULE,
    "ConsumerContinuationRule": CONTINUATION,
    "SessionEventsArchive": {key: value for key, value in RULE.items() if key != "detail"},
}


def problems(resources: dict) -> list[str]:
    """Returns what is wrong with the patterns of a translated template."""
    found = {name: resources.get(name, {}).get("Properties", {}).get("EventPattern") for name in PATTERNS}
    wrong = [f"{name}: {found[name]} is not {pattern}" for name, pattern in PATTERNS.items() if found[name] != pattern]
    # Session events are sent to the default bus, on which a rule without EventBusName is.
    return wrong + [f"{name}: it is on another bus" for name, rule in of_type(resources, "AWS::Events::Rule").items()
                    if "EventBusName" in rule]


def test_patterns_equal_the_documented_one():
    assert problems(RESOURCES) == []


def mutations():
    """Yields the patterns without each part, and with any value for it."""
    yield mutation("rule-on-another-bus", put("SessionLifecycleRule", "Properties", EventBusName="other"))
    for name, pattern in PATTERNS.items():
        path = (name, "Properties", "EventPattern")
        for part in pattern:
            yield mutation(f"{name}-without-{part}", drop(*path, part))
            yield mutation(f"{name}-any-{part}", put(*path, **{part: [{"prefix": ""}]}))


@pytest.mark.parametrize("change", list(mutations()))
def test_detects(change):
    assert problems(broken(RESOURCES, change))
