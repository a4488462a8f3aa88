// Compares delivered audio with its source by their energy in 20 ms. Pure functions; samples are
// Int16Arrays of one rate.

const FRAME_SECONDS = 0.02;

/** The offset is searched in steps of this many frames' share: 2 ms. */
const FINE_STEPS = 10;

/** A frame of the source counts as speech if it is at most this far below the loud frames. */
const SPEECH_BELOW = 10 ** (-25 / 20);

/** A delivered frame counts as silent if it is this far below the source's. */
const SILENT_BELOW = 10 ** (-30 / 20);

/** Shorter silence is no gap: a codec may smear the edge of a word. */
const SHORTEST_GAP_FRAMES = 2;

/** The root mean square of each frame of 20 ms, from sample `from` on. */
export function envelope(samples, sampleRate, from = 0) {
  const length = Math.round(sampleRate * FRAME_SECONDS);
  const frames = [];
  for (let start = from; start + length <= samples.length; start += length) {
    let squares = 0;
    for (let at = start; at < start + length; at += 1) {
      squares += samples[at] * samples[at];
    }
    frames.push(Math.sqrt(squares / length));
  }
  return frames;
}

/** Pearson's correlation of two lists, over the length of the shorter one; 0 if one is constant. */
export function correlation(left, right) {
  const count = Math.min(left.length, right.length);
  const mean = (list) => list.slice(0, count).reduce((sum, value) => sum + value, 0) / count;
  const [leftMean, rightMean] = [mean(left), mean(right)];
  let [product, leftSquares, rightSquares] = [0, 0, 0];
  for (let at = 0; at < count; at += 1) {
    const [x, y] = [left[at] - leftMean, right[at] - rightMean];
    product += x * y;
    leftSquares += x * x;
    rightSquares += y * y;
  }
  return leftSquares === 0 || rightSquares === 0 ? 0 : product / Math.sqrt(leftSquares * rightSquares);
}

/**
 * How the delivered audio differs from its source. It may begin up to `maxSkipSeconds` into the
 * source.
 *
 * Returns `skippedMs`, the time of the source before the delivered audio; `envelope`, the
 * correlation of the envelopes from there on; and `gapMs`, the time in which the source has speech
 * and the delivered audio is silent or missing.
 */
export function compare(source, delivered, sampleRate, maxSkipSeconds) {
  const length = Math.round(sampleRate * FRAME_SECONDS);
  const frames = envelope(delivered, sampleRate);
  // Behind the end of the source is silence: otherwise a few frames before it could resemble
  // anything.
  const at = (from) => correlation([...envelope(source, sampleRate, from), ...frames.map(() => 0)], frames);
  const best = (offsets) => offsets.map((from) => [at(from), from]).reduce((one, other) => (other[0] > one[0] ? other : one));
  const coarse = Array.from({ length: Math.floor((maxSkipSeconds * sampleRate) / length) + 1 }, (_, step) => step * length);
  const middle = best(coarse)[1];
  const fine = Array.from({ length: 2 * FINE_STEPS + 1 }, (_, step) => middle + Math.round(((step - FINE_STEPS) * length) / FINE_STEPS));
  const [value, from] = best(fine.filter((offset) => offset >= 0));
  const spoken = envelope(source, sampleRate, from);
  return { skippedMs: Math.round((from / sampleRate) * 1_000), envelope: value, gapMs: gapMs(spoken, frames) };
}

/**
 * The time in which `spoken` has speech and `delivered` is silent or has ended, in runs of at least
 * 40 ms.
 */
export function gapMs(spoken, delivered) {
  const loud = loudness(spoken);
  let [frames, run] = [0, 0];
  const end = () => {
    frames += run >= SHORTEST_GAP_FRAMES ? run : 0;
    run = 0;
  };
  spoken.forEach((level, at) => {
    const isSpeech = level > 0 && level >= loud * SPEECH_BELOW;
    if (isSpeech && (delivered[at] ?? 0) < level * SILENT_BELOW) {
      run += 1;
    } else {
      end();
    }
  });
  end();
  return Math.round(frames * FRAME_SECONDS * 1_000);
}

/** A window of this length is placed by its own sound. */
export const WINDOW_SECONDS = 1;

/**
 * How far from its expected place a window is searched, in steps of the coarse and within that of
 * the fine search.
 */
