"""The example's own work gets each sample in order, and after a failure again."""

import json
import re
import struct
import unittest
from unittest import mock

from clouds import ROOT
from example import contract, handler, speech
from payloads import payload, pcm

SESSION = "quiet-river-1"


class Table:
    """A watermark in memory, with the conditions of the DynamoDB table."""

    def __init__(self) -> None:
        self.at = contract.Watermark()
        self.fail_next_advance = False

    def fence(self, chunk: contract.Chunk) -> contract.Watermark:
        """Raises the epoch of a session that exists."""
        if self.at.next:
            self.at = contract.Watermark(self.at.next, max(self.at.epoch, chunk.epoch))
        return self.at

    def advance(self, chunk: contract.Chunk, _now: int) -> tuple[bool, contract.Watermark]:
        """Moves the watermark, or fails before."""
        if self.fail_next_advance:
            self.fail_next_advance = False
            raise ConnectionError("no answer")
        before = self.at
        if not contract.applies(chunk, before):
            return False, before
        self.at = contract.Watermark(chunk.end, chunk.epoch)
        return True, before


class Work(unittest.TestCase):
    """Each case calls `process` with payloads, and looks at the calls of speech.py."""

    def setUp(self) -> None:
        self.table = Table()
        self.samples = self.enterContext(mock.patch.object(speech, "on_samples"))
        self.end = self.enterContext(mock.patch.object(speech, "on_end"))

    def process(self, start: int, count: int, **fields) -> dict:
        """Processes one payload."""
        return handler.process(payload(SESSION, start, count, **fields), self.table, 0)

    def assert_worked_on(self, *ranges: tuple[int, int]) -> None:
        """Compares the calls since the last check with ranges of positions."""
        expected = [mock.call(SESSION, start, pcm(start, end - start)) for start, end in ranges]
        self.assertEqual(self.samples.call_args_list, expected)
        self.samples.reset_mock()

    def test_a_repeated_payload_is_not_worked_on_again(self):
        self.process(0, 8000)
        self.process(0, 8000)
        self.assert_worked_on((0, 8000))

    def test_only_the_new_samples_of_an_overlap(self):
        self.process(0, 8000)
        self.process(4000, 8000)
        self.assert_worked_on((0, 8000), (8000, 12000))

    def test_a_gap_shows_in_the_position(self):
        self.process(0, 8000)
        self.process(16000, 8000, gapSamples=8000)
        self.assert_worked_on((0, 8000), (16000, 24000))

    def test_a_refused_payload_is_not_worked_on(self):
        self.process(0, 8000, epoch=2)
        self.samples.reset_mock()
        for error, start, fields in [(contract.StaleEpoch, 8000, {"epoch": 1}), (contract.OutOfOrder, 9000, {"epoch": 2}),
                                     (contract.InvalidPayload, 8000, {"epoch": 2, "channels": 2})]:
            with self.assertRaises(error):
                self.process(start, 8000, **fields)
        self.assert_worked_on()

    def test_work_that_fails_is_repeated(self):
        self.samples.side_effect = [OSError("recogniser unavailable"), None]
        with self.assertRaises(OSError):
            self.process(0, 8000)
        self.assertEqual(self.table.at, contract.Watermark())
        self.assertFalse(self.process(0, 8000)["duplicate"])
        self.assert_worked_on((0, 8000), (0, 8000))

    def test_work_whose_samples_could_not_be_accepted_is_repeated(self):
        self.table.fail_next_advance = True
        with self.assertRaises(ConnectionError):
            self.process(0, 8000)
        self.assertFalse(self.process(0, 8000)["duplicate"])
        self.assert_worked_on((0, 8000), (0, 8000))

    def test_an_older_sender_is_refused_while_the_newer_one_works(self):
        self.process(0, 8000, epoch=1)

        def overtaken(*_):
            self.table.at = contract.Watermark(16000, 2)

        self.samples.side_effect = overtaken
        with self.assertRaises(contract.StaleEpoch):
            self.process(8000, 8000, epoch=1)
        self.assertEqual(self.table.at, contract.Watermark(16000, 2))

    def test_the_end_of_a_session(self):
        self.process(0, 8000)
        self.end.assert_not_called()
        self.process(8000, 0, final=True)
        self.end.assert_called_once_with(SESSION, 8000)
        self.assert_worked_on((0, 8000))

    def test_level(self):
        self.assertEqual(speech.rms_dbfs(struct.pack("<2h", -32768, -32768)), 0.0)
        self.assertAlmostEqual(speech.rms_dbfs(struct.pack("<2h", 16384, -16384)), -6.02, places=2)
        self.assertEqual((speech.rms_dbfs(bytes(4)), speech.rms_dbfs(b"")), (-96.0, -96.0))


class Documentation(unittest.TestCase):
    """The JSON of docs/processor.md follows the contract."""

    def test_payload_answer_and_refusal(self):
        text = (ROOT / "docs" / "processor.md").read_text()
        sent, answer, refusal = map(json.loads, re.findall(r"^```json\n(.*?)^```$", text, re.M | re.S))
        self.assertEqual((contract.check(sent).end, sent.keys()), (10, contract.FIELDS.keys()))
        self.assertEqual(answer, contract.accepted(contract.check(payload(SESSION, 0, 8000))))
        self.assertEqual(refusal, {"errorType": "OutOfOrder", "errorMessage": str(contract.OutOfOrder(8000))})


if __name__ == "__main__":
    unittest.main()
