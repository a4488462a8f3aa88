"""The causes of the alarms. Each group runs in a cloud of its own, one after the other inside of it;
a scenario yields once its cause is there, and removes the cause when it is resumed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from cloud import CONSUMER, RECORDING, Cloud, Speech, eventually
from matroska import damaged, without_codec

# More calls than any scenario makes: such a fault lasts until it is removed.
ALWAYS = 1_000_000
INSTANCES = f"{CONSUMER}-instances"
REFUSED = {"status": 400, "code": "AccessDeniedException", "times": ALWAYS}
PROCESSOR = {"target": "audio-processor", "times": ALWAYS}


@dataclass(frozen=True)
class Scenario:
    """What raises `alarms`, in words and as a generator."""

    alarms: tuple[str, ...]
    cause: str
    run: Callable[[Cloud], Iterator[None]]


@dataclass(frozen=True)
class Group:
    """Scenarios in one cloud. `waves` run one after the other, the scenarios of a wave at once, so
    no two of a wave raise the same alarm. `at_once`: without waiting for the first health check.
    `is_long`: `make test` leaves it out, because it takes minutes or much CPU time."""

    name: str
    scale: int
    waves: list[list[Scenario]]
    parameters: dict[str, object] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    at_once: bool = False
    is_long: bool = False


def creation_fails(cloud: Cloud) -> Iterator[None]:
    cloud.fault("kinesisvideo", "CreateStream", status=500, code="InternalFailure", times=ALWAYS)
    # At once, because three within five minutes raise the alarm.
    with ThreadPoolExecutor(3) as pool:
        for status, answer in pool.map(cloud.post, ("bea", "bob", "bo")):
            assert status >= 500, answer
    yield
    cloud.remove_faults("kinesisvideo", "CreateStream")


def emission_fails(cloud: Cloud) -> Iterator[None]:
    cloud.fault("events", "PutEvents", kind="entry", code="ThrottlingException", times=ALWAYS)
    cloud.open("cleo")
    yield
    cloud.remove_faults("events", "PutEvents")


def delivery_is_refused(cloud: Cloud) -> Iterator[None]:
    cloud.fault("events", "Deliver", target="session-lifecycle", **REFUSED)
    cloud.fault("events", "Deliver", target="kvs-health-check", **REFUSED)
    cloud.fault("events", "Deliver", target="consumer-continuation", **REFUSED)
    cloud.open("dora")
    # What a worker publishes when it hands a session over.
    cloud.events.put_events(Entries=[{
        "Source": "session-management", "DetailType": "Session Continuation",
        "Detail": json.dumps({"environment": "dev", "sessionId": "calm-river-7", "action": "continue", "epoch": 1,
                              "version": 3, "traceId": None})}])
    yield
    cloud.remove_faults("events", "Deliver")
    cloud.purge("session-events-dlq-dev")


def no_worker_runs(cloud: Cloud) -> Iterator[None]:
    session = cloud.open("wim")
    yield
    status, answer = cloud.request("PUT", "/_local/tasks/stream-worker", {"desiredCount": 1})
    assert status == 200, answer
    cloud.end(session, "wim")


def health_check_is_disabled(cloud: Cloud) -> Iterator[None]:
    cloud.events.disable_rule(Name="kvs-health-check-dev")
    yield
    cloud.events.enable_rule(Name="kvs-health-check-dev")


def consumer_is_killed(cloud: Cloud) -> Iterator[None]:
    cloud.fault("lambda", "Invoke", target=CONSUMER, kind="kill")
    yield


def consumer_is_throttled(cloud: Cloud) -> Iterator[None]:
    cloud.fault("lambda", "Invoke", target=CONSUMER, status=429, code="TooManyRequestsException")
    yield


def instance_is_killed(cloud: Cloud) -> Iterator[None]:
    cloud.fault("lambda", "Invoke", target=INSTANCES, kind="kill")
    cloud.open("ina")
    yield


def instances_are_full(cloud: Cloud) -> Iterator[None]:
    """One session takes the only place, so that the start of the other is throttled."""
    sessions = [(cloud.open(speaker), speaker) for speaker in ("ira", "ivo")]
    yield
    for session, speaker in sessions:
        cloud.end(session, speaker)


def codec_is_not_supported(cloud: Cloud) -> Iterator[None]:
    cloud.put_media(cloud.open("eli"), without_codec(RECORDING.read_bytes()))
    yield


def packets_are_damaged(cloud: Cloud) -> Iterator[None]:
    cloud.put_media(cloud.open("fay"), damaged(RECORDING.read_bytes()))
    yield


def processor_rejects_a_chunk(cloud: Cloud) -> Iterator[None]:
    session = cloud.open("gus")
    refusal = {"errorType": "InvalidPayload", "errorMessage": "a test rejects this chunk"}
    cloud.fault("lambda", "Invoke", kind="answer", extra={"answer": refusal, "functionError": "Unhandled"}, **PROCESSOR)
    cloud.speak(session, 8)
    eventually("a dead letter", lambda: cloud.letters("chunk-dlq-dev"))
    cloud.remove_faults("lambda", "Invoke", "audio-processor")
    yield
    cloud.purge("chunk-dlq-dev")


def checkpoint_of_a_newer_build(cloud: Cloud) -> Iterator[None]:
    session = cloud.open("hal")
    cloud.speak(session, 8)
    key = {"sessionId": {"S": session}}

    def checkpoint() -> str | None:
        item = cloud.dynamodb.get_item(TableName="Streams-dev", Key=key, ConsistentRead=True)["Item"]
        return item.get("checkpoint", {}).get("S")

    def write(text: str) -> None:
        cloud.dynamodb.update_item(TableName="Streams-dev", Key=key, UpdateExpression="SET checkpoint = :new",
                                   ExpressionAttributeValues={":new": {"S": text}})

    eventually("a checkpoint", checkpoint)
    # As in a rollback, no run of the newer build is left.
    cloud.fault("lambda", "Invoke", target=CONSUMER, status=429, code="TooManyRequestsException", times=ALWAYS)
    cloud.request("DELETE", f"/_local/processes/{CONSUMER}-dev")
    before = checkpoint()
    newer = json.loads(before)
    write(json.dumps(newer | {"version": newer["version"] + 1}))
    cloud.remove_faults("lambda", "Invoke", CONSUMER)
    yield
    write(before)


def processor_fails(cloud: Cloud) -> Iterator[None]:
    session = cloud.open("ida")
    cloud.fault("lambda", "Invoke", status=500, code="ServiceException", **PROCESSOR)
    cloud.speak(session, 8)
    yield
    cloud.remove_faults("lambda", "Invoke", "audio-processor")


def backlog_is_delivered_late(cloud: Cloud) -> Iterator[None]:
    """An outage of GetMedia, as long as it takes until the backlog is more than a minute long."""
    session, since = cloud.open("jan"), cloud.now()
    with Speech(cloud, session):
        eventually("speech is delivered", lambda: cloud.delivered(session))
        for outage in (8, 16, 32, 64, 128):
            begin = cloud.now()
            cloud.fault("kinesisvideo", "GetMediaBody", target=session, kind="cut")
            cloud.fault("kinesisvideo", "GetMedia", target=session, status=500, code="InternalFailure", times=ALWAYS)
            eventually("the outage", lambda: (cloud.now() - begin).total_seconds() >= outage * cloud.scale)
            cloud.remove_faults("kinesisvideo", "GetMedia")
            before = cloud.delivered(session)
            eventually("the backlog is read", lambda: cloud.delivered(session) > before + 16_000 * outage / 2)
            minutes = cloud.now()
            eventually("two evaluations", lambda: (cloud.now() - minutes).total_seconds() > 180)
            if cloud.changes("kvs-stream-lag", "ALARM", since):
                break
        yield
        cloud.end(session, "jan")


def audio_expires(cloud: Cloud) -> Iterator[None]:
    """The processor fails for longer than the retention, which is one hour, after a session's end."""
    session = cloud.open("kai")
    cloud.fault("lambda", "Invoke", status=500, code="ServiceException", **PROCESSOR)
    cloud.speak(session, 8)
    cloud.end(session, "kai")
    yield
    cloud.remove_faults("lambda", "Invoke", "audio-processor")


