"""The progress of a session: the watermark, the checkpoint, and dead letters."""

from __future__ import annotations

import json
from dataclasses import dataclass

from stack import Stack

SAMPLES_A_MS = 16
RECEIVES = 50
HIDDEN_SECONDS = 30
MISSING = ("filled", "gap", "paused", "unavailable", "deadLettered")


@dataclass(frozen=True)
class Progress:
    """Positions in samples. `processed` is the processor's watermark, None if it has none."""

    processed: int | None
    delivered: int | None
    chunk: int | None
    status: str | None
    totals: dict[str, int]

    @property
    def missing(self) -> dict[str, int]:
        """Counted samples without delivered audio, by cause (Totals of relay's checkpoint)."""
        return {name: self.totals[name] for name in MISSING if self.totals.get(name)}

    @property
    def accepted(self) -> int:
        """The processor's watermark, or else the position in the consumer's checkpoint."""
        return (self.processed if self.processed is not None else self.delivered) or 0


class Tables:
    """Consistent reads of both tables."""

    def __init__(self, session, stack: Stack) -> None:
        self._dynamodb, self._stack = session.client("dynamodb"), stack

    def progress(self, session_id: str) -> Progress:
        """Returns the current progress of a session."""
        streams = self._item(self._stack.streams_table, session_id)
        checkpoint = json.loads(streams.get("checkpoint", {}).get("S", "{}"))
        processed = None
        if not self._stack.own_processor:
            processed = int(self._item(self._stack.processed_table, session_id).get("nextSample", {}).get("N", 0))
        chunk_ms = checkpoint.get("chunkMs")
        return Progress(processed, checkpoint.get("next"), chunk_ms and chunk_ms * SAMPLES_A_MS,
                        streams.get("status", {}).get("S"), checkpoint.get("totals", {}))

    def _item(self, table: str, session_id: str) -> dict:
        key = {"sessionId": {"S": session_id}}
        return self._dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item", {})


@dataclass(frozen=True)
class Letters:
    """Messages of a queue: the number read, the number that name the session, the reported
    number."""

    seen: int
    ours: int
    about: int


def dead_letters(sqs, queue: str, session_id: str) -> Letters:
    """Counts messages that name a session. Hides messages for at most half a minute and removes
    none."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    counts = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
    messages: dict[str, str] = {}
    handles: list[str] = []
    for _ in range(RECEIVES):
        answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=HIDDEN_SECONDS,
                                     WaitTimeSeconds=1, MessageAttributeNames=["All"])
        if not answer.get("Messages"):
            break
        for message in answer["Messages"]:
            attributes = json.dumps(message.get("MessageAttributes", {}), default=str)
            messages[message["MessageId"]] = message["Body"] + attributes
            handles.append(message["ReceiptHandle"])
    for handle in handles:
        sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=handle, VisibilityTimeout=0)
    ours = sum(session_id in text for text in messages.values())
    return Letters(len(messages), ours, sum(int(counts.get(name, 0)) for name in names))
