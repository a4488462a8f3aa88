"""Raises each alarm of the template by its real cause in local clouds, and clears it again.

    python tests/alarms [--short] [GROUP…]

`--short` leaves out the groups that are long. Writes target/operate/alarms.json:
for each alarm its cause, and after how many seconds of the cloud's clock it was raised and, after the
cause was removed, cleared.
"""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor

from cloud import ROOT, Cloud, eventually
from scenarios import GROUPS, Group, Scenario

# Clouds that run at a time.
AT_ONCE = 3
REPORT = ROOT / "target" / "operate" / "alarms.json"


def play(cloud: Cloud, scenario: Scenario) -> list[dict]:
    """Runs a scenario; returns what it proved of each alarm."""
    causes, start = scenario.run(cloud), cloud.now()
    next(causes)
    fired = {}
    for alarm in scenario.alarms:
        changes = eventually(f"{alarm} is raised", lambda: cloud.changes(alarm, "ALARM", start))
        fired[alarm] = changes[0]
    end = cloud.now()
    for _ in causes:
        raise AssertionError("a scenario yields once")
    proved = []
    for alarm in scenario.alarms:
        eventually(f"{alarm} is cleared", lambda: cloud.is_ok(alarm))
        # A cause of one moment may be over before it is removed.
        cleared = max(cloud.changes(alarm, "OK", fired[alarm])[-1], end)
        proved.append({"alarm": alarm, "cause": scenario.cause,
                       "firedAfterS": round((fired[alarm] - start).total_seconds()),
                       "clearedAfterS": round((cleared - end).total_seconds())})
        print(f"{cloud.name}: {proved[-1]}", flush=True)
    return proved


def notified(cloud: Cloud, proved: list[dict]) -> None:
    """Asserts that the topic was notified when each alarm was raised and cleared."""
    sent = {(message["AlarmName"], message["NewStateValue"])
            for it in cloud.request("GET", "/_local/notifications")[1]["notifications"]
            if (message := json.loads(it["message"]))}
    missing = {(f"{it['alarm']}-dev", state) for it in proved for state in ("ALARM", "OK")} - sent
    assert not missing, f"not notified: {missing}"


def run(group: Group) -> list[dict] | None:
    """Runs the waves of a group in a cloud; returns what they proved, or `None` after a failure."""
    try:
        cloud = Cloud(group.name, group.scale, group.arguments, **group.parameters)
        try:
            if not group.at_once:
                cloud.settle()
            proved = []
            for wave in group.waves:
                with ThreadPoolExecutor(len(wave)) as pool:
                    proved += [it for part in pool.map(lambda it: play(cloud, it), wave) for it in part]
            notified(cloud, proved)
            return proved
        except BaseException:
            sys.stderr.write((cloud.folder / "cloud.log").read_text()[-4000:])
            raise
        finally:
            cloud.close()
    except Exception:
        traceback.print_exc()
        return None


def alarms() -> set[str]:
    """Returns the names of the template's alarms, without the environment."""
    cloud = Cloud("names", 60)
    try:
        pages = cloud.cloudwatch.get_paginator("describe_alarms").paginate(
            AlarmTypes=["MetricAlarm", "CompositeAlarm"])
        return {it["AlarmName"].removesuffix("-dev") for page in pages
                for kind in ("MetricAlarms", "CompositeAlarms") for it in page[kind]}
    finally:
        cloud.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="leave out the groups that are long")
    parser.add_argument("groups", nargs="*", metavar="GROUP", help="run these groups only")
    args = parser.parse_args()
    chosen = [it for it in GROUPS if (it.name in args.groups if args.groups else not (args.short and it.is_long))]
    planned = {alarm for group in GROUPS for wave in group.waves for it in wave for alarm in it.alarms}
    unproved = alarms() - planned
    with ThreadPoolExecutor(AT_ONCE) as pool:
        results = list(pool.map(run, sorted(chosen, key=lambda it: not it.is_long)))
    proved = sorted((it for result in results if result for it in result), key=lambda it: it["alarm"])
    if not args.groups and not args.short:
        REPORT.parent.mkdir(parents=True, exist_ok=True)
        REPORT.write_text(json.dumps(proved, indent=2) + "\n")
    print(f"{len(proved)} alarms were raised by their cause and cleared"
          + (f"; without a scenario: {sorted(unproved)}" if unproved else ""))
    return 1 if unproved or None in results else 0


if __name__ == "__main__":
    sys.exit(main())
