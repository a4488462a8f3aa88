"""The template against a second implementation of AWS: `python infra/check_emulator.py`, after check_template.py.

1. The patterns of rule and archive, on every sample of events/ and on the cases of
   tests/events/patterns.json. The first engine is the local cloud's own, in its tests; this is the
   second, TestEventPattern of ministack, called within this process.
2. With Profile=core the template has no resource of a type that ministack does not know, and core
   leaves out nothing that it does know.
3. ministack makes that stack (check_stack.py).

Needs what infra/emulator-requirements.txt pins; makes its own venv under target/ when it is missing.
"""

import copy
import json
import logging
import pathlib
import sys

import check_stack
from resolve import Resolver
from spoil import Spoiler
from tools import run_inside

ROOT = pathlib.Path(__file__).resolve().parent.parent
TRANSLATED = ROOT / "target" / "translated.json"
CASES = json.loads((ROOT / "tests" / "events" / "patterns.json").read_text())


def asked(pattern, event: dict) -> bool | str:
    """Whether the emulator's pattern takes an event; its reason when it refuses the pattern."""
    from ministack.services import eventbridge

    request = {"Event": json.dumps(event), "EventPattern": json.dumps(pattern)}
    status, _, body = eventbridge._test_event_pattern(request)
    answer = json.loads(body)
    return answer["Result"] if status == 200 else answer["message"]


def put(event: dict, pointer: str, value) -> dict:
    """A copy of an event with another value at a JSON pointer."""
    changed = copy.deepcopy(event)
    *path, last = pointer.removeprefix("/").split("/")
    part = changed
    for name in path:
        part = part[name]
    part[last] = value
    return changed


def check_samples(rule: dict, archive: dict) -> list[str]:
    """The template's patterns on the samples, and on changes of the first."""
    wrong = []
    taken = CASES["samples"]["taken"]
    files = [path for path in (ROOT / "events").glob("*.json") if not path.name.startswith("rule-pattern")]
    wrong += [f"events/{name} is not there" for name in set(taken) - {path.name for path in files}]
    for path in files:
        for what, pattern in (("rule", rule), ("archive", archive)):
            if asked(pattern, json.loads(path.read_text())) is not (path.name in taken):
                wrong.append(f"the {what} has another mind about events/{path.name}")
    first = json.loads((ROOT / "events" / taken[0]).read_text())
    for case in CASES["changes"]["cases"]:
        event = put(first, case["at"], case["to"])
        for what, pattern in (("rule", rule), ("archive", archive)):
            if asked(pattern, event) is not case[what]:
                wrong.append(f"the {what} has another mind about {case}")
    return wrong


def check_engine(cases: dict) -> list[str]:
    """Operators, and what is refused: so that the local cloud's engine is held to more than itself."""
    wrong = []
    for case in cases["operators"]["cases"]:
        pattern = {"detail": {"x": [case["match"]]}}
        answers = [asked(pattern, {"source": "s", "detail": {"x": case[value]}}) for value in ("yes", "no")]
        if answers != [True, False]:
            wrong.append(f"{case}: {answers}")
    for case in cases["refused"]["cases"]:
        answer = asked(case["pattern"], {"source": "x"})
        if not isinstance(answer, str) or case["reason"] not in answer:
            wrong.append(f"{case}: {answer}")
    return wrong


def check_core(template: dict) -> list[str]:
    """What core leaves out is what the emulator lacks, neither more nor less."""
    from ministack.services.cloudformation import provisioners

    types = {profile: {it["Type"] for it in Resolver(template, {"Profile": profile}).resources().values()}
             for profile in ("core", "full")}
    lacking = types["full"] - provisioners._RESOURCE_HANDLERS.keys()
    wrong = [f"Profile=core has {kind}, which the emulator lacks" for kind in types["core"] & lacking]
    return wrong + [f"Profile=core leaves out {kind}, which the emulator has"
                    for kind in types["full"] - types["core"] - lacking]


def check_would_notice(template: dict, rule: dict, archive: dict) -> list[str]:
    """Exchanges the patterns, the cases' answers, and what core leaves out, in a copy."""
    samples = Spoiler("check_samples", lambda it: check_samples(it["rule"], it["archive"]), {"rule": rule, "archive": archive})
    samples("the two patterns exchanged", lambda it: it.update(rule=archive, archive=rule))
    for part in rule:
        samples(f"the rule without {part}", lambda it, part=part: it["rule"].pop(part))
    engine = Spoiler("check_engine", check_engine, CASES)
    for at, case in enumerate(CASES["operators"]["cases"]):
        engine(f"{case} the other way round", lambda it, at=at, case=case: (
            it["operators"]["cases"][at].update(yes=case["no"], no=case["yes"])))
    for at, case in enumerate(CASES["refused"]["cases"]):
        engine(f"{case} being taken", lambda it, at=at: it["refused"]["cases"][at].update(pattern={"source": ["x"]}))
    core = Spoiler("check_core", check_core, template)
    core("a core that is full", lambda it: it["Conditions"].update(Complete={"Fn::Equals": ["", ""]}))
    core("a core without queues", lambda it: [resource.update(Condition="Complete") for resource in it["Resources"].values()
                                              if resource["Type"] == "AWS::SQS::Queue"])
    return samples.unnoticed + engine.unnoticed + core.unnoticed


def main() -> int:
    run_inside("emulator-tools", "emulator-requirements.txt", ["ministack"])
    logging.disable()
    if not TRANSLATED.exists():
        sys.exit(f"missing: {TRANSLATED.relative_to(ROOT)}; check_template.py writes it")
    template = json.loads(TRANSLATED.read_text())
    rule, archive = (template["Resources"][name]["Properties"]["EventPattern"]
                     for name in ("SessionLifecycleRule", "SessionEventsArchive"))
    wrong = check_samples(rule, archive) + check_engine(CASES) + check_core(template) + check_stack.check(template)
    wrong = wrong or check_would_notice(template, rule, archive) + check_stack.check_would_notice(template)
    print("\n".join(wrong) if wrong else "emulator: patterns, Profile=core and its stacks ok")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
