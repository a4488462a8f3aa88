"""Tests events/session-status-change.schema.json against the Rust types, in both directions.

1. The samples of events/, the schema's examples and the events of sessions are valid.
2. The reader accepts each valid event, and writes an equal and valid event from it.
3. If a field is removed, added or replaced, schema and reader agree. The reader is more lenient only
   in the cases of `LENIENT`.

The instances are the same in every run. The Rust side is `crates/session/examples/status_change.rs`.
"""

import json
import os
import pathlib
import subprocess

import jsonschema_rs
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

ROOT = pathlib.Path(__file__).resolve().parents[2]
RUST = ROOT / os.environ.get("BIN", "target/debug") / "examples" / "status_change"
SCHEMA = json.loads((ROOT / "events" / "session-status-change.schema.json").read_text())
FIELDS = SCHEMA["properties"]
REQUIRED = SCHEMA["required"]
OPTIONAL = [name for name in FIELDS if name not in REQUIRED]
# Values that a writer must not send and a reader accepts: null for absent, an empty text, a
# repeated language.
LENIENT = ({(name, "null") for name in OPTIONAL}
          | {(name, '""') for name in ("speakerId", "eventId")}
          | {("targetLanguages", '["de", "de"]')})
# Values of each JSON type, close to valid values and far from them.
OTHERS = [None, True, 0, 1, 7.0, 1.5, -1, 2**64, "", "x", "ACTIVE", "active", "en", "premium", "1.0", "2.0",
          "1.", "1." + "9" * 30, "1." + "0" * 30, "x" * 256, "x" * 257, "é" * 255,
          "1732540620000", "a-b-1", "a-b-1\n", [], ["de"], ["de", "de"], ["xx"], [1], [None], {}, {"a": 1},
          *(example[arn] for example in SCHEMA["examples"] for arn in ("channelArn", "streamArn"))]


def strategy(field: dict) -> st.SearchStrategy:
    """Returns the values of a field as the schema defines it."""
    if reference := field.get("$ref"):
        return strategy(SCHEMA["$defs"][reference.removeprefix("#/$defs/")])
    if "enum" in field:
        return st.sampled_from(field["enum"])
    match field["type"]:
        case "integer":
            return st.integers(field["minimum"], field["maximum"])
        case "array":
            return st.lists(strategy(field["items"]), unique=field["uniqueItems"])
        case "string" if "pattern" in field:
            # Python's $ matches before a final line break, JSON Schema's does not.
            pattern = field["pattern"].removeprefix("^").removesuffix("$")
            return st.from_regex(pattern, fullmatch=True).filter(lambda it: len(it) <= field.get("maxLength", 1024))
        case "string":
            # JSON in UTF-8 contains no lone surrogates.
            return st.text(st.characters(codec="utf-8"), min_size=field["minLength"],
                           max_size=field["maxLength"])


def instances(count: int) -> list[dict]:
    """Returns instances generated from the schema, with any of the optional fields."""
    found = []
    drawn = st.fixed_dictionaries({name: strategy(FIELDS[name]) for name in REQUIRED},
                                  optional={name: strategy(FIELDS[name]) for name in OPTIONAL})

    @settings(max_examples=count, derandomize=True, database=None, deadline=None, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))
    @given(drawn)
    def draw(instance):
        found.append(instance)

    draw()
    return found


def rust(*arguments: str, lines: list | None = None) -> list[dict]:
    """Returns the lines that the Rust side prints."""
    text = "".join(json.dumps(line) + "\n" for line in lines or [])
    done = subprocess.run([RUST, *arguments], input=text, text=True, capture_output=True, check=True)
    return [json.loads(line) for line in done.stdout.split("\n") if line]


def check_valid(validator, what: str, details: list[dict]) -> None:
    for detail in details:
        for error in validator.iter_errors(detail):
            raise SystemExit(f"{what}: {error.message} in {json.dumps(detail)}")


def check_samples(validator) -> int:
    """Checks the details of the sample events, and that the schema's examples have both
    statuses."""
    samples = [json.loads(file.read_text()) for file in sorted((ROOT / "events").glob("*.json"))]
    details = [it["detail"] for it in samples if it.get("detail-type") == SCHEMA["title"] and "detail" in it]
    details += SCHEMA["examples"]
    assert {detail["status"] for detail in SCHEMA["examples"]} == {"ACTIVE", "ENDED"}
    check_valid(validator, "a sample", details)
    check_read(details)
    return len(details)


def check_read(details: list[dict]) -> list[dict]:
    """Checks that each detail is read and written again unchanged; returns the written details."""
    verdicts = rust("read", lines=details)
    assert len(verdicts) == len(details)
    for detail, verdict in zip(details, verdicts):
        assert "read" in verdict, f"valid, but refused ({verdict['refused']}): {json.dumps(detail)}"
        read = {name: value for name, value in verdict["read"].items() if name in detail}
        known = {name: value for name, value in detail.items() if name in FIELDS}
        assert read == known, f"{json.dumps(read)} was read of {json.dumps(known)}"
    return [verdict["read"] for verdict in verdicts]


def altered(bases: list[dict]) -> list[tuple[str, str, dict]]:
    """Returns each base with one field removed, added or replaced: the field, the change, the
    detail."""
    found = []
    for base in bases:
        found += [(name, "gone", {k: v for k, v in base.items() if k != name}) for name in base]
        found += [("mood", json.dumps(value), base | {"mood": value}) for value in (None, 1, {"deep": [1, 2]})]
        found += [(name, json.dumps(value), base | {name: value}) for name in FIELDS for value in OTHERS]
    return found


def check_altered(validator, bases: list[dict]) -> int:
    """Checks that schema and reader agree on every altered detail, except for `LENIENT`."""
    changes = altered(bases)
    lenient = set()
    for (name, what, detail), verdict in zip(changes, rust("read", lines=[it for _, _, it in changes]), strict=True):
        valid, read = validator.is_valid(detail), "read" in verdict
        if what == "gone":
            assert valid == (name not in REQUIRED), f"without {name}: valid is {valid}"
        if name == "mood":
            assert valid and read, f"an unknown field: {json.dumps(detail)}"
        assert read or not valid, f"{name} {what}: valid, but refused ({verdict.get('refused')})"
        if read and not valid:
            lenient.add((name, what))
    assert lenient == LENIENT, f"more lenient: {lenient - LENIENT}; less lenient: {LENIENT - lenient}"
    return len(changes)


def main() -> None:
    jsonschema_rs.meta.validate(SCHEMA)
    validator = jsonschema_rs.Draft202012Validator(SCHEMA)
    samples = check_samples(validator)

    emitted = rust("emit", "500")
    assert {(it["status"], "streamArn" in it) for it in emitted} == {
        (status, stream) for status in FIELDS["status"]["enum"] for stream in (True, False)}
    assert set().union(*emitted) == set(FIELDS), "the schema and the emitted events have the same fields"
    check_valid(validator, "emitted", emitted)
    check_read(emitted)

    drawn = instances(500)
    check_valid(validator, "drawn", drawn)
    check_valid(validator, "written again", check_read(drawn))

    changes = check_altered(validator, SCHEMA["examples"] + drawn[:40])
    print(f"status change: {samples} samples, {len(emitted)} emitted, {len(drawn)} drawn, {changes} altered: "
          "schema and types agree")


if __name__ == "__main__":
    main()
