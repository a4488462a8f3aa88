"""The example and the reference processor give the same answer to the same payload, and leave the
same watermark.

Each runs as the processor of its own local cloud. The text of InvalidPayload is for people and is not
compared.
"""

import random
import unittest

from clouds import EXAMPLE, Cloud
from payloads import CHUNK, SAMPLE, payload

REFUSED = "InvalidPayload"
MISSING = object()


def taken(next_sample: int, duplicate: bool = False) -> dict:
    """Returns the answer to an accepted payload."""
    return {"answer": {"accepted": True, "nextSample": next_sample, "duplicate": duplicate}}


def refused(error_type: str, values: str = "") -> dict:
    """Returns a refusal; `values` is the JSON at the end of its text."""
    texts = {"StaleEpoch": "a newer sender has taken over", "OutOfOrder": "samples are missing"}
    return {"errorType": error_type, "errorMessage": f"{error_type}: {texts[error_type]} {values}"}


# Payloads of one session in order, each with the expected answer.
SEQUENCES = {
    "chunks in order": [
        (dict(start=0, count=8000), taken(8000)),
        (dict(start=8000, count=8000), taken(16000)),
    ],
    "a chunk that is sent again": [
        (dict(start=0, count=8000), taken(8000)),
        (dict(start=0, count=8000), taken(8000, True)),
        (dict(start=8000, count=8000), taken(16000)),
        (dict(start=0, count=8000), taken(16000, True)),
    ],
    "several chunks in one payload": [
        (dict(start=0, count=64000, chunkCount=8), taken(64000)),
        (dict(start=64000, count=8000), taken(72000)),
    ],
    "a payload that begins with accepted samples": [
        (dict(start=0, count=8000), taken(8000)),
        (dict(start=0, count=32000, chunkCount=4), taken(32000)),
        (dict(start=31000, count=2000), taken(33000)),
    ],
    "a payload inside the accepted samples": [
        (dict(start=0, count=32000), taken(32000)),
        (dict(start=8000, count=8000), taken(32000, True)),
    ],
    "a position ahead of the watermark": [
        (dict(start=8000, count=8000), refused("OutOfOrder", '{"nextSample":0}')),
        (dict(start=0, count=8000), taken(8000)),
        (dict(start=8001, count=8000), refused("OutOfOrder", '{"nextSample":8000}')),
        (dict(start=8000, count=8000), taken(16000)),
    ],
    "a declared gap": [
        (dict(start=16000, count=8000, gapSamples=16000), taken(24000)),
        (dict(start=48000, count=8000, gapSamples=24000), taken(56000)),
        (dict(start=48000, count=8000, gapSamples=24000), taken(56000, True)),
    ],
    "a declared gap that is too short": [
        (dict(start=0, count=8000), taken(8000)),
        (dict(start=24000, count=8000, gapSamples=15999), refused("OutOfOrder", '{"nextSample":8000}')),
    ],
    "a chunk that was skipped into the dead-letter queue comes too late": [
        (dict(start=0, count=8000), taken(8000)),
        (dict(start=16000, count=8000, gapSamples=8000), taken(24000)),
        (dict(start=8000, count=8000), taken(24000, True)),
    ],
    "an older epoch": [
        (dict(start=0, count=8000, epoch=3), taken(8000)),
        (dict(start=8000, count=8000, epoch=2), refused("StaleEpoch", '{"epoch":3}')),
        (dict(start=0, count=8000, epoch=2), refused("StaleEpoch", '{"epoch":3}')),
        (dict(start=99999, count=8000, epoch=2), refused("StaleEpoch", '{"epoch":3}')),
        (dict(start=8000, count=8000, epoch=3), taken(16000)),
    ],
    "a newer epoch": [
        (dict(start=0, count=8000, epoch=1), taken(8000)),
        (dict(start=8000, count=8000, epoch=2**64 - 1), taken(16000)),
        (dict(start=16000, count=8000, epoch=1), refused("StaleEpoch", f'{{"epoch":{2**64 - 1}}}')),
    ],
    "a newer epoch without new samples refuses the older one": [
        (dict(start=0, count=8000, epoch=1), taken(8000)),
        (dict(start=0, count=8000, epoch=5), taken(8000, True)),
        (dict(start=8000, count=8000, epoch=4), refused("StaleEpoch", '{"epoch":5}')),
    ],
    "a newer epoch ahead of the watermark refuses the older one": [
        (dict(start=0, count=8000, epoch=1), taken(8000)),
        (dict(start=16000, count=8000, epoch=2), refused("OutOfOrder", '{"nextSample":8000}')),
        (dict(start=8000, count=8000, epoch=1), refused("StaleEpoch", '{"epoch":2}')),
    ],
    "a final chunk": [
        (dict(start=0, count=8000), taken(8000)),
        (dict(start=8000, count=123, final=True), taken(8123)),
        (dict(start=8000, count=123, final=True), taken(8123, True)),
    ],
    "an empty final chunk": [
        (dict(start=0, count=8000), taken(8000)),
        (dict(start=8000, count=0, final=True), taken(8000)),
        (dict(start=8000, count=0, final=True, epoch=2), taken(8000)),
        (dict(start=9000, count=0, final=True), refused("StaleEpoch", '{"epoch":2}')),
        (dict(start=9000, count=0, final=True, epoch=2), refused("OutOfOrder", '{"nextSample":8000}')),
    ],
    "an empty final chunk behind a gap": [
        (dict(start=0, count=8000), taken(8000)),
        (dict(start=16000, count=0, gapSamples=8000, final=True), taken(16000)),
    ],
    "a session without audio": [
        (dict(start=0, count=0, final=True), taken(0)),
        (dict(start=0, count=0, final=True, epoch=7), taken(0)),
        (dict(start=0, count=8000, epoch=1), taken(8000)),
    ],
    "base64 with padding": [(dict(start=0, count=2, audioData="AAECAw=="), taken(2))],
    "an unknown field": [(dict(start=0, count=8000, addedIn="1.9"), taken(8000))],
    "a newer minor version": [(dict(start=0, count=8000, schemaVersion="1.7"), taken(8000))],
}

