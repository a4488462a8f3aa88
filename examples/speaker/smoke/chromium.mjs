// Controls a headless Chromium over a pipe (DevTools protocol).
import { spawn } from "node:child_process";
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/** The path of a Chromium: `$CHROMIUM`, else the first on `$PATH`; `undefined` if there is none. */
export function findChromium() {
  const onPath = NAMES.flatMap((name) => (process.env.PATH ?? "").split(delimiter).map((folder) => join(folder, name)));
  const named = process.env.CHROMIUM;
  return (named ? [named] : onPath).find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--no-first-run",
  "--disable-background-networking",
  "--use-fake-ui-for-media-stream",
  "--use-fake-device-for-media-stream",
  // Where the machine has no network but loopback, there would be no candidates.
  "--allow-loopback-in-peer-connection",
  "--remote-debugging-pipe",
];

export class Chromium {
  /** What the page wrote as an error, and what it threw. */
  errors = [];
  #process;
  #profile = mkdtempSync(join(tmpdir(), "speaker-"));
  #last = 0;
  #waiting = new Map();
  /** Why it has no further answers; `undefined` while it runs. */
  #end;
  #page;

  /** Starts a Chromium with further flags. */
  constructor(path, more = []) {
    const flags = [...FLAGS, ...more, `--user-data-dir=${this.#profile}`, "about:blank"];
    this.#process = spawn(path, flags, { detached: true, stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
    this.#process.once("error", (error) => this.#ended(error));
    const ended = () => this.#ended(new Error("the browser has ended"));
    this.#process.once("exit", ended);
    this.#process.stdio.slice(3).forEach((pipe) => pipe.on("error", ended));
    let rest = "";
    this.#process.stdio[4].setEncoding("utf8").on("data", (text) => {
      const messages = (rest + text).split("\0");
      rest = messages.pop();
      messages.forEach((message) => this.#take(JSON.parse(message)));
    });
  }

  /** Opens `url`, with `script` run before the page's own. */
  async open(url, script) {
    const { targetId } = await this.#ask("Target.createTarget", { url: "about:blank" });
    this.#page = (await this.#ask("Target.attachToTarget", { targetId, flatten: true })).sessionId;
    await this.#ask("Runtime.enable");
    await this.#ask("Log.enable");
    await this.#ask("Page.enable");
    await this.#ask("Page.addScriptToEvaluateOnNewDocument", { source: script });
    await this.#ask("Page.navigate", { url });
  }

  /** Opens an empty tab in front of the page, which is hidden then. */
  async hide() {
    await this.#ask("Target.createTarget", { url: "about:blank" });
  }

  /** The value of an expression in the page. */
  async value(expression) {
    const parameters = { expression, returnByValue: true, awaitPromise: true };
    const { result, exceptionDetails } = await this.#ask("Runtime.evaluate", parameters);
    if (exceptionDetails !== undefined) {
      throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    }
    return result.value;
  }

  /** Polls an expression until it is true. Throws after 30 s, or when the browser has ended. */
  async until(expression) {
    for (const giveUpAt = Date.now() + 30_000; Date.now() < giveUpAt; ) {
      if (await this.value(expression).catch(() => false)) {
        return;
      }
      if (this.#end !== undefined) {
        throw this.#end;
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const page = await this.value("document.body.innerText").catch(() => "");
    throw new Error(`never true: ${expression}\n${page}\n${this.errors.join("\n")}`);
  }

  /** Presses a key, for example "Tab" or " ". */
  async press(key) {
    const text = key.length === 1 ? { text: key } : {};
    const windowsVirtualKeyCode = { Tab: 9, Enter: 13, ArrowDown: 40 }[key] ?? key.charCodeAt(0);
    await this.#ask("Input.dispatchKeyEvent", { type: "keyDown", key, windowsVirtualKeyCode, ...text });
    await this.#ask("Input.dispatchKeyEvent", { type: "keyUp", key, windowsVirtualKeyCode });
  }

  /** Emulates a screen size and a preferred colour scheme. */
  async screen(width, height, scheme) {
    await this.#ask("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: false });
    await this.#ask("Emulation.setScrollbarsHidden", { hidden: true });
    await this.#ask("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: scheme }] });
  }

  /** The names and roles that a screen reader gets. */
  async accessibility() {
    const { nodes } = await this.#ask("Accessibility.getFullAXTree");
    return nodes.filter(({ ignored }) => !ignored).map(({ role, name }) => ({ role: role?.value, name: name?.value ?? "" }));
  }

  /**
   * Writes the page as a PNG, or as a WebP if that is the file's extension: whole, or the part that
   * fits on the screen.
   */
  async screenshot(file, captureBeyondViewport = true) {
    const format = file.endsWith(".webp") ? { format: "webp", quality: 80 } : { format: "png" };
    const { data } = await this.#ask("Page.captureScreenshot", { ...format, captureBeyondViewport });
    writeFileSync(file, Buffer.from(data, "base64"));
  }

  async close() {
    const { pid, exitCode, signalCode } = this.#process;
    if (pid !== undefined && exitCode === null && signalCode === null) {
      const ended = new Promise((resolve) => this.#process.once("exit", resolve));
      // The whole group: processes that the browser has started would still write to the profile.
      process.kill(-pid, "SIGKILL");
      await ended;
    }
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 10 });
  }

  /** Rejects all calls, also later ones. */
  #ended(error) {
    this.#end ??= error;
    this.#waiting.forEach(({ reject }) => reject(this.#end));
    this.#waiting.clear();
  }

  async #ask(method, params = {}) {
    if (this.#end !== undefined) {
      throw this.#end;
    }
    const id = (this.#last += 1);
    const sessionId = method.startsWith("Target.") ? undefined : this.#page;
    this.#process.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  #take({ id, result, error, method, params }) {
    if (id !== undefined) {
      const call = this.#waiting.get(id);
      this.#waiting.delete(id);
      error === undefined ? call?.resolve(result) : call?.reject(new Error(error.message));
    } else if (method === "Runtime.exceptionThrown") {
      this.errors.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
    } else if (method === "Log.entryAdded" && params.entry.level === "error") {
      this.errors.push(params.entry.text);
    } else if (method === "Runtime.consoleAPICalled" && params.type === "error") {
      this.errors.push(params.args.map(({ value, description }) => value ?? description).join(" "));
    }
  }
}
