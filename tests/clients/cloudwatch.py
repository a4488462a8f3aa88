"""Tests CloudWatch of the local cloud with an unmodified boto3: metrics, statistics, alarms, the
dashboard, and the errors of wrong requests."""

import datetime
import json

import boto3
from botocore.exceptions import ClientError

ENV = "dev"
NAMESPACE = "clients"


def refused(code: str, call, **arguments) -> None:
    """Asserts that the call fails with this code."""
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error.response["Error"]
        return
    raise SystemExit(f"{call.__name__} was not refused with {code}")


def own_metrics(cloudwatch) -> None:
    """Checks values of PutMetricData: listed, and read in both ways."""
    now = datetime.datetime.now(datetime.timezone.utc).replace(second=0, microsecond=0)
    dimensions = [{"Name": "Kind", "Value": "test"}]
    cloudwatch.put_metric_data(Namespace=NAMESPACE, MetricData=[
        {"MetricName": "M", "Dimensions": dimensions, "Timestamp": now, "Values": [1.0, 4.0], "Counts": [3, 1],
         "Unit": "Count"}])
    listed = cloudwatch.list_metrics(Namespace=NAMESPACE)["Metrics"]
    assert listed == [{"Namespace": NAMESPACE, "MetricName": "M", "Dimensions": dimensions}], listed
    period = {"StartTime": now, "EndTime": now + datetime.timedelta(minutes=1)}
    metric = {"Namespace": NAMESPACE, "MetricName": "M", "Dimensions": dimensions}
    points = cloudwatch.get_metric_statistics(**metric, **period, Period=60, Statistics=["Sum", "SampleCount"])
    assert points["Datapoints"] == [{"Timestamp": now, "Sum": 7.0, "SampleCount": 4.0, "Unit": "Count"}], points
    queries = [{"Id": "m", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "p75"}, "ReturnData": False},
               {"Id": "e", "Expression": "100 * m"}]
    data = cloudwatch.get_metric_data(MetricDataQueries=queries, **period)["MetricDataResults"]
    assert data == [{"Id": "e", "Label": "e", "Timestamps": [now], "Values": [100.0], "StatusCode": "Complete"}], data

    refused("InvalidParameterValue", cloudwatch.put_metric_data, Namespace="AWS/Lambda", MetricData=[])
    refused("InvalidParameterCombination", cloudwatch.get_metric_statistics, **metric, Period=60,
            Statistics=["Sum"], StartTime=now - datetime.timedelta(days=2), EndTime=now)
    refused("InvalidParameterValue", cloudwatch.get_metric_statistics, **metric, Period=60, Statistics=["Sum"],
            StartTime=now, EndTime=now)
    refused("MissingParameter", cloudwatch.get_metric_statistics, **metric, **period, Period=60)
    refused("ValidationError", cloudwatch.get_metric_data, MetricDataQueries=queries * 2, **period)


def metrics_of_services(cloudwatch) -> None:
    """Checks that the invocation of a function is counted."""
    client = boto3.client("lambda")
    client.invoke(FunctionName=f"session-http-handler-{ENV}", Payload=b"{}")
    dimensions = [{"Name": "FunctionName", "Value": f"session-http-handler-{ENV}"}]
    names = {it["MetricName"] for it in cloudwatch.list_metrics(Namespace="AWS/Lambda", Dimensions=dimensions)["Metrics"]}
    assert {"Invocations", "Errors", "Throttles", "Duration", "ConcurrentExecutions"} <= names, names


def alarms(cloudwatch) -> None:
    """Checks the description of alarms, page by page, and a state that is set by hand."""
    types = ["MetricAlarm", "CompositeAlarm"]
    pages = list(cloudwatch.get_paginator("describe_alarms").paginate(
        AlarmTypes=types, PaginationConfig={"PageSize": 5}))
    names = [it["AlarmName"] for page in pages for kind in ("MetricAlarms", "CompositeAlarms") for it in page[kind]]
    assert len(pages) > 1 and len(names) == len(set(names)), pages
    assert f"speech-not-arriving-{ENV}" in names, names
    assert f"speech-not-arriving-{ENV}" not in [
        it["AlarmName"] for it in cloudwatch.describe_alarms()["MetricAlarms"]]
    alarm = cloudwatch.describe_alarms(AlarmNames=[f"kvs-unsupported-codec-{ENV}"])["MetricAlarms"][0]
    assert (alarm["Threshold"], alarm["Period"], alarm["StateTransitionedTimestamp"].tzinfo is not None) == (1, 300, True)
    name = alarm["AlarmName"]
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a test")
    history = cloudwatch.describe_alarm_history(AlarmName=name, HistoryItemType="StateUpdate", MaxRecords=100)
    data = [json.loads(it["HistoryData"])["newState"] for it in history["AlarmHistoryItems"]]
    assert {"stateValue": "ALARM", "stateReason": "a test", "stateReasonData": None} in data, data
    refused("ResourceNotFound", cloudwatch.set_alarm_state, AlarmName="none", StateValue="OK", StateReason="x")
    refused("ValidationError", cloudwatch.describe_alarms, AlarmNames=["a"], AlarmNamePrefix="a")
    refused("InvalidNextToken", cloudwatch.describe_alarms, NextToken="x")


def dashboard(cloudwatch) -> None:
    """Checks that the dashboard of the template is there."""
    name = cloudwatch.list_dashboards()["DashboardEntries"][0]["DashboardName"]
    assert json.loads(cloudwatch.get_dashboard(DashboardName=name)["DashboardBody"])["widgets"]
    refused("ResourceNotFound", cloudwatch.get_dashboard, DashboardName="none")


def main() -> None:
    cloudwatch = boto3.client("cloudwatch")
    own_metrics(cloudwatch)
    metrics_of_services(cloudwatch)
    alarms(cloudwatch)
    dashboard(cloudwatch)


if __name__ == "__main__":
    main()