# Values that replace one field of a valid payload.
MALFORMED = {
    "action": [MISSING, "stop", None, 1],
    "sessionId": [MISSING, "", "No Such Id", "a-b-1\n", "a-b-１", "a-b", "a-b-1-2", "x" * 61 + "-b-1", 7, None],
    "streamArn": [MISSING, "", SAMPLE["streamArn"].replace("stream/", "channel/"), SAMPLE["streamArn"] + "/1",
                  SAMPLE["streamArn"].replace("kinesisvideo", "lambda"), SAMPLE["streamArn"] + "0" * 1024, 1],
    "epoch": [MISSING, -1, 1.5, 1.0, True, "1", None, 2**64],
    "sourceLanguage": [MISSING, "", "EN", "en-US", "xx", None, ["en"]],
    "targetLanguages": [MISSING, None, "de", ["xx"], ["de", 1], {"de": 1}],
    "qualityTier": [MISSING, "", "gold", None, ["standard"]],
    "audioData": [MISSING, None, "", "AA==", "!" * 428, "é" * 428, SAMPLE["audioData"][:-4],
                  SAMPLE["audioData"] + "AAAA", SAMPLE["audioData"].rstrip("="), SAMPLE["audioData"][:-1] + "\n",
                  SAMPLE["audioData"].replace("+", "-"), 1],
    "sampleRate": [MISSING, 8000, 16000.0, "16000", 2**32],
    "channels": [MISSING, 0, 2, 256, True],
    "format": [MISSING, "mp3", "PCM_S16LE", None],
    "source": [MISSING, "another", None],
    "sequence": [MISSING, -1, 0.5, "0", 2**64],
    "chunkCount": [MISSING, -1, "1", 2**32],
    "startSample": [MISSING, -1, 0.5, None, 2**40 + 1, 2**64 - 1, 2**64],
    "sampleCount": [MISSING, 0, 159, 161, -1, None, 2**64 - 1, 2**64],
    "filledSamples": [MISSING, 161, -1, None],
    "gapSamples": [MISSING, 1, -1, None],
    "producerTimestamp": [MISSING, -1, 0.5, "now"],
    "fragmentNumber": [MISSING, None, 1],
    "final": [MISSING, None, 0, 1, "false"],
    "schemaVersion": [MISSING, "2.0", "", "0.9", "10.0", "v1", 1, None],
}
# Two samples are AAECAw==. The last character but two has four unused bits, which must be zero.
WRONG_BASE64 = ["AAECAx==", "AAECAw=\n", "AAEC=Aw="]
OTHER_PAYLOADS = [None, 1, "text", [], {}, {"action": "process"}, SAMPLE | {"sampleCount": 1, "audioData": "AA=="},
                  *(SAMPLE | {"sampleCount": 2, "audioData": text} for text in WRONG_BASE64)]


