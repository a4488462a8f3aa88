// Tests with a real browser: local clouds, headless Chromium, the page at `/` and the speaker's
// page.
//
//   node tests/browser/run.mjs [PART OF A SCENARIO'S NAME…]
//
// Two browsers send media at a time. Each scenario has a cloud of its own; results are checked at
// the end. Writes target/browser/summary.json: [{scenario, joinMs, wordErrors, words, gapMs,
// envelope, ok, reason?}]. A figure that a scenario does not measure is null. Exits with 0 if every
// scenario is ok. Without Chromium it prints why the tests are skipped, and exits with 0.
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Chromium, findChromium } from "../../examples/speaker/smoke/chromium.mjs";
import { Cloud } from "./cloud.mjs";
import { Machine } from "./machine.mjs";
import { firstWord } from "./scenarios/first-word.mjs";
import { handOver } from "./scenarios/hand-over.mjs";
import { hidden } from "./scenarios/hidden.mjs";
import { renewal, theHour } from "./scenarios/hour.mjs";
import { networkCut, packetLoss } from "./scenarios/network.mjs";
import { showsSession } from "./scenarios/page.mjs";
import { refusedAnswers } from "./scenarios/refused.mjs";
import { reload } from "./scenarios/reload.mjs";
import { takeover } from "./scenarios/takeover.mjs";
import { processingOff, processingOn } from "./scenarios/whole.mjs";
import { Slots } from "./slots.mjs";
import { microphone, recording, sentences } from "./speech.mjs";
import { Wire } from "./wire.mjs";
import { Words } from "./words.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const bin = resolve(root, process.env.BIN ?? "target/debug");
const output = join(root, "target/browser");

const BROWSERS = 2;

/**
 * First the one that needs both browsers, then the longest. The last two have no audio to wait for
 * when their browser is closed.
 */
const SCENARIOS = [
  takeover,
  theHour,
  processingOff,
  processingOn,
  reload,
  handOver,
  networkCut,
  packetLoss,
  renewal,
  hidden,
  firstWord,
  refusedAnswers,
  showsSession,
];

const NOT_MEASURED = { joinMs: null, wordErrors: null, words: null, gapMs: null, envelope: null };

/** Runs a scenario. Returns its recorded evidence, or the error. */
async function recorded({ run, browsers = 1 }, { slots, machine, path, turns, sentences }) {
  const release = await slots.take(browsers);
  const clouds = [];
  const chromiums = [];
  const wires = [];
  const tools = {
    machine,
    output,
    turns,
    sentences,
    release,
    start: (flags) => chromiums[chromiums.push(new Chromium(path, flags)) - 1],
    microphone: (name, speech, lead) => microphone(output, name, speech, lead),
    wire: async () => wires[wires.push(await Wire.start()) - 1],
    cloud: async (options) => clouds[clouds.push(await Cloud.start(root, join(bin, "local-cloud"), options)) - 1],
  };
  try {
    return { evidence: await run(tools) };
  } catch (error) {
    return { error };
  } finally {
    await Promise.all(chromiums.map((chromium) => chromium.close()));
    release();
    wires.forEach((wire) => wire.close());
    await Promise.all(clouds.map((cloud) => cloud.stop()));
  }
}

/** The row of a scenario in the summary. */
async function checked(scenario, { evidence, error }, recogniser) {
  const failed = ({ stack }) => ({ scenario: scenario.name, ...NOT_MEASURED, ok: false, reason: stack });
  return error === undefined ? measured(scenario, evidence, recogniser).catch(failed) : failed(error);
}

async function measured({ name, check }, evidence, recogniser) {
  const { problems, words: speech, ...figures } = check(evidence);
  const compared = speech === undefined ? { problems: [] } : await recogniser.compare(speech);
  if (process.env.DETAILS) {
    console.log(JSON.stringify({ name, ...figures, ...compared }, null, 1));
  }
  const reason = [...problems, ...compared.problems].filter(Boolean).join("; ");
  const { joinMs = null, gapMs = null, envelope = null } = figures;
  const { wordErrors = null, words = null } = compared;
  const row = { scenario: name, joinMs, wordErrors, words, gapMs, envelope, ok: reason === "" };
  return reason === "" ? row : { ...row, reason };
}

function line({ scenario, ok, reason, joinMs, wordErrors, words, envelope, gapMs }) {
  const figures = [
    joinMs !== null && `join ${joinMs} ms`,
    envelope !== null && `envelope ${envelope.toFixed(3)}`,
    gapMs !== null && `gaps ${gapMs} ms`,
    words !== null && `${wordErrors} of ${words} words wrong`,
  ].filter(Boolean);
  return [`${ok ? "ok    " : "failed"}  ${scenario}`, ...figures].join("  ") + (reason === undefined ? "" : `\n        ${reason}`);
}

mkdirSync(output, { recursive: true });
const summary = (rows) => writeFileSync(join(output, "summary.json"), `${JSON.stringify(rows, null, 2)}\n`);
const path = findChromium();
if (path === undefined) {
  summary([]);
  console.log("skipped: the tests with a real browser (needs Chromium; Debian: apt-get install chromium; or CHROMIUM=PATH)");
} else {
  const missing = ["local-cloud", "examples/decode"].map((name) => join(bin, name)).filter((file) => !existsSync(file));
  if (missing.length > 0) {
    throw new Error(`${missing.join(" and ")} not built: make cloud builds them`);
  }
  const wanted = process.argv.slice(2);
  const scenarios = SCENARIOS.filter(({ name }) => wanted.length === 0 || wanted.some((part) => name.includes(part)));
  const { turns } = recording(root, join(bin, "examples/decode"));
  const shared = { slots: new Slots(BROWSERS), machine: new Machine(), path, turns, sentences: sentences(root) };
  const outcomes = await Promise.all(scenarios.map((scenario) => recorded(scenario, shared)));
  shared.machine.stop();
  const recogniser = new Words(root);
  const rows = await Promise.all(scenarios.map((scenario, index) => checked(scenario, outcomes[index], recogniser)));
  rows.forEach((row) => console.log(line(row)));
  summary(rows);
  if (recogniser.isAbsent) {
    console.log("words were not compared, because the recogniser is not installed (examples/recogniser/requirements.txt)");
  }
  process.exitCode = rows.length > 0 && rows.every(({ ok }) => ok) ? 0 : 1;
}
