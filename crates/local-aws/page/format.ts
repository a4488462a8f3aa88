/** Texts of values. Pure functions. */
import type { BusEntry, WordsEvent } from "./live.ts";

/** Samples in a second of delivered audio. */
const SAMPLE_RATE = 16_000;

/** The largest 16-bit sample, and the root mean square of a full-scale square wave. */
export const FULL_SCALE = 32_768;

/** The level that silence is shown as, in dBFS. */
export const SILENCE_DB = -60;

/** Returns a duration in seconds with one decimal. */
export function seconds(samples: number): string {
  return `${(samples / SAMPLE_RATE).toFixed(1)} s`;
}

/** Returns a duration: below 10 s in ms, else in seconds; `–` if it is unknown. */
export function duration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) {
    return "–";
  }
  return ms < 10_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}

/** Returns a root mean square from 0 to 32768 in dBFS, at least `SILENCE_DB`. */
export function decibels(rms: number): number {
  return rms <= 0 ? SILENCE_DB : Math.max(SILENCE_DB, 20 * Math.log10(rms / FULL_SCALE));
}

/** Returns a level as text. */
export function levelText(db: number): string {
  return db <= SILENCE_DB ? "silence" : `${db.toFixed(0).replace("-", "−")} dBFS`;
}

/** Returns the time of day with milliseconds, in the browser's time zone. */
export function timeOfDay(at: Date): string {
  const two = (value: number): string => String(value).padStart(2, "0");
  const ms = String(at.getMilliseconds()).padStart(3, "0");
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${ms}`;
}

/** The most characters of a line that is shown. */
const MAX_LENGTH = 300;

/** Returns a text, or its beginning if it is long. */
export function shortened(text: string): string {
  return text.length <= MAX_LENGTH ? text : `${text.slice(0, MAX_LENGTH)}…`;
}

/** A line of a function's log, as it is shown. */
export interface LogLine {
  readonly at: Date | undefined;
  /** `EMF` for metrics; empty if the line has no level. */
  readonly level: string;
  readonly text: string;
}

/** Parses a line: JSON with `timestamp`, `level` and `message`, metrics, or any other text. */
export function logLine(line: string): LogLine {
  let members: Record<string, unknown>;
  try {
    members = JSON.parse(line) as Record<string, unknown>;
  } catch {
    return { at: undefined, level: "", text: line };
  }
  if (typeof members !== "object" || members === null) {
    return { at: undefined, level: "", text: line };
  }
  const { timestamp, level, message, _aws, ...rest } = members;
  const metrics = _aws as { readonly Timestamp?: number } | undefined;
  const shown = Object.entries(rest).filter(([, value]) => metrics === undefined || value !== 0);
  const words = shown.map(([name, value]) => `${name}=${bare(value)}`);
  const time = typeof timestamp === "string" ? new Date(timestamp.replace(" ", "T").replace(",", ".")) : undefined;
  const at = time ?? (metrics?.Timestamp === undefined ? undefined : new Date(metrics.Timestamp));
  return {
    at: at === undefined || Number.isNaN(at.getTime()) ? undefined : at,
    level: metrics === undefined ? bare(level ?? "") : "EMF",
    text: [...(message === undefined ? [] : [bare(message)]), ...words].join("  "),
  };
}

/** Returns an event of the bus as text: type, session, status, and the rules that it triggered. */
export function busText({ event, rules }: BusEntry): string {
  const { sessionId, status } = event.detail ?? {};
  const parts = [event["detail-type"] ?? "event", sessionId, status].filter((part) => part !== undefined);
  return `${parts.join(" ")} → ${rules.length === 0 ? "no rule" : rules.join(", ")}`;
}

/** Returns why there are no words, or not all; empty if all words are shown. */
export function wordsText({ state, reason, missedMs }: Omit<WordsEvent, "lines">): string {
  const missed = missedMs === 0 ? "" : ` ${(missedMs / 1_000).toFixed(1)} s of the audio were not recognised.`;
  switch (state) {
    case "absent":
      return "No speech recogniser is set, so the words are not shown. make up sets one.";
    case "waiting":
      return "No audio has been accepted yet.";
    case "failed":
      return `The words are not complete: the recogniser failed (${reason ?? "no reason"}).${missed}`;
    default:
      return missed.trim();
  }
}

const bare = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));
