// The speaker's page at `/speaker/`: a WAV as the microphone, over WebRTC into a session, and out of the processor.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pause } from "./cloud.mjs";
import { compare } from "./compare.mjs";
import { SAMPLE_RATE } from "./speech.mjs";
import { readWav } from "./wav.mjs";

/** The most that connecting may take, and so the most of the source that may be missing at its start. */
const MAX_SKIP_SECONDS = 3;

/** Runs in the page before its own code: measures from JoinStorageSession to the status "live". */
const MEASURE = `(() => {
  const times = (globalThis.measured = {});
  const send = globalThis.fetch;
  globalThis.fetch = (input, init) => {
    if (String(input).endsWith("/joinStorageSession")) times.joinAt ??= performance.now();
    return send(input, init);
  };
  addEventListener("DOMContentLoaded", () => {
    const status = document.getElementById("status");
    const look = () => { if (status.value.endsWith(": live")) times.liveAt ??= performance.now(); };
    new MutationObserver(look).observe(status, { childList: true, characterData: true, subtree: true });
  });
})();`;

const byId = (id) => `document.getElementById(${JSON.stringify(id)})`;

/** Speaks the whole microphone file into a session, with or without the browser's audio processing. */
export async function speaks({ cloud, start, microphone, output }, { name, isProcessed }) {
  const chromium = start([`--use-file-for-fake-audio-capture=${microphone.path}%noloop`]);
  try {
    await chromium.open(`${cloud.url}/speaker/`, MEASURE);
    await chromium.until(`${byId("token")}.value !== ""`);
    for (const id of ["echo", "noise", "gain"]) {
      await chromium.value(`${byId(id)}.checked = ${isProcessed}`);
    }
    await chromium.value(`${byId("start")}.click()`);
    await chromium.until(`${byId("status")}.value.endsWith(": live")`);
    const joinMs = await chromium.value("measured.liveAt - measured.joinAt");
    const sessionId = (await chromium.value(`${byId("status")}.value`)).split(":")[0];
    await pause((microphone.seconds + 1) * 1_000);
    const status = await chromium.value(`${byId("status")}.value`);
    assert.equal(status, `${sessionId}: live`, "the connection was lost");
    await chromium.value(`${byId("stop")}.click()`);
    await chromium.until(`${byId("status")}.value.endsWith(": ended")`);
    assert.deepEqual(chromium.errors, []);
    await cloud.drained(sessionId);
    const file = await cloud.audio(sessionId);
    writeFileSync(join(output, `${name.replaceAll(" ", "-")}.wav`), file);
    const { envelope, gapMs } = compare(microphone.samples, readWav(file).samples, SAMPLE_RATE, MAX_SKIP_SECONDS);
    const { filledSamples } = await cloud.figures(sessionId);
    return { joinMs: Math.round(joinMs), envelope, gapMs: gapMs + Math.round((filledSamples * 1_000) / SAMPLE_RATE) };
  } finally {
    await chromium.close();
  }
}
