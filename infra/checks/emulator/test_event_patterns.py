"""The event patterns in a second engine: TestEventPattern of ministack, called within this process.

It evaluates the patterns of rule and archive on every sample of events/, and the cases of
tests/events/patterns.json. The first engine is the local cloud's, in its tests.
"""

import copy
import json

import pytest
from ministack.services import eventbridge

from mutations import broken, drop, mutation, put
from template import ROOT, TRANSLATED

CASES = json.loads((ROOT / "tests" / "events" / "patterns.json").read_text())
MATCHING = set(CASES["samples"]["taken"])
SAMPLES = {path.name: json.loads(path.read_text()) for path in (ROOT / "events").glob("*.json")
           if not path.name.startswith("rule-pattern")}
PATTERNS = {name: TRANSLATED["Resources"][resource]["Properties"]["EventPattern"]
            for name, resource in (("rule", "SessionLifecycleRule"), ("archive", "SessionEventsArchive"))}


def matches(pattern, event: dict) -> bool | str:
    """Returns whether a pattern matches an event, or the error if the pattern is rejected."""
    request = {"Event": json.dumps(event), "EventPattern": json.dumps(pattern)}
    status, _, body = eventbridge._test_event_pattern(request)
    answer = json.loads(body)
    return answer["Result"] if status == 200 else answer["message"]


def put_at(event: dict, pointer: str, value) -> dict:
    """Returns a copy of an event with another value at a JSON pointer."""
    changed = part = copy.deepcopy(event)
    *path, last = pointer.removeprefix("/").split("/")
    for name in path:
        part = part[name]
    part[last] = value
    return changed


def sample_problems(patterns: dict) -> list[str]:
    """Returns the samples, and changes of the first, on which a pattern gives another result."""
    wrong = [f"events/{name} does not exist" for name in MATCHING - SAMPLES.keys()]
    first = SAMPLES[CASES["samples"]["taken"][0]]
    for which, pattern in patterns.items():
        wrong += [f"{which}: events/{name}" for name, event in SAMPLES.items()
                  if matches(pattern, event) is not (name in MATCHING)]
        wrong += [f"{which}: {case}" for case in CASES["changes"]["cases"]
                  if matches(pattern, put_at(first, case["at"], case["to"])) is not case[which]]
    return wrong


def operator_results(case: dict) -> list:
    """Returns an operator's results for a value that it matches and one that it does not."""
    pattern = {"detail": {"x": [case["match"]]}}
    return [matches(pattern, {"source": "s", "detail": {"x": case[value]}}) for value in ("yes", "no")]


def test_patterns_match_the_documented_samples():
    assert sample_problems(PATTERNS) == []


@pytest.mark.parametrize("case", CASES["operators"]["cases"], ids=str)
def test_operator(case: dict):
    assert operator_results(case) == [True, False]


@pytest.mark.parametrize("case", CASES["operators"]["cases"], ids=str)
def test_operator_with_exchanged_values_is_detected(case: dict):
    assert operator_results(case | {"yes": case["no"], "no": case["yes"]}) != [True, False]


@pytest.mark.parametrize("case", CASES["refused"]["cases"], ids=str)
def test_pattern_is_rejected(case: dict):
    answer = matches(case["pattern"], {"source": "x"})
    assert isinstance(answer, str) and case["reason"] in answer


def test_a_valid_pattern_is_not_rejected():
    assert matches({"source": ["x"]}, {"source": "x"}) is True


@pytest.mark.parametrize("change", [
    mutation("exchanged", put(rule=PATTERNS["archive"], archive=PATTERNS["rule"])),
    *(mutation(f"rule-without-{part}", drop("rule", part)) for part in PATTERNS["rule"]),
])
def test_detects(change):
    assert sample_problems(broken(PATTERNS, change))
