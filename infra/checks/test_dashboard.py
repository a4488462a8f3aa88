"""The widgets of the dashboard against the table of metrics in crates/session/src/metrics.rs, and
against the metrics of AWS and their dimensions."""

import json
import re

import pytest

from mutations import broken, mutation
from template import SOURCE, TRANSLATED
from test_alarms import metric_table

DASHBOARD = "SpeechDashboard"
# Metrics of AWS by namespace and name: the dimension, and the type of the resource that is its
# value.
OF_AWS = {
    "AWS/Lambda": ("FunctionName", "AWS::Lambda::Function",
                   {"ConcurrentExecutions", "Duration", "Errors", "Invocations", "Throttles"}),
    "AWS/SQS": ("QueueName", "AWS::SQS::Queue",
                {"ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesVisible"}),
    "AWS/DynamoDB": ("TableName", "AWS::DynamoDB::Table",
                     {"ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits"}),
}
# In SEARCH expressions: KVS creates a metric for each stream. A value without quotation marks is a
# word of a name.
SEARCHED = {"PutMedia.IncomingBytes", "GetMedia.OutgoingBytes"}
SEARCH = re.compile(r"""SUM\(SEARCH\('\{AWS/KinesisVideo,StreamName\} MetricName="([\w.]+)" StreamName=session', """
                    r"""'Sum', 300\)\)""")
# The widgets of a host, and the condition on which its resources exist.
HOST_WIDGETS = {"Workers": "RunWorkers", "Instances": "HaveInstances"}
STATISTICS = {"Sum", "Minimum", "Maximum", "p50", "p99"}


def body() -> tuple[dict, dict]:
    """Returns the dashboard with the widgets of every host and its references unresolved, and the names
    that it defines itself."""
    text, own = TRANSLATED["Resources"][DASHBOARD]["Properties"]["DashboardBody"]["Fn::Sub"]
    for name, condition in HOST_WIDGETS.items():
        found, widgets, otherwise = own[name]["Fn::If"]
        assert (found, otherwise) == (condition, "")
        text = text.replace(f"${{{name}}}", widgets["Fn::Sub"])
    return json.loads(text), own


def value_of(resources: dict, reference: str, own: dict) -> str | None:
    """Returns the type of the resource whose name `${…}` is, or None."""
    name = re.fullmatch(r"\$\{(\w+)(\.QueueName)?\}", reference)
    if not name:
        return None
    # The processor: the own function, or one of another stack.
    logical_id = own[name[1]]["Fn::If"][1]["Ref"] if name[1] in own else name[1]
    return resources.get(logical_id, {}).get("Type")


def metric_problem(row: list, own: dict) -> str | None:
    """Returns what is wrong with one line of a widget that shows a metric, or None."""
    *row, options = row
    (namespace, metric), dimensions = row[:2], list(zip(row[2::2], row[3::2]))
    if options.get("stat") not in STATISTICS:
        return f"{metric}: its statistic is {options.get('stat')}"
    if namespace not in OF_AWS:
        published = {name: (space, [(it["Name"], it["Value"]) for it in list_of])
                     for name, (space, list_of) in metric_table().items()}
        wanted = [(name, "${Environment}" if name == "Environment" else value) for name, value in
                  published.get(metric, (None, []))[1]]
        found = (namespace, dimensions)
        return None if found == (published.get(metric, (None,))[0], wanted) else f"{found} is not how {metric} is published"
    name, kind, metrics = OF_AWS[namespace]
    types = [(key, value_of(TRANSLATED["Resources"], value, own)) for key, value in dimensions]
    return None if metric in metrics and types == [(name, kind)] else f"{namespace} {metric} has no {dimensions}"


def expression_problem(expression: str, ids: set[str]) -> str | None:
    """Returns what is wrong with an expression, or None."""
    if search := SEARCH.fullmatch(expression):
        return None if search[1] in SEARCHED else f"{search[1]} is not a metric of KVS"
    used = set(re.findall(r"\b[a-z]\w*", re.sub(r"\$\{(\w+)\}", "", expression)))
    parameters = set(re.findall(r"\$\{(\w+)\}", expression))
    unknown = used - ids | parameters - SOURCE["Parameters"].keys()
    return f"{expression!r} refers to {unknown}" if unknown or not used else None


def problems(dashboard: dict, own: dict) -> list[str]:
    """Returns what is wrong with the dashboard."""
    found, places = [], set()
    for widget in dashboard["widgets"]:
        properties, place = widget["properties"], (widget["x"], widget["y"])
        rows = properties["metrics"]
        ids = {row[-1]["id"] for row in rows if "id" in row[-1]}
        for row in rows:
            expression = row[0].get("expression") if isinstance(row[0], dict) else None
            reason = expression_problem(expression, ids) if expression else metric_problem(row, own)
            found += [f"{properties['title']}: {reason}"] if reason else []
        if place in places or properties["region"] != "${AWS::Region}" or properties["period"] != 300:
            found.append(f"{properties['title']}: its place, region or period")
        places.add(place)
    return found


def test_every_metric_is_published():
    assert problems(*body()) == []


def rows(dashboard: dict, title: str) -> list:
    """Returns the lines of a widget."""
    return next(it["properties"]["metrics"] for it in dashboard["widgets"] if title in it["properties"]["title"])


@pytest.mark.parametrize("change", [
    mutation("unknown-metric", lambda it: rows(it, "Sessions")[0].__setitem__(1, "Other")),
    mutation("other-namespace", lambda it: rows(it, "Sessions")[0].__setitem__(0, "SessionManagement")),
    mutation("without-environment", lambda it: rows(it, "Lag")[0].__delitem__(slice(2, 4))),
    mutation("other-environment", lambda it: rows(it, "Lag")[0].__setitem__(3, "prod")),
    mutation("unknown-statistic", lambda it: rows(it, "Lag")[0][-1].update(stat="p101")),
    mutation("unknown-metric-of-aws", lambda it: rows(it, "Queues")[0].__setitem__(1, "Other")),
    mutation("another-dimension", lambda it: rows(it, "Queues")[0].__setitem__(2, "FunctionName")),
    mutation("another-resource", lambda it: rows(it, "Queues")[0].__setitem__(3, "${SessionsTable}")),
    mutation("unknown-id", lambda it: rows(it, "GB-seconds")[0][0].update(expression="other / 1000")),
    mutation("unknown-parameter", lambda it: rows(it, "GB-seconds")[0][0].update(expression="consumer * ${Other}")),
    mutation("unknown-metric-of-kvs", lambda it: rows(it, "KVS")[0][0].update(
        expression=rows(it, "KVS")[0][0]["expression"].replace("PutMedia", "Put"))),
    mutation("unknown-metric-of-workers", lambda it: rows(it, "Workers: CPU")[0].__setitem__(1, "Other")),
    mutation("another-resource-of-instances", lambda it: rows(it, "instances: errors")[0].__setitem__(3, "${StreamsTable}")),
    mutation("two-at-one-place", lambda it: it["widgets"][1].update(x=0, y=0)),
])
def test_detects(change):
    dashboard, own = body()
    assert problems(broken(dashboard, change), own)
