/**
 * The times that a speaker goes by, in milliseconds, each with where it comes from. "WDG" is the Kinesis
 * Video Streams WebRTC Developer Guide; "AWS's example" is `examples/master.js` beside AWS's package.
 */
import type { Backoff } from "./backoff.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** A storage session lasts an hour (WDG, service quotas). Joining again after 55 minutes leaves time for retries. */
export const RENEW_AFTER_MS = 55 * MINUTE;

/**
 * Up to so much sooner, drawn anew each time: speakers who began together must not join again together
 * (JoinStorageSession: 50 a second per account; WDG, service quotas).
 */
export const RENEW_SPREAD_MS = 5 * MINUTE;

/** How long the signaling WebSocket may take to open. Ours: AWS names no time. */
export const OPEN_TIMEOUT_MS = 15 * SECOND;

/** From our answer until media flows: AWS's example gives up after as long. */
export const CONNECT_TIMEOUT_MS = 30 * SECOND;

/** How long ICE may report "disconnected", which can mend itself, before we connect anew. Ours. */
export const SHAKY_MS = 5 * SECOND;

/** What has lasted so long was no failure: the next loss starts with short waits again. Ours. */
export const STEADY_MS = MINUTE;

/**
 * A socket that brought no offer for so many joins is opened anew: after a sleep or a change of networks it
 * can look open and be dead. AWS's example makes as many retries and then stops.
 */
export const JOINS_PER_SOCKET = 5;

/**
 * How long a join that was answered with success may take to bring its offer, before it is repeated: 6 s and
 * up to 10 s at random, as in AWS's example.
 */
export const OFFER_WAIT: Backoff = { floorMs: 6 * SECOND, firstMs: 2 * SECOND, capMs: 10 * SECOND };

/** Between joins that failed. The floor keeps to 2 joins a second per channel (WDG, service quotas). */
export const JOIN_RETRY: Backoff = { floorMs: 500, firstMs: SECOND, capMs: 30 * SECOND };

/** Between joins that were refused: only another token, role or channel can help, so there is no hurry. */
export const REFUSED_RETRY: Backoff = { floorMs: 15 * SECOND, firstMs: 15 * SECOND, capMs: 30 * SECOND };

/** Between openings of the socket. The floor keeps to 3 a second per channel (WDG, service quotas). */
export const SIGNALING_RETRY: Backoff = { floorMs: 350, firstMs: SECOND, capMs: 30 * SECOND };

/**
 * From the end of the speaker's media to DELETE, which takes the channel's storage away: time for the last
 * words to be stored. How much ingestion needs is not documented; this is one usual fragment.
 */
export const LINGER_MS = 2 * SECOND;
