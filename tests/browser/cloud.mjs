// A local cloud of its own for the tests, and the calls that they make to it.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { finite } from "./figures.mjs";

/** Waits for `ms`. */
export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Polls until `ask` returns a true value. Throws after `seconds`. */
export async function until(what, ask, seconds = 60) {
  for (const giveUpAt = Date.now() + seconds * 1_000; Date.now() < giveUpAt; await pause(100)) {
    const answer = await ask();
    if (answer) {
      return answer;
    }
  }
  throw new Error(`timed out after ${seconds} s: ${what}`);
}

export class Cloud {
  #process;
  #program;

  /** Starts `program up` with further options on a free port, in the repository `root`. */
  static async start(root, program, options = []) {
    const child = spawn(program, ["up", "--port", "0", ...options], { cwd: root, stdio: ["ignore", "pipe", "inherit"] });
    const lines = createInterface(child.stdout);
    const ended = new Promise((_, reject) => child.once("exit", (code) => reject(new Error(`${program} up ended with ${code}`))));
    ended.catch(() => undefined);
    const first = new Promise((resolve) => lines.once("line", resolve));
    const line = await Promise.race([first, ended]);
    return new Cloud(root, program, child, line.replace(/^ready /, ""));
  }

  constructor(root, program, child, url) {
    [this.root, this.#program, this.#process, this.url] = [root, program, child, url];
  }

  async stop() {
    const ended = new Promise((resolve) => this.#process.once("exit", resolve));
    this.#process.kill("SIGINT");
    await ended;
  }

  /** The answer to a request: its status and its body as JSON, if it is JSON. */
  async call(method, path, body, token) {
    const headers = { "content-type": "application/json", ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) };
    const response = await fetch(this.url + path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    const text = await response.text();
    try {
      return { status: response.status, body: JSON.parse(text) };
    } catch {
      return { status: response.status, body: text };
    }
  }

  async token() {
    return (await this.call("POST", "/_local/token", { sub: "browser-test" })).body.token;
  }

  /** Waits until a warm pair is ready, with `WarmPairs=1`. Returns the id of the session that takes it. */
  async warmPair() {
    const invocations = "/2015-03-31/functions/kvs-stream-consumer/invocations";
    const made = async () => {
      const check = { action: "health_check", source: "cloudwatch_events" };
      return (await this.call("POST", invocations, check)).body.warmPairs === 1;
    };
    await until("a warm pair", made);
    const [channel] = (await this.call("GET", "/_local/state")).body.kinesisvideo.channels;
    return channel.name.replace(/^session-/, "");
  }

  /** The figures of a session's deliveries; undefined before the first one. */
  async figures(sessionId) {
    const { status, body } = await this.call("GET", `/_local/deliveries/${sessionId}`);
    return status === 200 ? body : undefined;
  }

  /** Waits for the final chunk of a session. */
  async drained(sessionId) {
    const isFinal = async () => ((await this.figures(sessionId))?.finalAcceptedUs ?? null) !== null;
    await until(`the final chunk of ${sessionId}`, isFinal, 90);
  }

  /** The audio that the processor accepted, as a WAV file. */
  async audio(sessionId) {
    const response = await fetch(`${this.url}/_local/audio/${sessionId}.wav`);
    return Buffer.from(await response.arrayBuffer());
  }

  /** Kills the processes of the consumer. Returns how many there were. Fails without an answer. */
  async killConsumer() {
    const { body } = await this.call("DELETE", "/_local/processes/kvs-stream-consumer");
    return finite({ killed: body.killed }).killed;
  }

  /** How many runs of the consumer have taken the lease of a session. */
  async runs() {
    const { body } = await this.call("GET", "/_local/logs/kvs-stream-consumer");
    return String(body).split("lease acquired").length - 1;
  }

  /**
   * Sends a recording into a session as a PutMedia producer does, until its end or that of the
   * session.
   */
  speak(sessionId, recording) {
    spawn(this.#program, ["--url", this.url, "speak", sessionId, recording], { cwd: this.root, stdio: "ignore" });
  }
}
