import assert from "node:assert/strict";
import { test } from "node:test";
import { wordErrors, wordsIn } from "./words.mjs";

test("words have no punctuation and no capitals", () => {
  assert.deepEqual(wordsIn("Well said. Now, don't close it!"), ["well", "said", "now", "don't", "close", "it"]);
  assert.deepEqual(wordsIn("…"), []);
});

test("each wrong, missing or additional word is one error", () => {
  const errors = (spoken, heard) => wordErrors(wordsIn(spoken), wordsIn(heard));
  assert.equal(errors("close the window", "Close the window."), 0);
  assert.equal(errors("close the window", "close a window"), 1);
  assert.equal(errors("close the window", "the window"), 1);
  assert.equal(errors("close the window", "close the the window now"), 2);
  assert.equal(errors("close the window", ""), 3);
  assert.equal(errors("", "hello there"), 2);
});
