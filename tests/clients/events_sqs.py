"""Tests EventBridge and SQS of the local cloud with an unmodified boto3: deployed rules, patterns,
PutEvents, dead letters, archive and replay."""

import datetime
import json
import pathlib

import boto3
from botocore.exceptions import ClientError

ROOT = pathlib.Path(__file__).resolve().parents[2]
ENV = "dev"


def refused(code: str, call, **arguments) -> None:
    """Asserts that the call fails with this code."""
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error.response["Error"]
        return
    raise SystemExit(f"{call.__name__} was not refused with {code}")


def rules(events) -> None:
    """Checks the two rules, their targets, and the pattern with the samples of the
    specification."""
    rule = events.describe_rule(Name=f"session-lifecycle-{ENV}")
    pattern = (ROOT / "events" / "rule-pattern.json").read_text()
    assert json.loads(rule["EventPattern"]) == json.loads(pattern), rule
    assert rule["State"] == "ENABLED"
    names = {rule["Name"] for rule in events.list_rules()["Rules"]}
    assert {f"session-lifecycle-{ENV}", f"kvs-health-check-{ENV}"} <= names, names
    assert len(events.list_rules(Limit=1)["Rules"]) == 1
    pages = list(events.get_paginator("list_rules").paginate(PaginationConfig={"PageSize": 1}))
    assert {rule["Name"] for page in pages for rule in page["Rules"]} == names, pages
    assert all(len(page["Rules"]) == 1 for page in pages), pages
    target = events.list_targets_by_rule(Rule=f"session-lifecycle-{ENV}")["Targets"][0]
    assert target["RetryPolicy"]["MaximumRetryAttempts"] == 2, target
    assert target["DeadLetterConfig"]["Arn"].endswith(f":session-events-dlq-{ENV}"), target
    health = events.list_targets_by_rule(Rule=f"kvs-health-check-{ENV}")["Targets"][0]
    assert json.loads(health["Input"]) == {"action": "health_check", "source": "cloudwatch_events"}
    event = (ROOT / "events" / "test-event.json").read_text()
    assert events.test_event_pattern(EventPattern=pattern, Event=event)["Result"] is True
    other = event.replace("ACTIVE", "PAUSED")
    assert events.test_event_pattern(EventPattern=pattern, Event=other)["Result"] is False
    refused("InvalidEventPatternException", events.test_event_pattern,
            EventPattern='{"source": "x"}', Event=event)
    refused("ResourceNotFoundException", events.describe_rule, Name="no-such-rule")


def entries(events) -> None:
    """Checks that single entries fail within a successful call, and that an invalid call fails."""
    good = {"Source": "boto3", "DetailType": "Nothing", "Detail": "{}", "EventBusName": "default",
            "Time": datetime.datetime.now(datetime.timezone.utc)}
    answer = events.put_events(Entries=[good, good | {"Detail": "no"}])
    assert answer["FailedEntryCount"] == 1, answer
    assert answer["Entries"][0]["EventId"], answer
    assert answer["Entries"][1]["ErrorCode"] == "MalformedDetail", answer
    refused("ValidationException", events.put_events, Entries=[good] * 11)


def replay(events) -> None:
    """Checks that the archive of the template can be replayed."""
    archive = next(it for it in events.list_archives()["Archives"]
                   if it["ArchiveName"] == f"session-events-{ENV}")
    source = archive["EventSourceArn"]
    found = events.describe_archive(ArchiveName=archive["ArchiveName"])
    now = datetime.datetime.now(datetime.timezone.utc)
    # An hour without events, so that no consumer is started.
    events.start_replay(
        ReplayName="boto3", EventSourceArn=found["ArchiveArn"], Destination={"Arn": source},
        EventStartTime=now - datetime.timedelta(hours=2),
        EventEndTime=now - datetime.timedelta(hours=1),
    )
    assert events.describe_replay(ReplayName="boto3")["State"] in {"STARTING", "RUNNING", "COMPLETED"}


def queues(sqs) -> None:
    """Checks messages with attributes; botocore verifies both MD5s."""
    name = f"chunk-dlq-{ENV}"
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    assert url in sqs.list_queues(QueueNamePrefix="chunk")["QueueUrls"]
    sent = sqs.send_message(
        QueueUrl=url, MessageBody="grüße", MessageAttributes={
            "REASON": {"DataType": "String", "StringValue": "InvalidPayload"},
            "AT": {"DataType": "Number", "StringValue": "16000"},
            "RAW": {"DataType": "Binary", "BinaryValue": b"\0\1"},
        })
    got = sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"], AttributeNames=["All"],
                              WaitTimeSeconds=5)["Messages"][0]
    assert got["MessageId"] == sent["MessageId"] and got["Body"] == "grüße", got
    assert got["MessageAttributes"]["RAW"]["BinaryValue"] == b"\0\1", got
    assert got["Attributes"]["ApproximateReceiveCount"] == "1", got
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=got["ReceiptHandle"], VisibilityTimeout=0)
    again = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"][0]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=again["ReceiptHandle"])
    batch = sqs.send_message_batch(QueueUrl=url, Entries=[
        {"Id": "a", "MessageBody": "1"}, {"Id": "b", "MessageBody": "2"}])
    assert {it["Id"] for it in batch["Successful"]} == {"a", "b"}, batch
    sqs.purge_queue(QueueUrl=url)
    left = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert left["ApproximateNumberOfMessages"] == "0", left
    assert left["MessageRetentionPeriod"] == "1209600", left
    try:
        sqs.get_queue_url(QueueName="no-such-queue")
        raise SystemExit("a queue that does not exist was found")
    except sqs.exceptions.QueueDoesNotExist as error:
        assert error.response["Error"]["Code"] == "AWS.SimpleQueueService.NonExistentQueue"


def main() -> None:
    events, sqs = boto3.client("events"), boto3.client("sqs")
    rules(events)
    entries(events)
    replay(events)
    queues(sqs)


if __name__ == "__main__":
    main()