def audio_is_about_to_expire(cloud: Cloud) -> Iterator[None]:
    """The processor fails for half of the retention, which is one hour. The consumer compares KVS's
    time of the audio with its own clock, so the audio is sent soon after the start, when the clocks
    are close to each other at any scale."""
    session = cloud.open("lea")
    cloud.fault("lambda", "Invoke", status=500, code="ServiceException", **PROCESSOR)
    cloud.speak(session, 8)
    yield
    cloud.remove_faults("lambda", "Invoke", "audio-processor")


def many_sessions(cloud: Cloud) -> Iterator[None]:
    """9 sessions are more than 8, and 80 % of a reserved concurrency of 11."""
    sessions = [(cloud.open("mia"), "mia") for _ in range(9)]
    yield
    for session, speaker in sessions:
        cloud.end(session, speaker)


GROUPS = [
    Group("api", 60, [
        [
            Scenario(("session-event-emission-failures",), "PutEvents refuses the entry", emission_fails),
            Scenario(("kvs-health-check-missing",), "the rule of the health check is disabled",
                     health_check_is_disabled),
        ],
        [Scenario(("session-lifecycle-failed-invocations", "kvs-health-check-failed-invocations",
                   "consumer-continuation-failed-invocations", "session-events-dlq-depth"),
                  "the target of the rules refuses the delivery", delivery_is_refused)],
    ]),
    Group("consumer", 30, [
        [
            Scenario(("kvs-stream-consumer-errors",), "a process of the consumer is killed", consumer_is_killed),
            Scenario(("kvs-stream-consumer-throttles",), "an invocation of the consumer is throttled",
                     consumer_is_throttled),
            Scenario(("kvs-unsupported-codec",), "a stream with the codec A_FLAC", codec_is_not_supported),
            Scenario(("kvs-decode-errors",), "every fourth packet of a stream is damaged", packets_are_damaged),
            Scenario(("chunk-dlq-depth",), "the processor rejects a chunk", processor_rejects_a_chunk),
        ],
        [Scenario(("kvs-checkpoint-unreadable",), "the checkpoint is of a newer version",
                  checkpoint_of_a_newer_build)],
    ]),
    Group("processor", 30, [
        [Scenario(("kvs-circuit-opened", "speech-not-arriving"), "the processor fails", processor_fails)],
        [Scenario(("kvs-stream-lag",), "GetMedia fails while speech goes on, then the backlog is delivered",
                  backlog_is_delivered_late)],
        [Scenario(("session-creation-failures",), "CreateStream fails for three requests", creation_fails)],
    ]),
    Group("workers", 60, [
        [Scenario(("consumer-starts-waiting",), "a session starts while no worker runs", no_worker_runs)],
    ], {}, ("--consumer-host", "container", "--workers", "0")),
    Group("instances", 60, [
        [Scenario(("kvs-stream-consumer-instances-throttles",), "all places of the instances are taken",
                  instances_are_full)],
        [Scenario(("kvs-stream-consumer-instances-errors",), "a process of the instances is killed",
                  instance_is_killed)],
    ], {"InstancesMaxConcurrency": 1}, ("--consumer-host", "managed-instances", "--workers", "1")),
    Group("expired", 60, [
        [Scenario(("kvs-samples-unavailable",), "the processor fails for longer than the retention", audio_expires)],
    ], {"StreamRetentionHours": 1}, is_long=True),
    Group("many", 12, [
        [Scenario(("kvs-active-streams", "kvs-stream-consumer-concurrency"), "9 sessions at a time", many_sessions)],
    ], {"ConsumerReservedConcurrency": 11, "ActiveStreamsThreshold": 8}, is_long=True),
    Group("retention", 10, [
        [Scenario(("kvs-retention-risk",), "the processor fails for half of the retention",
                  audio_is_about_to_expire)],
    ], {"StreamRetentionHours": 1}, at_once=True, is_long=True),
]
