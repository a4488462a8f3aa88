"""The alarms against the table of metrics in crates/session/src/metrics.rs.

Each alarm uses a metric that exists, with dimensions under which it is published. Each metric of
this system has an alarm or a reason in WITHOUT_ALARM, each rule an alarm on its failed deliveries,
and each queue one on its messages. Thresholds and periods are in the snapshots.
"""

import re

import pytest

from mutations import broken, drop, mutation, put
from resolve import of_type
from template import ROOT, TRANSLATED

RESOURCES = TRANSLATED["Resources"]
ALARM, COMPOSITE = "AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"
METRICS = ROOT / "crates" / "session" / "src" / "metrics.rs"
ENVIRONMENT = [{"Name": "Environment", "Value": {"Ref": "Environment"}}]
# Metrics of AWS: the dimension, and the type of the resource that is its value.
OF_AWS = {
    ("AWS/Lambda", "Errors"): ("FunctionName", "AWS::Lambda::Function"),
    ("AWS/Lambda", "Throttles"): ("FunctionName", "AWS::Lambda::Function"),
    ("AWS/Lambda", "ConcurrentExecutions"): ("FunctionName", "AWS::Lambda::Function"),
    ("AWS/Events", "FailedInvocations"): ("RuleName", "AWS::Events::Rule"),
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"): ("QueueName", "AWS::SQS::Queue"),
}
# Each resource of these types needs an alarm on this metric.
REQUIRED = {"AWS::Events::Rule": "FailedInvocations", "AWS::SQS::Queue": "ApproximateNumberOfMessagesVisible"}
# Rules whose deliveries are not alarmed on, each with the reason.
WITHOUT_DELIVERY_ALARM = {"SessionCanaryRule": "a run that is not delivered is a missing heartbeat, which has an alarm"}
# Metrics without an alarm, each with the reason.
WITHOUT_ALARM = {
    "SessionCreationCount": "usage",
    "SessionCreationLatency": "for information; a creation that is too slow fails, which has an alarm",
    "SessionDeletionCount": "usage",
    "WarmPairMisses": "the session is created without a warm pair, only later",
    "WarmPairsReady": "for information; sessions are created without them",
    "ListenersNotNotified": "the health check notifies them again",
    "EventEmissionSuccess": "usage",
    "StreamsCleanedUp": "speakers often leave without DELETE",
    "AudioSecondsDelivered": "usage",
    "SamplesFilled": "short gaps are normal",
    "SamplesSkipped": "includes the audio that is spoken while a session is paused",
    "SamplesRepeated": "producers resend their last fragments after each reconnect",
    "SamplesRefused": "a fault of the producer, named in the log; the valid part of a fragment is delivered",
    "ClockDriftMillis": "for information; it moves no sample",
    "DeliveryLatencyMillis": "for information",
    "HandOffs": "one per stream and quarter of an hour is normal",
    "HandOffGapMillis": "for information; a gap loses no audio",
    "StopLatencyMillis": "for information",
    "ReducedCodec": "the core is delivered; its bandwidth suffices for 16 kHz",
    "InvalidEvent": "the event is sent to session-events-dlq, which has an alarm",
    "ChunksDeadLettered": "the chunks are sent to chunk-dlq, which has an alarm",
    "WorkerSessions": "usage",
    "WorkerFull": "starts that wait have an alarm",
    "WorkerCpuPercent": "the workers are scaled by it; starts that wait have an alarm",
    "WorkerMemoryPercent": "a worker without memory receives nothing; starts that wait have an alarm",
    "CanaryCreateMillis": "for information; a step that takes too long fails the session",
    "CanaryFirstSampleMillis": "for information; a step that takes too long fails the session",
    "CanaryLastSampleMillis": "for information; a step that takes too long fails the session",
    "CanaryEndMillis": "for information; a step that takes too long fails the session",
}


def metric_table() -> dict[str, tuple[str, list]]:
    """Returns the namespace of each metric in the Rust table, and its dimensions."""
    text = METRICS.read_text()
    names = dict(re.findall(r'Self::(\w+) => "([^"]+)",', text))
    fixed = dict(re.findall(r'Self::(\w+) => Some\(\(("\w+", "\w+")\)\)', text))
    rows = re.findall(r'^    \w+: (\w+), "(\w+)", \w+;$', text, re.M)
    assert len(rows) == sum(text.count(f'", {unit};') for unit in ("Count", "Milliseconds", "Seconds", "Percent"))
    table = {}
    for namespace, metric in rows:
        own = [dict(zip(("Name", "Value"), re.findall(r"\w+", fixed[namespace])))] if namespace in fixed else []
        table[metric] = (names[namespace], own + ENVIRONMENT)
    return table


def target(resources: dict, dimension: dict) -> str | None:
    """Returns the logical id of the resource that is a dimension's value, or None."""
    value = dimension["Value"]
    if not isinstance(value, dict):
        return None
    name = value.get("Ref") or value.get("Fn::GetAtt", [None])[0]
    return name if name in resources else None


