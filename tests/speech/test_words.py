"""Tests how the words of a text are found and their errors counted."""

import unittest

from words import compared, errors, words_in


def count(spoken: str, text: str) -> int:
    return errors(words_in(spoken), words_in(text))


class Words(unittest.TestCase):
    def test_words_have_no_punctuation_and_no_capitals(self):
        expected = ["well", "said", "now", "don't", "close", "it"]
        self.assertEqual(words_in("Well said. Now, don't close it!"), expected)
        self.assertEqual(words_in("…"), [])

    def test_a_number_is_a_word_and_a_title_is_written_out(self):
        self.assertEqual(words_in("Mr. Quilter has 2."), ["mister", "quilter", "has", "2"])

    def test_each_wrong_missing_or_additional_word_is_one_error(self):
        self.assertEqual(count("close the window", "Close the window."), 0)
        self.assertEqual(count("close the window", "close a window"), 1)
        self.assertEqual(count("close the window", "the window"), 1)
        self.assertEqual(count("close the window", "close the the window now"), 2)
        self.assertEqual(count("close the window", ""), 3)
        self.assertEqual(count("", "hello there"), 2)

    def test_the_result_has_the_words_the_errors_and_the_text(self):
        result = compared("Close the window.", "Close a window")
        self.assertEqual(result, {"words": 3, "errors": 1, "text": "Close a window"})


if __name__ == "__main__":
    unittest.main()
