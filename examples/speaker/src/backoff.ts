/**
 * How long to wait before trying again: full jitter over a bound that doubles, so that many speakers who
 * lost their connections together do not come back together. (AWS Architecture Blog, "Exponential Backoff
 * And Jitter".)
 */

/** Draws from [0, 1): `Math.random` in the page, a script in the tests. */
export type Random = () => number;

/** Bounds of a wait, in milliseconds. No wait is longer than `floorMs + capMs`. */
export interface Backoff {
  /** The least wait, whatever is drawn. */
  readonly floorMs: number;
  /** The bound of the draw after the first failure; it doubles with each further one. */
  readonly firstMs: number;
  /** Where doubling ends. */
  readonly capMs: number;
}

/** The wait after `failures` earlier failures in a row, in milliseconds. */
export function waitMs(backoff: Backoff, failures: number, random: Random): number {
  const bound = Math.min(backoff.capMs, backoff.firstMs * 2 ** failures);
  return backoff.floorMs + random() * bound;
}