def metrics(alarm: dict) -> list[dict]:
    """Returns the metrics of an alarm: its own, or those of its expression."""
    return [it["MetricStat"]["Metric"] for it in alarm.get("Metrics", []) if "MetricStat" in it] or [alarm]


def metric_problem(resources: dict, used: dict, table: dict) -> str | None:
    """Returns what is wrong with a metric that an alarm uses, or None."""
    namespace, metric, dimensions = used["Namespace"], used["MetricName"], used.get("Dimensions", [])
    if own := OF_AWS.get((namespace, metric)):
        found = [(it["Name"], resources.get(target(resources, it), {}).get("Type")) for it in dimensions]
        return None if found == [own] else f"its dimensions are {dimensions}, not the {own[0]} of a {own[1]}"
    if metric not in table:
        return f"{metric} is not a metric of this system, nor of AWS in OF_AWS"
    if (namespace, dimensions) != table[metric]:
        return f"{metric} is published as {table[metric]}"
    return None


def rule_problem(resources: dict, rule: dict) -> str | None:
    """Returns what is wrong with the rule of a composite alarm, or None."""
    operator, states = rule["Fn::Join"]
    # A state of a resource that a stack may not have.
    states = [it.get("Fn::If", [None, it])[1] for it in states]
    names = [re.fullmatch(r'ALARM\("\$\{(\w+)\}"\)', it["Fn::Sub"]) for it in states]
    if operator != " OR " or not names or not all(names):
        return "its AlarmRule is not a list of alarms"
    unknown = [it[1] for it in names if resources.get(it[1], {}).get("Type") != ALARM]
    return f"its AlarmRule names {unknown}" if unknown else None


def problems(resources: dict) -> list[str]:
    """Returns what is wrong with the alarms of a translated template."""
    table = metric_table()
    found, used = [], set()
    for name, alarm in of_type(resources, ALARM).items():
        found += [f"{name}: {reason}" for it in metrics(alarm) if (reason := metric_problem(resources, it, table))]
        for metric in metrics(alarm):
            used.add(metric["MetricName"])
            used |= {(metric["MetricName"], target(resources, it)) for it in metric.get("Dimensions", [])}
    for name, alarm in of_type(resources, COMPOSITE).items():
        if reason := rule_problem(resources, alarm["AlarmRule"]):
            found.append(f"{name}: {reason}")
    for name, alarm in (of_type(resources, ALARM) | of_type(resources, COMPOSITE)).items():
        if not str(alarm.get("AlarmDescription", "")).endswith("."):
            found.append(f"{name}: its AlarmDescription is not a sentence")
    for name, resource in resources.items():
        metric = REQUIRED.get(resource["Type"])
        if metric and (metric, name) not in used and name not in WITHOUT_DELIVERY_ALARM:
            found.append(f"{name}: no alarm on its {metric}")
    found += [f"{it}: add an alarm, or a reason to WITHOUT_ALARM" for it in table.keys() - used - WITHOUT_ALARM.keys()]
    found += [f"{it} has an alarm: remove it from WITHOUT_ALARM" for it in used & WITHOUT_ALARM.keys()]
    return found + [f"WITHOUT_ALARM: {it} is not a metric" for it in WITHOUT_ALARM.keys() - table.keys()]


def test_alarms_and_metrics_agree():
    assert problems(RESOURCES) == []


def mutations():
    """Yields broken alarms, and resources without alarm."""
    for name, alarm in of_type(RESOURCES, ALARM).items():
        path = (name, "Properties")
        yield mutation(f"{name}-without-description", put(*path, AlarmDescription=""))
        if "Metrics" in alarm:
            index = next(index for index, it in enumerate(alarm["Metrics"]) if "MetricStat" in it)
            path = (*path, "Metrics", index, "MetricStat", "Metric")
        dimensions = metrics(alarm)[0]["Dimensions"]
        yield mutation(f"{name}-other-metric", put(*path, MetricName="Other"))
        yield mutation(f"{name}-other-namespace", put(*path, Namespace="Other"))
        yield mutation(f"{name}-dimension-missing", put(*path, Dimensions=dimensions[1:]))
        yield mutation(f"{name}-dimension-added", put(*path, Dimensions=[*dimensions, {"Name": "a", "Value": "b"}]))
        yield mutation(f"{name}-other-value", put(*path, Dimensions=[it | {"Value": "b"} for it in dimensions]))
        # The snapshots contain the alarms on the functions, which no table requires.
        if metrics(alarm)[0]["Namespace"] != "AWS/Lambda":
            yield mutation(f"{name}-gone", drop(name))
    for name, alarm in of_type(RESOURCES, COMPOSITE).items():
        path = (name, "Properties", "AlarmRule", "Fn::Join")
        yield mutation(f"{name}-of-another-alarm", put(*path, 1, 0, **{"Fn::Sub": 'ALARM("${Other}")'}))
        yield mutation(f"{name}-without-description", put(name, "Properties", AlarmDescription=""))
    yield mutation("queue-without-alarm", put(New={"Type": "AWS::SQS::Queue"}))


@pytest.mark.parametrize("change", list(mutations()))
def test_detects(change):
    assert problems(broken(RESOURCES, change))
