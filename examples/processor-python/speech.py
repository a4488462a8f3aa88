"""Your own work on the audio. Replace both functions; the example logs the level.

The samples of a session arrive in order and without repetition, except after a failure: then the
work on the same position is repeated. Write results under (session_id, position), so that a second
write replaces the first. An exception fails the chunk, and the consumer sends it again.
"""

import array
import logging
import math
import sys

log = logging.getLogger(__name__)


def on_samples(session_id: str, position: int, pcm: bytes) -> None:
    """Works on the samples from `position` on: 16-bit little-endian, 16 kHz, mono.

    If `position` is beyond the end of the samples before, the audio between was skipped.
    """
    level = rms_dbfs(pcm)
    fields = {"sessionId": session_id, "startSample": position, "samples": len(pcm) // 2}
    log.info("samples received", extra=fields | {"rmsDbfs": round(level, 1)})


def on_end(session_id: str, samples: int) -> None:
    """Called after the last samples of the session; again if the last chunk is repeated."""
    log.info("session complete", extra={"sessionId": session_id, "samples": samples})


def rms_dbfs(pcm: bytes) -> float:
    """Returns the RMS level relative to full scale; -96 for digital silence."""
    samples = array.array("h", pcm)
    if sys.byteorder == "big":
        samples.byteswap()
    power = sum(sample * sample for sample in samples) / max(len(samples), 1)
    return 20 * math.log10(math.sqrt(power) / 32_768) if power else -96.0
