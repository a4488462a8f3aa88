// The measures on audio whose differences are known.
import assert from "node:assert/strict";
import { test } from "node:test";
import { compare, correlation, envelope, gapMs, lags, locate, silenced } from "./compare.mjs";
import { pcm, readWav, wavOf } from "./wav.mjs";

const RATE = 16_000;

/**
 * Two seconds of silence, then syllables of different lengths and levels: a tone that is switched
 * on and off.
 */
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

test("the place is found with all of the audio, not with what is left of the source", () => {
  const source = voice(6);
  const { skippedMs, envelope: value } = compare(source, source.slice(2.5 * RATE), RATE, 5.9);
  assert.deepEqual([skippedMs, Math.round(value * 1_000)], [2_500, 1_000]);
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

/**
 * A voice: syllables of a pitch that rises and falls, so that each place in it has a waveform of
 * its own.
 */
function voice(seconds) {
  let phase = 0;
  return speech(seconds).map((level, at) => {
    phase += (2 * Math.PI * (140 + 60 * Math.sin(at / 9_000))) / RATE;
    return level === 0 ? 0 : 6_000 * Math.sin(phase) + 2_000 * Math.sin(3 * phase);
  });
}

test("sound that keeps its place has no lag, and sound behind an insertion or a cut is found where it is", () => {
  const source = voice(12);
  const whole = lags(source, source.slice(RATE), RATE, 1_000);
  assert.ok(whole.length >= 6, `${whole.length} windows`);
  assert.deepEqual(whole.filter(({ lagMs }) => lagMs !== 0), []);
  const short = lags(source.subarray(0, 9.5 * RATE), source.slice(RATE), RATE, 1_000);
  assert.deepEqual([short.at(-1).at, short.filter(({ lagMs }) => lagMs !== 0)], [7, []]);
  const at = 6 * RATE;
  const late = new Int16Array([...source.subarray(0, at), ...new Int16Array(160), ...source.subarray(at)]);
  assert.deepEqual(new Set(lags(source, late, RATE, 0).map(({ lagMs }) => Math.round(lagMs))), new Set([0, -10]));
  const cut = new Int16Array([...source.subarray(0, at), ...source.subarray(at + 4_800)]);
  assert.ok(lags(source, cut, RATE, 0).some(({ lagMs }) => Math.round(lagMs) === 300));
});

test("ranges are silenced, and a part is found in the whole", () => {
  const source = voice(8);
  const masked = silenced(source, RATE, [{ fromMs: 3_000, ms: 500 }]);
  assert.ok(masked.subarray(3 * RATE, 3.5 * RATE).every((sample) => sample === 0));
  assert.deepEqual(masked.subarray(3.5 * RATE), source.subarray(3.5 * RATE));
  const found = locate(source.subarray(5 * RATE, 7 * RATE), source, RATE);
  assert.deepEqual([found.seconds, Math.round(found.envelope * 1_000)], [5, 1_000]);
});
