"""The alarms, held against the one table of metrics: part of check_template.py.

Every alarm looks at a metric that exists, under dimensions with which it is published. (When it is raised
and whom it tells: check_alarm_settings.py.) The other way round, every metric of this system has an alarm or a reason here to have none,
every rule an alarm on what it cannot deliver, and every queue one on what lies in it.
"""

import pathlib
import re

from spoil import Spoiler

METRICS = pathlib.Path(__file__).resolve().parent.parent / "crates" / "session" / "src" / "metrics.rs"
HERE_ALONE = [{"Name": "Environment", "Value": {"Ref": "Environment"}}]
# Metrics of AWS's own: the dimension, and the type of resource that is its value.
OF_AWS = {
    ("AWS/Lambda", "Errors"): ("FunctionName", "AWS::Lambda::Function"),
    ("AWS/Lambda", "Throttles"): ("FunctionName", "AWS::Lambda::Function"),
    ("AWS/Events", "FailedInvocations"): ("RuleName", "AWS::Events::Rule"),
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"): ("QueueName", "AWS::SQS::Queue"),
}
# Of each resource of a type, this must have an alarm.
NEEDED = {
    "AWS::Events::Rule": ("AWS/Events", "FailedInvocations"),
    "AWS::SQS::Queue": ("AWS/SQS", "ApproximateNumberOfMessagesVisible"),
}
# Metrics that raise no alarm, and why.
QUIET = {
    "SessionCreationCount": "how much goes on",
    "SessionCreationLatency": "a figure to look at; creation that is too slow fails, and that is alarmed",
    "SessionDeletionCount": "how much goes on",
    "ListenersNotTold": "a courtesy; the health check tells them again",
    "EventEmissionSuccess": "how much goes on",
    "StreamsCleanedUp": "speakers who leave without DELETE are usual",
    "StreamLagMillis": "one fragment behind is usual; RetentionRiskMillis is the lag that matters",
    "AudioSecondsDelivered": "how much goes on",
    "SamplesFilled": "short gaps are usual",
    "SamplesSkipped": "what is spoken while a session is paused counts here too",
    "SamplesRepeated": "producers send their last fragments again after each reconnect",
    "SamplesRefused": "a producer's fault, named in the log; what a fragment can hold is delivered",
    "ClockDriftMillis": "a figure to look at; no sample moves with it",
    "DeliveryLatencyMillis": "a figure to look at",
    "HandOffs": "one each quarter of an hour and stream is usual",
    "HandOffGapMillis": "a figure to look at; nothing is lost by it",
    "StopLatencyMillis": "a figure to look at",
    "ReducedCodec": "the core is delivered; its bandwidth is enough for 16 kHz",
    "InvalidEvent": "it ends in session-events-dlq, which has an alarm",
    "ChunksDeadLettered": "they end in chunk-dlq, which has an alarm",
}


def metric_table() -> dict[str, tuple[str, list]]:
    """Each metric of the Rust table: its namespace in CloudWatch, and the dimensions of its environment."""
    text = METRICS.read_text()
    names = dict(re.findall(r'Self::(\w+) => "([^"]+)",', text))
    fixed = dict(re.findall(r'Self::(\w+) => Some\(\(("\w+", "\w+")\)\)', text))
    rows = re.findall(r'^    \w+ = (\w+), "(\w+)", \w+,$', text, re.M)
    assert len(rows) == text.count('", Count,') + text.count('", Milliseconds,') + text.count('", Seconds,')
    table = {}
    for namespace, metric in rows:
        own = [dict(zip(("Name", "Value"), re.findall(r"\w+", fixed[namespace])))] if namespace in fixed else []
        table[metric] = (names[namespace], own + HERE_ALONE)
    return table


def watched(resources: dict, dimension: dict) -> str | None:
    """The logical id of the resource that is a dimension's value."""
    value = dimension["Value"]
    if isinstance(value, dict):
        name = value.get("Ref") or value.get("Fn::GetAtt", [None])[0]
        return name if name in resources else None
    return None


def wrong_with(resources: dict, properties: dict, table: dict) -> str | None:
    """What is wrong with the metric of one alarm."""
    namespace, metric = properties["Namespace"], properties["MetricName"]
    dimensions = properties.get("Dimensions", [])
    if own := OF_AWS.get((namespace, metric)):
        named = [it["Name"] for it in dimensions]
        kinds = [resources.get(watched(resources, it), {}).get("Type") for it in dimensions]
        is_right = named == [own[0]] and kinds == [own[1]]
        return None if is_right else f"its dimensions are {dimensions}, not the {own[0]} of a {own[1]}"
    if metric not in table:
        return f"{metric} is no metric of this system or known of AWS"
    if namespace != table[metric][0]:
        return f"{metric} is published in {table[metric][0]}, not {namespace}"
    return None if dimensions == table[metric][1] else f"{metric} is published under {table[metric][1]}"


def check(resources: dict) -> list[str]:
    """What is wrong with the alarms of a translated template."""
    table = metric_table()
    alarms = {name: it["Properties"] for name, it in resources.items() if it["Type"] == "AWS::CloudWatch::Alarm"}
    wrong, seen = [], set()
    for name, properties in alarms.items():
        if reason := wrong_with(resources, properties, table):
            wrong.append(f"{name}: {reason}")
        seen.add(properties["MetricName"])
        seen |= {(properties["MetricName"], watched(resources, it)) for it in properties.get("Dimensions", [])}
    for name, resource in resources.items():
        needed = NEEDED.get(resource["Type"])
        if needed and (needed[1], name) not in seen:
            wrong.append(f"{name}: no alarm on its {needed[1]}")
    wrong += [f"{metric} has neither an alarm nor a reason in QUIET" for metric in table.keys() - seen - QUIET.keys()]
    wrong += [f"{metric} has an alarm and a reason for none" for metric in seen & QUIET.keys()]
    return wrong + [f"QUIET has {metric}, which is no metric" for metric in QUIET.keys() - table.keys()]


def check_would_notice(resources: dict) -> list[str]:
    """Spoils each alarm in turn, in a copy: a check that lets one pass is worth nothing."""
    spoilt = Spoiler("check_alarms", check, resources)

    def put(name: str, **values):
        return lambda changed: changed[name]["Properties"].update(values)

    for name, alarm in resources.items():
        if alarm["Type"] != "AWS::CloudWatch::Alarm":
            continue
        dimensions = alarm["Properties"]["Dimensions"]
        spoilt(f"another metric in {name}", put(name, MetricName="Other"))
        spoilt(f"another namespace in {name}", put(name, Namespace="Other"))
        spoilt(f"no dimension in {name}", put(name, Dimensions=dimensions[1:]))
        spoilt(f"one more dimension in {name}", put(name, Dimensions=[*dimensions, {"Name": "a", "Value": "b"}]))
        spoilt(f"another value in {name}", put(name, Dimensions=[it | {"Value": "b"} for it in dimensions]))
        # Which functions need one on errors and throttles is check_alarm_settings.py's to say.
        if alarm["Properties"]["Namespace"] != "AWS/Lambda":
            spoilt(f"{name} gone", lambda changed, name=name: changed.pop(name))
    spoilt("a queue without alarm", lambda changed: changed.update(New={"Type": "AWS::SQS::Queue"}))
    return spoilt.unnoticed
