// The measures on audio whose differences are known.
import assert from "node:assert/strict";
import { test } from "node:test";
import { compare, correlation, envelope, gapMs } from "./compare.mjs";
import { pcm, readWav, wavOf } from "./wav.mjs";

const RATE = 16_000;

/** Two seconds of silence, then syllables of different lengths and levels: a tone that is switched on and off. */
function speech(seconds) {
  const samples = new Int16Array(seconds * RATE);
  let [at, level] = [2 * RATE, 3_000];
  for (let syllable = 0; at < samples.length; syllable += 1) {
    const length = 1_600 + ((syllable * 977) % 3_200);
    level = 1_000 + ((syllable * 2_731) % 9_000);
    for (let sample = at; sample < Math.min(at + length, samples.length); sample += 1) {
      samples[sample] = level * Math.sin(sample / 5);
    }
    at += length + 800 + ((syllable * 613) % 1_600);
  }
  return samples;
}

test("a copy that begins later is found, and has no gap", () => {
  const source = speech(10);
  const result = compare(source, source.slice(1.25 * RATE), RATE, 3);
  assert.ok(result.envelope > 0.999, `${result.envelope}`);
  assert.deepEqual([result.skippedMs, result.gapMs], [1_250, 0]);
});

test("half the level is no difference, and 100 ms of silence in speech is a gap", () => {
  const source = speech(10).map((sample) => sample / 2);
  const delivered = source.slice();
  const loudest = envelope(source, RATE).reduce((best, level, at, all) => (level > all[best] ? at : best), 0);
  assert.equal(compare(speech(10), delivered, RATE, 0).gapMs, 0);
  delivered.fill(0, loudest * 320, loudest * 320 + 1_600);
  const { gapMs: missing } = compare(source, delivered, RATE, 0);
  assert.ok(missing >= 40 && missing <= 100, `${missing}`);
});

test("speech after the end of the delivered audio is a gap", () => {
  const source = speech(10);
  const whole = gapMs(envelope(source, RATE), []);
  const half = compare(source, source.slice(0, 6 * RATE), RATE, 0).gapMs;
  assert.ok(half > 1_000 && half < whole, `${half} of ${whole}`);
});

test("other audio does not correlate", () => {
  const source = speech(10);
  const other = source.slice().reverse();
  assert.ok(compare(source, other, RATE, 1).envelope < 0.8);
  assert.equal(correlation([1, 1, 1], [1, 2, 3]), 0);
});

test("a WAV file keeps its samples", () => {
  const samples = speech(3);
  const read = readWav(wavOf(samples, RATE));
  assert.deepEqual(read, { samples, sampleRate: RATE });
  assert.deepEqual(pcm(Buffer.from([1, 0, 255, 255, 9])), new Int16Array([1, -1]));
  assert.throws(() => readWav(Buffer.from("no file")), /not a WAV file/);
});
