"""Tests X-Ray of the local cloud with an unmodified boto3: documents by API, their joining, search by
annotation, and refusals."""

import json
import os
import time

import boto3
from botocore.exceptions import ClientError


def document(trace_id: str, segment_id: str, **fields) -> str:
    """Returns a segment document of the last second."""
    now = time.time()
    return json.dumps({"name": "client", "id": segment_id, "trace_id": trace_id,
                       "start_time": now - 1, "end_time": now} | fields)


def refused(call, **arguments) -> None:
    """Asserts that the call fails with InvalidRequestException."""
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == "InvalidRequestException", error.response["Error"]
        return
    raise SystemExit(f"{call.__name__} was not refused")


def main() -> None:
    xray = boto3.client("xray")
    trace_id = f"1-{int(time.time()):08x}-{os.urandom(12).hex()}"
    session = f"boto3-{os.urandom(4).hex()}"
    answer = xray.put_trace_segments(TraceSegmentDocuments=[
        document(trace_id, "00000000000000b2", type="subsegment", parent_id="00000000000000a1",
                 annotations={"sessionId": session, "epoch": 3}),
        document(trace_id, "00000000000000a1", origin="AWS::Lambda::Function"),
        document(trace_id, "00000000000000c3", name="POST /sessions/{sessionId}"),
    ])
    [unprocessed] = answer["UnprocessedTraceSegments"]
    assert (unprocessed["Id"], unprocessed["ErrorCode"]) == ("00000000000000c3", "InvalidName"), unprocessed
    now = time.time()
    found = xray.get_paginator("get_trace_summaries").paginate(
        StartTime=now - 600, EndTime=now + 1, FilterExpression=f'annotation.sessionId = "{session}" AND ok')
    [summary] = [summary for page in found for summary in page["TraceSummaries"]]
    assert summary["Id"] == trace_id and not summary["HasFault"], summary
    [value] = summary["Annotations"]["epoch"]
    assert value["AnnotationValue"] == {"NumberValue": 3.0}, value
    assert summary["EntryPoint"]["Type"] == "AWS::Lambda::Function", summary
    [trace] = xray.batch_get_traces(TraceIds=[trace_id])["Traces"]
    [segment] = trace["Segments"]
    [part] = json.loads(segment["Document"])["subsegments"]
    assert (segment["Id"], part["id"]) == ("00000000000000a1", "00000000000000b2"), trace
    refused(xray.batch_get_traces, TraceIds=[trace_id] * 6)
    refused(xray.get_trace_summaries, StartTime=now - 7 * 3600, EndTime=now)
    refused(xray.get_trace_summaries, StartTime=now - 60, EndTime=now, FilterExpression="duration >")
    assert xray.put_telemetry_records(TelemetryRecords=[{"Timestamp": now}]) is not None
    print("X-Ray: documents, traces and summaries as boto3 expects them")


main()
