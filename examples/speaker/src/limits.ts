/**
 * The speaker's durations in milliseconds, each with its source. "WDG" is the Kinesis Video Streams
 * WebRTC Developer Guide; "AWS's example" is `examples/master.js` in AWS's package.
 */
import type { Backoff } from "./backoff.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/**
 * A storage session lasts an hour (WDG, service quotas). Joining after 55 minutes leaves time for
 * retries.
 */
export const RENEW_AFTER_MS = 55 * MINUTE;

/**
 * Maximum random time by which a renewal is earlier: speakers who began together must not join
 * again together (JoinStorageSession: 50 per second and account; WDG, service quotas).
 */
export const RENEW_SPREAD_MS = 5 * MINUTE;

/** Timeout of opening the signaling WebSocket. Our choice: AWS documents none. */
export const OPEN_TIMEOUT_MS = 15 * SECOND;

/** Timeout from our answer until media flows, as in AWS's example. */
export const CONNECT_TIMEOUT_MS = 30 * SECOND;

/** How long ICE may report "disconnected", which can recover, before we reconnect. Our choice. */
export const SHAKY_MS = 5 * SECOND;

/**
 * A connection that lasted this long did not fail: the next loss starts with short delays again.
 * Our choice.
 */
export const STEADY_MS = MINUTE;

/**
 * Joins without an offer after which the socket is opened again: after a sleep or a change of
 * networks a dead socket can appear open. AWS's example makes as many retries and then stops.
 */
export const JOINS_PER_SOCKET = 5;

/**
 * How long to wait for the offer after a successful join before the join is repeated: 6 s and a
 * random time of up to 10 s, as in AWS's example.
 */
export const OFFER_WAIT: Backoff = { floorMs: 6 * SECOND, firstMs: 2 * SECOND, capMs: 10 * SECOND };

/**
 * Delay between failed joins. The floor keeps to 2 joins per second and channel (WDG, service
 * quotas).
 */
export const JOIN_RETRY: Backoff = { floorMs: 500, firstMs: SECOND, capMs: 30 * SECOND };

/** Delay between refused joins: only another token, role or channel can help, so it is long. */
export const REFUSED_RETRY: Backoff = { floorMs: 15 * SECOND, firstMs: 15 * SECOND, capMs: 30 * SECOND };

/**
 * Delay between openings of the socket. The floor keeps to 3 per second and channel (WDG, service
 * quotas).
 */
export const SIGNALING_RETRY: Backoff = { floorMs: 350, firstMs: SECOND, capMs: 30 * SECOND };

/**
 * From the end of the speaker's media to DELETE, which disables the channel's storage: time to
 * store the last words. The time that ingestion needs is not documented; this is one usual
 * fragment.
 */
export const LINGER_MS = 2 * SECOND;
