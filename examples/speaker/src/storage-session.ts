/**
 * The state machine that keeps a speaker's media stored until the session ends, without sockets,
 * clock or random source: its inputs are events and the time, its outputs are commands.
 * `speaker.ts` executes them.
 *
 * It maintains two connections independently:
 *
 * - **Signaling**, the WebSocket to the channel as master. It is opened again whenever it closes.
 *   Media does not need it once it flows, so its end does not end media.
 * - **Media**, the peer connection to the storage session. It needs three steps: we call
 *   JoinStorageSession, the service sends an offer over signaling, we answer. A successful join
 *   does not guarantee an offer, so it is repeated until one arrives. When media is lost, or its
 *   hour is nearly over, we join again.
 *
 * At the end of the hour, the old media flows until the new offer arrives; then it is closed and
 * the offer is answered. A channel has one master, so they do not overlap: two peers would both
 * send.
 *
 * All steps are retried until the session ends. Each failure checks the status with the session API
 * (`checkSession`); after it reports the end, nothing is retried.
 */
import { type Backoff, type Random, waitMs } from "./backoff.ts";
import {
  CONNECT_TIMEOUT_MS,
  JOIN_RETRY,
  JOINS_PER_SOCKET,
  OFFER_WAIT,
  OPEN_TIMEOUT_MS,
  REFUSED_RETRY,
  RENEW_AFTER_MS,
  RENEW_SPREAD_MS,
  SHAKY_MS,
  SIGNALING_RETRY,
  STEADY_MS,
} from "./limits.ts";

/** The service's SDP offer, which is passed on unread. */
export interface Offer {
  readonly type: "offer";
  readonly sdp: string;
}

/**
 * An event. Its number is that of the command that caused it: an event of a replaced socket, join
 * or peer has no effect.
 */
export type Event =
  | { readonly is: "start" }
  | { readonly is: "time passed" }
  | { readonly is: "signaling opened"; readonly socket: number }
  | { readonly is: "signaling closed"; readonly socket: number }
  | { readonly is: "joined"; readonly join: number }
  /** `refused`: the same call will fail again (no permission, no such channel). */
  | { readonly is: "join failed"; readonly join: number; readonly refused: boolean }
  | { readonly is: "offer"; readonly socket: number; readonly offer: Offer }
  | { readonly is: "peer connected"; readonly peer: number }
  | { readonly is: "peer disconnected"; readonly peer: number }
  | { readonly is: "peer lost"; readonly peer: number }
  /** The answer of the session API; `undefined` if the request failed. */
  | { readonly is: "session checked"; readonly live: boolean | undefined }
  | { readonly is: "stop" };

/** The commands to execute now, in this order. */
export type Command =
  | { readonly do: "open signaling"; readonly socket: number }
  | { readonly do: "close signaling" }
  | { readonly do: "join"; readonly join: number }
  | { readonly do: "answer"; readonly peer: number; readonly offer: Offer }
  | { readonly do: "close peer" }
  | { readonly do: "check session" };

type Phase = "new" | "running" | "stopped" | "ended";

type Signaling =
  | { readonly is: "closed"; readonly openAt: number }
  | { readonly is: "opening"; readonly socket: number; readonly until: number }
  | { readonly is: "open"; readonly socket: number; readonly since: number };

type Join =
  /** Media flows, or an offer is being answered. */
  | { readonly is: "not needed" }
  /** Due at `at`, or as soon after it as signaling is open. */
  | { readonly is: "due"; readonly at: number }
  | { readonly is: "called"; readonly join: number }
  | { readonly is: "awaiting offer"; readonly until: number };

type Peer =
  | { readonly is: "none" }
  | { readonly is: "answering"; readonly peer: number; readonly until: number }
  | { readonly is: "connected"; readonly peer: number; readonly since: number; readonly shakyUntil?: number };

/** The status for display. Times are milliseconds of the clock that was passed in. */
export interface Status {
  readonly phase: "connecting" | "live" | "reconnecting" | "stopped" | "ended";
  /** Calls of JoinStorageSession. */
  readonly joins: number;
  /** How often media was lost or renewed, and then resumed. */
  readonly gaps: number;
  /** Total duration of those gaps. Speech in them is not stored. */
  readonly gapMs: number;
}

export class StorageSession {
  readonly #random: Random;
  #phase: Phase = "new";
  #signaling: Signaling = { is: "closed", openAt: 0 };
  #join: Join = { is: "not needed" };
  #peer: Peer = { is: "none" };
  /** When media must be renewed by another join. */
  #renewAt = Infinity;
  /** When the last join was called: the hour counts from there. */
  #joinedAt = 0;
  #checking = false;

