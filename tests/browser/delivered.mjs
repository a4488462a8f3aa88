// The audio that the processor accepted of a session, and its comparison with the microphone.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { compare, lags, silenced, WINDOW_SECONDS } from "./compare.mjs";
import { finite } from "./figures.mjs";
import { SAMPLE_RATE } from "./speech.mjs";
import { readWav } from "./wav.mjs";

/**
 * Maximum time to connect, and so the maximum part of the source that may be missing at its start.
 */
const MAX_SKIP_SECONDS = 6;

/** Longer losses are not concealed by the storage session, but left as a gap (docs/limits.md). */
export const MAX_CONCEALED_MS = 120;

/** A gap ends on a frame of AAC: up to this much of it is silence between the frames. */
export const MAX_SILENCE_MS = 64;

/**
 * A new connection is placed by the arrival of its first packet: its audio may lie this much
 * earlier or later.
 */
export const MAX_ARRIVAL_MS = 100;

/** Maximum difference between the interruption that a page shows and the one in the audio. */
const AROUND_GAP_MS = 400;

/** Samples of a millisecond. */
export const PER_MS = SAMPLE_RATE / 1_000;

/**
 * Waits for the end of a session, and keeps its audio as `name`.wav. Returns samples and figures.
 * Fails if a figure is missing.
 */
export async function collectDelivered(cloud, sessionId, output, name) {
  await cloud.drained(sessionId);
  const file = await cloud.audio(sessionId);
  const path = join(output, `${name}.wav`);
  writeFileSync(path, file);
  const figures = await cloud.figures(sessionId);
  return {
    path,
    samples: readWav(file).samples,
    ...finite({
      filledMs: figures.filledSamples / PER_MS,
      skippedMs: (figures.nextSample - figures.samplesDelivered) / PER_MS,
      duplicated: figures.samplesDuplicated,
      runs: await cloud.runs(),
    }),
  };
}

/**
 * Compares delivered audio with its source. `lost` are the ranges {fromMs, ms} of the delivered
 * audio that the network lost: those that are too long to conceal are silent in the source too.
 * Returns `skippedMs`, `envelope` and `gapMs` of `compare`; `missingMs`, the speech in those
 * ranges; and `lags`, without the seconds that those ranges touch.
 */
export function against(source, samples, lost = []) {
  const { skippedMs, gapMs: allMs } = compare(source, samples, SAMPLE_RATE, MAX_SKIP_SECONDS);
  const long = lost.filter(({ ms }) => ms > MAX_CONCEALED_MS);
  const masked = silenced(source, SAMPLE_RATE, long.map(({ fromMs, ms }) => ({ fromMs: fromMs + skippedMs, ms })));
  const { envelope, gapMs } = compare(masked, samples, SAMPLE_RATE, MAX_SKIP_SECONDS);
  const isWhole = ({ at }) => long.every(({ fromMs, ms }) => (at + WINDOW_SECONDS) * 1_000 <= fromMs || at * 1_000 >= fromMs + ms + MAX_SILENCE_MS);
  const windows = lags(source, samples, SAMPLE_RATE, skippedMs).filter(isWhole);
  return { skippedMs, envelope, gapMs, missingMs: allMs - gapMs, lags: windows };
}

/**
 * As `against`, with the beginning of the source that audio of this length can have: the rest is
 * not missing.
 */
export function beginning(source, samples) {
  const possible = source.subarray(0, (MAX_SKIP_SECONDS + 1) * SAMPLE_RATE + samples.length);
  const { skippedMs } = compare(possible, samples, SAMPLE_RATE, MAX_SKIP_SECONDS);
  return against(source.subarray(0, Math.round(skippedMs * PER_MS) + samples.length), samples);
}

/**
 * Compares delivered audio that lacks the range {fromMs, ms} between two connections with its
 * source. Each connection's audio is compared by itself, because the second is placed by the
 * arrival of its first packet. Returns the worse `envelope`, the sum of the `gapMs` beside the
 * range, the `lags` of each, and how much later in the source the second lies (`arrivalMs`).
 */
export function aroundGap(source, samples, { fromMs, ms }) {
  const at = (time) => Math.max(0, Math.round(time * PER_MS));
  const before = beginning(source, samples.subarray(0, at(fromMs - AROUND_GAP_MS)));
  const from = at(fromMs + ms + AROUND_GAP_MS);
  const start = at(before.skippedMs) + from - at(MAX_ARRIVAL_MS);
  const after = beginning(source.subarray(start), samples.subarray(from));
  return {
    skippedMs: before.skippedMs,
    envelope: Math.min(before.envelope, after.envelope),
    gapMs: before.gapMs + after.gapMs,
    lags: [before.lags, after.lags],
    arrivalMs: after.skippedMs - MAX_ARRIVAL_MS,
  };
}