const COARSE_SECONDS = 0.005;
const COARSE_STEPS = 80;
const FINE_SECONDS = 0.008;

/** A window with less speech is not placed. */
const MIN_SPEECH = 0.6;

/**
 * Where each second of the delivered audio that has speech comes from: `at`, its position in
 * seconds; `lagMs`, how much later in the source its sound lies than the first one's, up to 0.4 s,
 * to a sample; and `correlation` of the waveforms. A second that reaches beyond the end of the
 * source is left out. Meaningful without the browser's audio processing, which changes phases.
 */
export function lags(source, delivered, sampleRate, skippedMs) {
  const length = WINDOW_SECONDS * sampleRate;
  const skipped = Math.round((skippedMs * sampleRate) / 1_000);
  const floor = loudness(envelope(source, sampleRate)) * SPEECH_BELOW;
  const placed = [];
  const end = Math.min(delivered.length, source.length - skipped - Math.round(FINE_SECONDS * sampleRate));
  for (let at = 0; at + length <= end; at += length) {
    const part = delivered.subarray(at, at + length);
    const frames = envelope(part, sampleRate);
    if (frames.filter((level) => level >= floor).length >= MIN_SPEECH * frames.length) {
      const { offset, correlation: value } = place(source, part, frames, at + skipped, sampleRate);
      placed.push({ at: at / sampleRate, lagMs: (offset * 1_000) / sampleRate, correlation: value });
    }
  }
  const first = placed[0]?.lagMs ?? 0;
  return placed.map((window) => ({ ...window, lagMs: window.lagMs - first }));
}

/**
 * The offset in samples from `expected` at which `part` lies in the source: first by energy, then
 * by waveform.
 */
function place(source, part, frames, expected, sampleRate) {
  const inSource = (offset) => source.subarray(Math.max(expected + offset, 0), expected + offset + part.length);
  const best = (offsets, value) =>
    offsets.map((offset) => ({ offset, correlation: value(offset) })).reduce((one, other) => (other.correlation > one.correlation ? other : one));
  const step = Math.round(COARSE_SECONDS * sampleRate);
  const coarse = Array.from({ length: 2 * COARSE_STEPS + 1 }, (_, index) => (index - COARSE_STEPS) * step);
  const middle = best(coarse, (offset) => correlation(envelope(inSource(offset), sampleRate), frames)).offset;
  const reach = Math.round(FINE_SECONDS * sampleRate);
  const fine = Array.from({ length: 2 * reach + 1 }, (_, index) => middle + index - reach);
  return best(fine, (offset) => similarity(inSource(offset), part));
}

/** The normalized product of two waveforms; 0 if one is silent or shorter. */
function similarity(left, right) {
  if (left.length < right.length) {
    return 0;
  }
  let [product, leftSquares, rightSquares] = [0, 0, 0];
  for (let at = 0; at < right.length; at += 1) {
    product += left[at] * right[at];
    leftSquares += left[at] * left[at];
    rightSquares += right[at] * right[at];
  }
  return leftSquares === 0 || rightSquares === 0 ? 0 : product / Math.sqrt(leftSquares * rightSquares);
}

/** The level of the loud frames. */
function loudness(frames) {
  return [...frames].sort((one, other) => one - other)[Math.floor(frames.length * 0.95)] ?? 0;
}

/** A copy of `samples` that is silent in the ranges {fromMs, ms}. */
export function silenced(samples, sampleRate, ranges) {
  const copy = samples.slice();
  const at = (ms) => Math.max(0, Math.round((ms * sampleRate) / 1_000));
  ranges.forEach(({ fromMs, ms }) => copy.fill(0, at(fromMs), at(fromMs + ms)));
  return copy;
}

/**
 * The offset in seconds at which the sound of `part` lies in `whole`, by their energy, and the
 * correlation there.
 */
export function locate(part, whole, sampleRate) {
  const frames = envelope(part, sampleRate);
  const all = envelope(whole, sampleRate);
  const places = Array.from({ length: Math.max(all.length - frames.length + 1, 0) }, (_, at) => at);
  const values = places.map((at) => ({ at, value: correlation(frames, all.slice(at, at + frames.length)) }));
  const { at, value } = values.reduce((one, other) => (other.value > one.value ? other : one), { at: 0, value: 0 });
  return { seconds: at * FRAME_SECONDS, envelope: value };
}
