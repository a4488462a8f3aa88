/**
 * The delay before a retry: full jitter below a bound that doubles, so that many speakers who lost
 * their connections together do not reconnect together. (AWS Architecture Blog, "Exponential
 * Backoff And Jitter".)
 */

/** Returns a number in [0, 1): `Math.random` in the page, a fixed sequence in the tests. */
export type Random = () => number;

/** Bounds of a delay, in milliseconds. No delay is longer than `floorMs + capMs`. */
export interface Backoff {
  /** The minimum delay. */
  readonly floorMs: number;
  /** The bound after the first failure; it doubles with each further failure. */
  readonly firstMs: number;
  /** The maximum of the bound. */
  readonly capMs: number;
}

/** Returns the delay after `failures` failures in a row, in milliseconds. */
export function waitMs(backoff: Backoff, failures: number, random: Random): number {
  const bound = Math.min(backoff.capMs, backoff.firstMs * 2 ** failures);
  return backoff.floorMs + random() * bound;
}
