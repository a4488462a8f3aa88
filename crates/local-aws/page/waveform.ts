/** The waveform and the level of the audio that was delivered last. */
import { FULL_SCALE, decibels, levelText } from "./format.ts";
import { element } from "./dom.ts";
import type { Levels } from "./live.ts";

/** The time that the waveform shows, in milliseconds. */
const SHOWN_MS = 30_000;

/** The steps over which the level is averaged: 200 ms. */
const LEVEL_STEPS = 10;

export class Waveform {
  readonly #canvas = element("waveform", HTMLCanvasElement);
  readonly #text = element("waveform-text", HTMLElement);
  readonly #meter = element("level", HTMLMeterElement);
  readonly #level = element("level-text", HTMLElement);
  #peaks: number[] = [];
  #rms: number[] = [];
  #end = 0;
  #stepMs = 20;

  constructor() {
    new ResizeObserver(() => this.#draw()).observe(this.#canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#draw());
  }

  clear(): void {
    [this.#peaks, this.#rms, this.#end] = [[], [], 0];
    this.#show();
  }

  add({ from, stepMs, peaks, rms }: Levels): void {
    const count = SHOWN_MS / stepMs;
    this.#peaks = [...this.#peaks, ...peaks].slice(-count);
    this.#rms = [...this.#rms, ...rms].slice(-count);
    this.#end = from + peaks.length;
    this.#stepMs = stepMs;
    this.#show();
  }

  #show(): void {
    const last = this.#rms.slice(-LEVEL_STEPS);
    const power = last.reduce((sum, rms) => sum + rms * rms, 0) / Math.max(last.length, 1);
    const db = decibels(Math.sqrt(power));
    this.#meter.value = db;
    this.#level.textContent = levelText(db);
    const end = (this.#end * this.#stepMs) / 1_000;
    const start = end - (this.#peaks.length * this.#stepMs) / 1_000;
    this.#text.textContent =
      this.#peaks.length === 0
        ? "No audio has been delivered."
        : `Delivered audio from ${start.toFixed(1)} s to ${end.toFixed(1)} s of the session; loudest ${this.#loudest()}.`;
    this.#draw();
  }

  #loudest(): string {
    return levelText(decibels(Math.max(...this.#peaks)));
  }

  #draw(): void {
    const canvas = this.#canvas;
    const [width, height] = [canvas.clientWidth * devicePixelRatio, canvas.clientHeight * devicePixelRatio];
    canvas.width = width;
    canvas.height = height;
    const picture = canvas.getContext("2d");
    if (picture === null) {
      return;
    }
    picture.fillStyle = getComputedStyle(canvas).color;
    picture.fillRect(0, height / 2 - 0.5, width, 1);
    const step = width / (SHOWN_MS / this.#stepMs);
    const left = width - this.#peaks.length * step;
    this.#peaks.forEach((peak, index) => {
      const half = (peak / FULL_SCALE) * (height / 2);
      picture.fillRect(left + index * step, height / 2 - half, Math.max(step, 1), 2 * half);
    });
  }
}