  #lastNumber = 0;
  #signalingFailures = 0;
  #mediaFailures = 0;
  #joinsWithoutOffer = 0;

  #joins = 0;
  #wasLive = false;
  #gapSince: number | undefined;
  #gaps = 0;
  #gapMs = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Handles an event at `now` and returns the commands to execute. `now` never goes back. */
  handle(event: Event, now: number): Command[] {
    const commands: Command[] = [];
    if (event.is === "start" && this.#phase === "new") {
      this.#phase = "running";
      this.#signaling = { is: "closed", openAt: now };
      this.#join = { is: "due", at: now };
    }
    if (this.#phase === "running") {
      this.#take(event, now, commands);
    }
    if (this.#phase === "running") {
      this.#meetDeadlines(now, commands);
    }
    return commands;
  }

  /**
   * Returns when `time passed` is due if no other event occurs; `undefined` if there is no
   * deadline.
   */
  wakeAt(): number | undefined {
    if (this.#phase !== "running") {
      return undefined;
    }
    const times: number[] = [];
    if (this.#signaling.is === "closed") times.push(this.#signaling.openAt);
    if (this.#signaling.is === "opening") times.push(this.#signaling.until);
    if (this.#join.is === "due" && this.#signaling.is === "open") times.push(this.#join.at);
    if (this.#join.is === "awaiting offer") times.push(this.#join.until);
    if (this.#join.is === "not needed" && this.#peer.is === "connected") times.push(this.#renewAt);
    if (this.#peer.is === "answering") times.push(this.#peer.until);
    if (this.#peer.is === "connected" && this.#peer.shakyUntil !== undefined) times.push(this.#peer.shakyUntil);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  status(): Status {
    return { phase: this.#shownPhase(), joins: this.#joins, gaps: this.#gaps, gapMs: this.#gapMs };
  }

  #shownPhase(): Status["phase"] {
    if (this.#phase === "stopped" || this.#phase === "ended") {
      return this.#phase;
    }
    if (this.#peer.is === "connected" && this.#peer.shakyUntil === undefined) {
      return "live";
    }
    return this.#wasLive ? "reconnecting" : "connecting";
  }

  #take(event: Event, now: number, commands: Command[]): void {
    switch (event.is) {
      case "start":
      case "time passed":
        return;
      case "signaling opened":
        if (this.#signaling.is === "opening" && this.#signaling.socket === event.socket) {
          this.#signaling = { is: "open", socket: event.socket, since: now };
        }
        return;
      case "signaling closed":
        if (this.#signaling.is !== "closed" && this.#signaling.socket === event.socket) {
          this.#signalingLost(now, commands);
        }
        return;
      case "joined":
        if (this.#join.is === "called" && this.#join.join === event.join) {
          const wait = waitMs(OFFER_WAIT, this.#mediaFailures, this.#random);
          this.#join = { is: "awaiting offer", until: now + wait };
        }
        return;
      case "join failed":
        if (this.#join.is === "called" && this.#join.join === event.join) {
          this.#joinAgain(event.refused ? REFUSED_RETRY : JOIN_RETRY, now, commands);
        }
        return;
      case "offer":
        if (this.#signaling.is === "open" && this.#signaling.socket === event.socket) {
          this.#answer(event.offer, now, commands);
        }
        return;
      case "peer connected":
        this.#peerConnected(event.peer, now);
        return;
      case "peer disconnected":
        if (this.#peer.is === "connected" && this.#peer.peer === event.peer && this.#peer.shakyUntil === undefined) {
          this.#peer = { ...this.#peer, shakyUntil: now + SHAKY_MS };
          this.#gapSince ??= now;
        }
        return;
      case "peer lost":
        if (this.#peer.is !== "none" && this.#peer.peer === event.peer) {
          this.#peerLost(now, commands);
        }
        return;
      case "session checked":
        this.#checking = false;
        if (event.live === false) {
          this.#finish("ended", commands);
        }
        return;
      case "stop":
        this.#finish("stopped", commands);
        return;
    }
  }

  #meetDeadlines(now: number, commands: Command[]): void {
    if (this.#signaling.is === "opening" && this.#signaling.until <= now) {
      commands.push({ do: "close signaling" });
      this.#signalingLost(now, commands);
    }
    if (this.#peer.is === "answering" && this.#peer.until <= now) {
      this.#peerLost(now, commands);
    }
    if (this.#peer.is === "connected" && (this.#peer.shakyUntil ?? Infinity) <= now) {
      this.#peerLost(now, commands);
    }
    if (this.#peer.is === "connected" && this.#join.is === "not needed" && this.#renewAt <= now) {
      this.#mediaFailures = 0;
      this.#join = { is: "due", at: now };
    }
    if (this.#join.is === "awaiting offer" && this.#join.until <= now) {
      this.#noOffer(now, commands);
    }
    if (this.#signaling.is === "closed" && this.#signaling.openAt <= now) {
      this.#signaling = { is: "opening", socket: this.#number(), until: now + OPEN_TIMEOUT_MS };
      commands.push({ do: "open signaling", socket: this.#signaling.socket });
    }
    if (this.#join.is === "due" && this.#join.at <= now && this.#signaling.is === "open") {
      this.#join = { is: "called", join: this.#number() };
      this.#joinedAt = now;
      this.#joins += 1;
      this.#joinsWithoutOffer += 1;
      commands.push({ do: "join", join: this.#join.join });
    }
  }

  #signalingLost(now: number, commands: Command[]): void {
    if (this.#signaling.is === "open" && now - this.#signaling.since >= STEADY_MS) {
      this.#signalingFailures = 0;
    }
    this.#signaling = { is: "closed", openAt: now + waitMs(SIGNALING_RETRY, this.#signalingFailures, this.#random) };
    this.#signalingFailures += 1;
    this.#joinsWithoutOffer = 0;
    // The offer would have arrived over this socket; the join is repeated over the next one.
    if (this.#join.is === "called" || this.#join.is === "awaiting offer") {
      this.#join = { is: "due", at: now };
    }
    this.#checkSession(commands);
  }

  /** The wait for the offer was the delay between joins, so the next join is due at once. */
  #noOffer(now: number, commands: Command[]): void {
    this.#mediaFailures += 1;
    this.#join = { is: "due", at: now };
    if (this.#joinsWithoutOffer >= JOINS_PER_SOCKET) {
      commands.push({ do: "close signaling" });
      this.#signalingLost(now, commands);
    } else {
      this.#checkSession(commands);
    }
  }

  #joinAgain(backoff: Backoff, now: number, commands: Command[]): void {
    this.#join = { is: "due", at: now + waitMs(backoff, this.#mediaFailures, this.#random) };
    this.#mediaFailures += 1;
    this.#checkSession(commands);
  }

  /**
   * Every join may cause an offer and the newest counts, so each one is answered and replaces the
   * previous peer.
   */
  #answer(offer: Offer, now: number, commands: Command[]): void {
    if (this.#peer.is !== "none") {
      commands.push({ do: "close peer" });
    }
    if (this.#wasLive) {
      this.#gapSince ??= now;
    }
    this.#joinsWithoutOffer = 0;
    this.#join = { is: "not needed" };
    this.#peer = { is: "answering", peer: this.#number(), until: now + CONNECT_TIMEOUT_MS };
    commands.push({ do: "answer", peer: this.#peer.peer, offer });
  }

  #peerConnected(peer: number, now: number): void {
    if (this.#peer.is === "none" || this.#peer.peer !== peer) {
      return;
    }
    if (this.#peer.is === "answering") {
      this.#peer = { is: "connected", peer, since: now };
      this.#renewAt = this.#joinedAt + RENEW_AFTER_MS - this.#random() * RENEW_SPREAD_MS;
      this.#wasLive = true;
    } else {
      this.#peer = { is: "connected", peer, since: this.#peer.since };
    }
    if (this.#gapSince !== undefined) {
      this.#gaps += 1;
      this.#gapMs += now - this.#gapSince;
      this.#gapSince = undefined;
    }
  }

  #peerLost(now: number, commands: Command[]): void {
    const steady = this.#peer.is === "connected" && now - this.#peer.since >= STEADY_MS;
    if (this.#wasLive) {
      this.#gapSince ??= now;
    }
    this.#peer = { is: "none" };
    commands.push({ do: "close peer" });
    if (steady) {
      this.#mediaFailures = 0;
    }
    // A join for the next hour may be in progress; its offer is sufficient.
    if (this.#join.is === "not needed") {
      const at = steady ? now : now + waitMs(JOIN_RETRY, this.#mediaFailures, this.#random);
      this.#join = { is: "due", at };
    }
    this.#mediaFailures += 1;
    this.#checkSession(commands);
  }

  #checkSession(commands: Command[]): void {
    if (!this.#checking) {
      this.#checking = true;
      commands.push({ do: "check session" });
    }
  }

  #finish(phase: "stopped" | "ended", commands: Command[]): void {
    this.#phase = phase;
    this.#peer = { is: "none" };
    this.#signaling = { is: "closed", openAt: Infinity };
    this.#join = { is: "not needed" };
    commands.push({ do: "close peer" }, { do: "close signaling" });
  }

  #number(): number {
    this.#lastNumber += 1;
    return this.#lastNumber;
  }
}
