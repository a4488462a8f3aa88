// Texts of the page, from its compiled modules.
import assert from "node:assert/strict";
import { test } from "node:test";
import { busText, decibels, duration, levelText, logLine, seconds, shortened, timeOfDay, wordsText } from "../format.js";

test("durations have a unit", () => {
  assert.equal(seconds(24_000), "1.5 s");
  assert.deepEqual([duration(null), duration(9_999.4), duration(12_340)], ["–", "9999 ms", "12.3 s"]);
  assert.match(timeOfDay(new Date(1_732_540_620_007)), /^\d\d:17:00\.007$/);
});

test("a level is in dB below full scale", () => {
  assert.deepEqual([decibels(32_768), decibels(0), decibels(1)], [0, -60, -60]);
  assert.equal(levelText(decibels(3_277)), "−20 dBFS");
  assert.equal(levelText(decibels(0)), "silence");
});

test("a log line shows its message and its members", () => {
  const line = logLine('{"timestamp":"2026-11-29T01:56:22.164234Z","level":"INFO","message":"lease acquired","sessionId":"a-b-1","epoch":1}');
  assert.deepEqual([line.level, line.text], ["INFO", "lease acquired  sessionId=a-b-1  epoch=1"]);
  assert.equal(line.at?.toISOString(), "2026-11-29T01:56:22.164Z");
  const python = logLine('{"timestamp":"2026-11-29 01:56:22,500","message":"a"}');
  assert.equal(python.at?.getMilliseconds(), 500);
});

test("metrics that are 0 are left out, and other text is shown as it is", () => {
  const metrics = logLine('{"_aws":{"Timestamp":1732540620007},"Chunks":[1,2],"Lost":0}');
  assert.deepEqual([metrics.level, metrics.text, metrics.at?.getTime()], ["EMF", "Chunks=[1,2]", 1_732_540_620_007]);
  for (const text of ["Traceback: a", "1", "null"]) {
    assert.deepEqual(logLine(text), { at: undefined, level: "", text });
  }
});

test("a long line is cut, and ends with a sign of it", () => {
  assert.equal(shortened("x".repeat(300)), "x".repeat(300));
  assert.equal(shortened("x".repeat(301)), `${"x".repeat(300)}…`);
});

test("an event shows its session and the rules that it triggered", () => {
  const event = { "detail-type": "Session Status Change", detail: { sessionId: "a-b-1", status: "ACTIVE" } };
  assert.equal(busText({ receivedAt: "", rules: ["start"], event }), "Session Status Change a-b-1 ACTIVE → start");
  assert.equal(busText({ receivedAt: "", rules: [], event: {} }), "event → no rule");
});

test("missing words have a reason", () => {
  const words = (state, reason = null, missedMs = 0) => wordsText({ state, reason, missedMs });
  assert.match(words("absent"), /^No speech recogniser is set/);
  assert.match(words("failed", "no model", 1_500), /failed \(no model\)\. 1\.5 s of the audio/);
  assert.deepEqual([words("running"), words("ended")], ["", ""]);
  assert.equal(words("ended", null, 1_500), "1.5 s of the audio were not recognised.");
});
