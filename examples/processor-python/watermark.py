"""The watermarks in DynamoDB: item {sessionId, nextSample, epoch, expiresAt} of table Processed.

The same item and conditions as those of the reference (crates/aws-adapters, dynamodb/watermarks.rs),
so that a session continues when one processor replaces the other.
"""

import boto3
import botocore.config
from botocore.exceptions import ClientError

from contract import Chunk, Watermark

APPLIES = "epoch <= :epoch AND nextSample >= :floor AND nextSample < :end"
APPLIES_OR_NEW = f"attribute_not_exists(sessionId) OR ({APPLIES})"
# Seconds for which a watermark is kept after its last chunk: longer than the longest session and
# the longest retention of its stream.
KEEP_SECONDS = 60 * 24 * 3600


class ProcessedTable:
    """The table. Each method is one conditional UpdateItem, the only action that the role allows."""

    def __init__(self, name: str) -> None:
        config = botocore.config.Config(
            connect_timeout=2, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 3}
        )
        self._client = boto3.client("dynamodb", config=config)
        self._name = name

    def fence(self, chunk: Chunk) -> Watermark:
        """Raises the session's epoch to the chunk's, so that older senders are refused. Keeps a newer
        epoch. Returns the watermark."""
        _, at = self._update(
            chunk, "SET epoch = :epoch", "epoch <= :epoch", {":epoch": chunk.epoch}, "ALL_NEW"
        )
        return at

    def advance(self, chunk: Chunk, now: int) -> tuple[bool, Watermark]:
        """Moves the watermark to the chunk's end if the chunk applies to it. Returns whether it moved,
        and its value before."""
        values = {
            ":epoch": chunk.epoch,
            ":floor": chunk.floor,
            ":end": chunk.end,
            ":expires": now + KEEP_SECONDS,
        }
        update = "SET nextSample = :end, epoch = :epoch, expiresAt = :expires"
        condition = APPLIES_OR_NEW if chunk.floor == 0 else APPLIES
        return self._update(chunk, update, condition, values, "UPDATED_OLD")

    def _update(
        self, chunk: Chunk, update: str, condition: str, values: dict[str, int], returned: str
    ) -> tuple[bool, Watermark]:
        """Returns whether the condition held, and the watermark that DynamoDB returned."""
        try:
            item = self._client.update_item(
                TableName=self._name,
                Key={"sessionId": {"S": chunk.session}},
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeValues={name: {"N": str(n)} for name, n in values.items()},
                ReturnValues=returned,
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
            return True, _watermark(item.get("Attributes"))
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            return False, _watermark(error.response.get("Item"))


def _watermark(item: dict | None) -> Watermark:
    """Reads an item. A session without one is at sample 0."""
    if not item:
        return Watermark()
    return Watermark(int(item["nextSample"]["N"]), int(item["epoch"]["N"]))
