// Compares delivered audio with its source by their energy in 20 ms. Pure functions; samples are Int16Arrays of one rate.

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
 * How the delivered audio differs from its source. It may begin up to `maxSkipSeconds` into the source.
 *
 * Returns `skippedMs`, the time of the source before the delivered audio; `envelope`, the correlation of the
 * envelopes from there on; and `gapMs`, the time in which the source has speech and the delivered audio is silent
 * or missing.
 */
export function compare(source, delivered, sampleRate, maxSkipSeconds) {
  const length = Math.round(sampleRate * FRAME_SECONDS);
  const heard = envelope(delivered, sampleRate);
  const at = (from) => correlation(envelope(source, sampleRate, from), heard);
  const best = (offsets) => offsets.map((from) => [at(from), from]).reduce((one, other) => (other[0] > one[0] ? other : one));
  const coarse = Array.from({ length: Math.floor((maxSkipSeconds * sampleRate) / length) + 1 }, (_, step) => step * length);
  const middle = best(coarse)[1];
  const fine = Array.from({ length: 2 * FINE_STEPS + 1 }, (_, step) => middle + Math.round(((step - FINE_STEPS) * length) / FINE_STEPS));
  const [value, from] = best(fine.filter((offset) => offset >= 0));
  const spoken = envelope(source, sampleRate, from);
  return { skippedMs: Math.round((from / sampleRate) * 1_000), envelope: value, gapMs: gapMs(spoken, heard) };
}

/** The time in which `spoken` has speech and `heard` is silent or has ended, in runs of at least 40 ms. */
export function gapMs(spoken, heard) {
  const loud = [...spoken].sort((one, other) => one - other)[Math.floor(spoken.length * 0.95)] ?? 0;
  let [frames, run] = [0, 0];
  const end = () => {
    frames += run >= SHORTEST_GAP_FRAMES ? run : 0;
    run = 0;
  };
  spoken.forEach((level, at) => {
    const isSpeech = level > 0 && level >= loud * SPEECH_BELOW;
    if (isSpeech && (heard[at] ?? 0) < level * SILENT_BELOW) {
      run += 1;
    } else {
      end();
    }
  });
  end();
  return Math.round(frames * FRAME_SECONDS * 1_000);
}
