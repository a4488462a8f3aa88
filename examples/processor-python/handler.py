"""The Lambda function: one payload of a session's audio, one answer.

contract.py checks and decides, watermark.py stores the position, speech.py does the work.

The order makes the loss of a sample impossible: first the epoch is raised, which refuses older
senders; then the work; then the watermark advances. A failure between the last two repeats the
work at the same position. The reference processor needs no first step, because its work (a file
written at positions) can be repeated at any time.
"""

import logging
import os
import time

import contract
import speech
from watermark import ProcessedTable

log = logging.getLogger(__name__)

# Created at init, once per execution environment.
TABLE = ProcessedTable(os.environ["PROCESSED_TABLE"])


def handler(event: object, _context: object) -> dict:
    """Lambda's entry point."""
    try:
        return process(event, TABLE, int(time.time()))
    except contract.Refusal as refusal:
        session = event.get("sessionId") if isinstance(event, dict) else None
        log.warning("chunk refused", extra={"sessionId": session, "reason": str(refusal)})
        raise


def process(payload: object, table: ProcessedTable, now: int) -> dict:
    """Processes one payload. `now` is in seconds since the Unix epoch. Raises a Refusal as defined
    by the contract; any other exception makes the consumer send the payload again."""
    chunk = contract.check(payload)
    at = table.fence(chunk)
    if contract.applies(chunk, at):
        speech.on_samples(chunk.session, *chunk.samples_from(at.next))
        moved, at = table.advance(chunk, now)
        answer = contract.accepted(chunk) if moved else contract.answer(chunk, at)
    else:
        answer = contract.answer(chunk, at)
    if chunk.is_final:
        speech.on_end(chunk.session, answer["nextSample"])
    return answer
