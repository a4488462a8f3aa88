// Tests with a real browser: a local cloud, a headless Chromium, the page at `/` and the speaker's page.
//
//   node tests/browser/run.mjs [PART OF A SCENARIO'S NAME…]
//
// Writes target/browser/summary.json: [{scenario, joinMs, wordErrors, words, gapMs, envelope, ok, reason?}]. A figure
// that a scenario does not measure is null; words are null because no recogniser is installed. Exits with 0 if every
// scenario is ok, or if there is no Chromium, which is said.
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Chromium, findChromium } from "../../examples/speaker/smoke/chromium.mjs";
import { Cloud } from "./cloud.mjs";
import { showsSession } from "./page.mjs";
import { speaks } from "./speaker.mjs";
import { microphone } from "./speech.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const bin = join(root, process.env.BIN ?? "target/debug");
const output = join(root, "target/browser");

/** Connecting may take so long. */
const MAX_JOIN_MS = 1_000;

/** A browser without audio processing keeps at least this correlation of energy; with it, less. */
const MIN_ENVELOPE = { off: 0.95, on: 0.9 };

const speaking = (isProcessed, minEnvelope) => ({
  name: `speaker, processing ${isProcessed ? "on" : "off"}`,
  run: (tools, name) => speaks(tools, { name, isProcessed }),
  faults: ({ joinMs, envelope, gapMs }) => [
    joinMs > MAX_JOIN_MS && `joining took ${joinMs} ms`,
    envelope < minEnvelope && `the envelopes correlate with ${envelope.toFixed(3)}`,
    gapMs > 0 && `gaps of ${gapMs} ms`,
  ],
});

const SCENARIOS = [
  { name: "page", run: showsSession, faults: () => [] },
  speaking(false, MIN_ENVELOPE.off),
  speaking(true, MIN_ENVELOPE.on),
];

const NOT_MEASURED = { joinMs: null, wordErrors: null, words: null, gapMs: null, envelope: null };

async function outcome({ name, run, faults }, tools) {
  try {
    const measured = await run(tools, name);
    const reason = faults(measured).filter(Boolean).join("; ");
    return { scenario: name, ...NOT_MEASURED, ...measured, ok: reason === "", ...(reason === "" ? {} : { reason }) };
  } catch (error) {
    return { scenario: name, ...NOT_MEASURED, ok: false, reason: error.message };
  }
}

function line({ scenario, ok, reason, joinMs, envelope, gapMs }) {
  const figures = joinMs === null ? "" : `  join ${joinMs} ms, envelope ${envelope.toFixed(3)}, gaps ${gapMs} ms`;
  return `${ok ? "ok    " : "failed"}  ${scenario}${figures}${reason === undefined ? "" : `\n        ${reason}`}`;
}

mkdirSync(output, { recursive: true });
const summary = (rows) => writeFileSync(join(output, "summary.json"), `${JSON.stringify(rows, null, 2)}\n`);
const path = findChromium();
if (path === undefined) {
  summary([]);
  console.log("skipped: the tests with a real browser (tests/browser), for want of Chromium (Debian: apt-get install chromium; CHROMIUM=… names one)");
} else {
  const missing = ["local-cloud", "examples/decode"].map((name) => join(bin, name)).filter((file) => !existsSync(file));
  if (missing.length > 0) {
    throw new Error(`${missing.join(" and ")} not built: make cloud builds them`);
  }
  const wanted = process.argv.slice(2);
  const scenarios = SCENARIOS.filter(({ name }) => wanted.length === 0 || wanted.some((part) => name.includes(part)));
  const cloud = await Cloud.start(root, join(bin, "local-cloud"));
  const rows = [];
  try {
    const start = (flags) => new Chromium(path, flags);
    const tools = { cloud, start, output, microphone: microphone(root, join(bin, "examples/decode"), output) };
    for (const scenario of scenarios) {
      const row = await outcome(scenario, tools);
      console.log(line(row));
      rows.push(row);
      summary(rows);
    }
  } finally {
    await cloud.stop();
  }
  process.exitCode = rows.length > 0 && rows.every(({ ok }) => ok) ? 0 : 1;
}
