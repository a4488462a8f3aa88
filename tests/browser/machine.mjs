// The machine's part in a delay: the time in which programs waited for a processor (Linux's
// pressure stall information).
import { readFileSync } from "node:fs";

const EVERY_MS = 50;

/**
 * The time so far in which at least one program waited for a processor, in ms; undefined where it
 * is not measured.
 */
function waited() {
  try {
    const [, micros] = readFileSync("/proc/pressure/cpu", "utf8").match(/^some .*total=(\d+)/m);
    return Number(micros) / 1_000;
  } catch {
    return undefined;
  }
}

export class Machine {
  #samples = [];
  #timer = setInterval(() => this.#sample(), EVERY_MS);

  constructor() {
    this.#sample();
  }

  #sample() {
    const ms = waited();
    if (ms !== undefined) {
      this.#samples.push({ at: Date.now(), ms });
    }
  }

  /**
   * How long programs waited for a processor between two times (ms since the epoch); 0 where it is
   * not measured.
   */
  waitedMs(from, to) {
    const before = this.#samples.findLast(({ at }) => at <= from);
    const after = this.#samples.find(({ at }) => at >= to);
    return before === undefined || after === undefined ? 0 : Math.min(after.ms - before.ms, to - from);
  }

  stop() {
    clearInterval(this.#timer);
  }
}
