// The limits of the scenarios, and the messages for missed limits.

/** Maximum time to connect, without the time in which programs waited for a processor. */
export const MAX_JOIN_MS = 1_000;

/**
 * Minimum correlation of energy with the microphone. Measured were 0.99 with the browser's audio
 * processing off, and 0.87 to 0.95 with it on: its gain changes the level of the first seconds, its
 * noise suppression the quiet ends of words.
 */
export const MIN_ENVELOPE = { off: 0.95, on: 0.8 };

/**
 * Maximum additional word errors, as a share of the words. Audio processing costs up to 2 of 44
 * words (measured). The words of the repository's synthetic voices are less certain: 4 of 44 are
 * wrong in the source, and 8 after Opus at 32 kb/s.
 */
export const MAX_MORE_ERRORS = { off: 0.05, on: 0.1, synthetic: 0.15 };

/**
 * Maximum distance of each second of one connection's sound from its place relative to the first
 * second.
 */
export const MAX_LAG_MS = 1;

export const joined = ({ joinMs, waitedMs }) =>
  !(joinMs - waitedMs <= MAX_JOIN_MS) && `joining took ${joinMs} ms, of which programs waited ${waitedMs} ms for a processor`;

export const resembles = ({ envelope }, least = MIN_ENVELOPE.off) =>
  !(envelope >= least) && `the envelopes correlate with ${envelope.toFixed(3)}, less than ${least}`;

export const inPlace = (windows, most = MAX_LAG_MS) => {
  const wrong = windows.filter(({ lagMs }) => !(Math.abs(lagMs) <= most));
  return windows.length === 0
    ? "no second of speech was found"
    : wrong.length > 0 && `out of place: ${wrong.map(({ at, lagMs }) => `${at} s by ${lagMs.toFixed(1)} ms`).join(", ")}`;
};

/** A message if a value lies outside of a range. */
export const within = (name, value, least, most) =>
  !(value >= least && value <= most) && `${name} is ${Math.round(value)}, not ${Math.round(least)} to ${Math.round(most)}`;