class SameAnswers(unittest.TestCase):
    """One payload, two processors."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.reference = Cloud()
        cls.addClassCleanup(cls.reference.close)
        cls.example = Cloud(EXAMPLE / "bootstrap")
        cls.addClassCleanup(cls.example.close)

    def invoke_both(self, sent: object) -> dict:
        """Returns the answer of both."""
        expected, found = self.reference.invoke(sent), self.example.invoke(sent)
        if expected.get("errorType") == found.get("errorType") == REFUSED:
            self.assertTrue(found.pop("errorMessage").startswith(f"{REFUSED}: "))
            expected.pop("errorMessage")
        self.assertEqual(found, expected)
        return found

    def assert_same_watermark(self, session: str) -> None:
        """Fails unless both tables hold the same item."""
        self.assertEqual(self.example.watermark(session), self.reference.watermark(session))

    def test_sequences(self):
        for number, (name, steps) in enumerate(SEQUENCES.items()):
            session = f"fixed-sequence-{number}"
            for step, (fields, expected) in enumerate(steps):
                with self.subTest(name, step=step):
                    self.assertEqual(self.invoke_both(payload(session, **fields)), expected)
                    self.assert_same_watermark(session)

    def test_malformed_fields(self):
        for field, values in MALFORMED.items():
            for value in values:
                changed = SAMPLE | {"sessionId": "never-accepted-1", field: value}
                if value is MISSING:
                    del changed[field]
                with self.subTest(field=field, value=repr(value)[:60]):
                    self.assertEqual(self.invoke_both(changed), {"errorType": REFUSED})
        self.assertIsNone(self.example.watermark("never-accepted-1"))

    def test_other_payloads(self):
        for sent in OTHER_PAYLOADS:
            with self.subTest(repr(sent)[:60]):
                self.assertEqual(self.invoke_both(sent), {"errorType": REFUSED})

    def test_random_sequences(self):
        draw = random.Random(20261129)
        kinds = set()
        for session in (f"random-sequence-{number}" for number in range(6)):
            end, epoch = 0, 1
            for _ in range(40):
                epoch += draw.choice([0, 0, 0, 0, 1])
                start = max(0, draw.choice([end, end, end, end - CHUNK, end - 300, end + CHUNK]))
                count = draw.choice([CHUNK, CHUNK, 3 * CHUNK, 1, 500, 0])
                fields = {"final": count == 0, "chunkCount": max(1, count // CHUNK)}
                fields["gapSamples"] = draw.choice([0, 0, min(start, CHUNK), start // 2])
                sent = payload(session, start, count, max(0, epoch - draw.choice([0, 0, 0, 1])), **fields)
                with self.subTest(session=session, sent={name: sent[name] for name in (
                        "startSample", "sampleCount", "epoch", "gapSamples")}):
                    found = self.invoke_both(sent)
                    self.assert_same_watermark(session)
                kinds.add(found.get("errorType") or f"duplicate {found['answer']['duplicate']}")
                end = (self.reference.watermark(session) or {"nextSample": 0})["nextSample"]
        self.assertEqual(kinds, {"StaleEpoch", "OutOfOrder", "duplicate True", "duplicate False"})


if __name__ == "__main__":
    unittest.main()
