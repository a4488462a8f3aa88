// The page at `/` while a recording is spoken into a session: what it shows, its switches, and what
// a screen reader gets.
import assert from "node:assert/strict";
import { join } from "node:path";
import { until } from "../cloud.mjs";
import { RECORDING } from "../speech.mjs";

const text = (id) => `document.getElementById(${JSON.stringify(id)}).innerText`;

/** Opens the page, speaks into a session, and switches faults on and off. */
export const showsSession = { name: "page", run: shows, check: () => ({ problems: [] }) };

async function shows({ cloud: startCloud, start, output, release }) {
  const cloud = await startCloud([]);
  const token = await cloud.token();
  const chromium = start([]);
  await chromium.open(`${cloud.url}/`, "");
  await chromium.until(`${text("connection")} === "live"`);
  await chromium.until(`${text("no-sessions")}.startsWith("No session yet")`);
  const { body: session } = await cloud.call("POST", "/sessions", { sourceLanguage: "en" }, token);
  cloud.speak(session.sessionId, RECORDING);
  await chromium.until(`${text("detail-title")} === ${JSON.stringify(`Session ${session.sessionId}`)}`);
  await chromium.until(`${text("waveform-text")}.startsWith("Delivered audio from 0.0 s")`);
  await chromium.until(`document.getElementById("level").value > -60`);
  await chromium.until(`/Epoch\\n1\\n/.test(${text("facts")}) && /running, desired RUN/.test(${text("facts")})`);
  await chromium.until(`${text("events")}.includes("${session.sessionId}") && ${text("log")}.includes("lease acquired")`);
  await hasNames(chromium);
  await switchesByKeyboard(chromium, cloud);
  await killsTheConsumer(chromium, cloud);
  for (const scheme of ["light", "dark"]) {
    await chromium.screen(1280, 1000, scheme);
    await chromium.screenshot(join(output, `page-${scheme}.png`));
  }
  await cloud.call("DELETE", `/sessions/${session.sessionId}`, undefined, token);
  await chromium.until(`${text("facts")}.includes("ended (")`);
  assert.deepEqual(chromium.errors, []);
  await chromium.close();
  release();
}

/** Every control has a name, and the parts of the page have headings. */
async function hasNames(chromium) {
  const nodes = await chromium.accessibility();
  const controls = nodes.filter(({ role }) => ["button", "checkbox", "switch", "radio", "link", "meter"].includes(role));
  assert.ok(controls.length >= 8, `${controls.length} controls`);
  assert.deepEqual(controls.filter(({ name }) => name === ""), []);
  const headings = nodes.filter(({ role }) => role === "heading").map(({ name }) => name);
  for (const heading of ["Local cloud", "Sessions", "Words", "Faults", "Events"]) {
    assert.ok(headings.includes(heading), `${heading} in ${headings}`);
  }
}

/** The space key switches a fault on and off. */
async function switchesByKeyboard(chromium, cloud) {
  const pending = async () => (await cloud.call("GET", "/_local/faults")).body.faults.length;
  await chromium.value(`document.getElementById("fault-network").focus()`);
  await chromium.press(" ");
  await until("two pending faults", async () => (await pending()) === 2);
  await chromium.until(`${text("log")}.includes("GetMedia connection interrupted")`);
  await chromium.until(`document.getElementById("fault-network").checked`);
  await chromium.press(" ");
  await until("no pending fault", async () => (await pending()) === 0);
  await chromium.until(`${text("log")}.includes("Lose the network: off")`);
}

/** A killed consumer is shown as one: Lambda reports the failure, and its processes are gone. */
async function killsTheConsumer(chromium, cloud) {
  const consumer = async () => {
    const { lambda } = (await cloud.call("GET", "/_local/state")).body;
    return lambda.functions.find((it) => it.package === "kvs-stream-consumer");
  };
  const before = (await consumer()).errors;
  await chromium.value(`document.querySelector("#faults button").click()`);
  await until("the failed invocation", async () => (await consumer()).errors > before);
  await chromium.until(`${text("log")}.includes("the consumer is killed")`);
}
