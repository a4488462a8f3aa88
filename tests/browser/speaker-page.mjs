// The speaker's page at `/speaker/`, in a browser with a microphone file.
import assert from "node:assert/strict";
import { finite } from "./figures.mjs";
import { MEASURE } from "./measure.mjs";

const byId = (id) => `document.getElementById(${JSON.stringify(id)})`;
const STATUS = `${byId("status")}.value`;

/**
 * The audio packets that the page's latest peer connection has sent, by the browser's own
 * statistics; undefined without one.
 */
const PACKETS_SENT = `(async () => {
  const stats = [...((await measured.peers.at(-1)?.getStats()) ?? new Map()).values()];
  return stats.find(({ type, kind }) => type === "outbound-rtp" && kind === "audio")?.packetsSent;
})()`;

const FRAMES_SENT = `(async () => {
  const stats = [...(await measured.peers.at(-1).getStats()).values()];
  const video = stats.find(({ type, kind }) => type === "outbound-rtp" && kind === "video");
  return { frames: video.framesEncoded, at: performance.now() };
})()`;

/** Opus packets last 20 ms. */
export const PACKET_MS = 20;

/**
 * The browser's figure may contain a few packets of padding and lack the last ones, and the
 * delivered audio ends with a whole frame of AAC.
 */
export const PACKETS_AROUND = 10;

export class SpeakerPage {
  #chromium;
  #machine;

  /** Opens the page of `cloud`; `scripts` run before its own. */
  static async open({ start, machine }, cloud, { microphone, scripts = [], flags = [] }) {
    const file = microphone === undefined ? [] : [`--use-file-for-fake-audio-capture=${microphone.path}%noloop`];
    const page = new SpeakerPage(start([...file, ...flags]), machine);
    await page.#chromium.open(`${cloud.url}/speaker/`, [...scripts, MEASURE].join("\n"));
    await page.isReady();
    return page;
  }

  constructor(chromium, machine) {
    this.#chromium = chromium;
    this.#machine = machine;
  }

  async isReady() {
    await this.#chromium.until(`${byId("token")}.value !== ""`);
  }

  /** Starts a session, with or without the browser's audio processing. */
  async start(isProcessed = false) {
    for (const id of ["echo", "noise", "gain"]) {
      await this.value(`${byId(id)}.checked = ${isProcessed}`);
    }
    await this.value(`${byId("start")}.click()`);
  }

  /** Waits until media flows. Returns the session's id. */
  async live() {
    await this.until(`${STATUS}.includes(": live")`);
    return (await this.status()).split(":")[0];
  }

  /**
   * Ends the session, and calls `mediaEnded` before the page waits for the last words to be stored.
   * Fails if the page had errors. Returns how many audio packets the browser had sent before.
   */
  async stop(mediaEnded = () => undefined) {
    const sent = await this.value(`${PACKETS_SENT}.then((sent) => (${byId("stop")}.click(), sent))`);
    mediaEnded();
    await this.until(`${STATUS}.endsWith(": ended")`);
    assert.deepEqual(this.#chromium.errors, []);
    return sent;
  }

  /**
   * Returns the time from JoinStorageSession to "live", and how much of it programs waited for a
   * processor. Fails if the page has not called JoinStorageSession or has not become live.
   */
  async joining() {
    const { joinAt, liveAt, origin } = await this.value("({ ...measured, peers: undefined, origin: performance.timeOrigin })");
    const waitedMs = this.#machine.waitedMs(origin + joinAt, origin + liveAt);
    return finite({ joinMs: Math.round(liveAt - joinAt), waitedMs: Math.round(waitedMs) });
  }

  status() {
    return this.value(STATUS);
  }

  /** Every text that the status line had, oldest first, with its time: {at, text}. */
  statuses() {
    return this.value("measured.statuses");
  }

  /** The lines of the page's log, oldest first. */
  async log() {
    return (await this.value(`[...${byId("log")}.children].map((line) => line.innerText)`)).reverse();
  }

  /** The pictures that the browser has encoded, and when this was: {frames, at}. */
  framesSent() {
    return this.value(FRAMES_SENT);
  }

  /** Opens another tab in front of the page. */
  async hide() {
    await this.#chromium.hide();
    await this.until("document.visibilityState === 'hidden'");
  }

  value(expression) {
    return this.#chromium.value(expression);
  }

  until(expression) {
    return this.#chromium.until(expression);
  }

  /** Reloads the page. Returns how many audio packets the browser had sent before. */
  async reload() {
    await this.value("globalThis.isOld = true");
    const sent = await this.value(`${PACKETS_SENT}.then((sent) => (setTimeout(() => location.reload()), sent))`);
    await this.until("globalThis.isOld === undefined");
    await this.isReady();
    return sent;
  }

  close() {
    return this.#chromium.close();
  }
}
