/**
 * Drives a `StorageSession`: passes it events with their time, sends its commands to the line,
 * wakes it at the requested time, and polls and ends the session. It only adds waiting.
 */
import type { Random } from "./backoff.ts";
import { LINGER_MS } from "./limits.ts";
import { type Command, type Event, type Offer, type Status, StorageSession } from "./storage-session.ts";

/** Signaling and media. Results of calls are reported through `listen`; no call throws. */
export interface Line {
  listen(tell: (event: Event) => void): void;
  openSignaling(socket: number): void;
  closeSignaling(): void;
  join(join: number): void;
  answer(peer: number, offer: Offer): void;
  closePeer(): void;
}

/** The session of the media. */
export interface SessionControl {
  /** Whether it has not ended. Rejects if the status is not available. */
  isLive(): Promise<boolean>;
  end(): Promise<void>;
}

/**
 * Time. `now` is in milliseconds and never goes back; `later` returns a function that cancels the
 * call.
 */
export interface Clock {
  now(): number;
  later(ms: number, then: () => void): () => void;
}

/** The maximum of `setTimeout`; waking too early does no harm. */
const LONGEST_TIMER_MS = 0x7fff_ffff;

export class Speaker {
  readonly #machine: StorageSession;
  readonly #line: Line;
  readonly #session: SessionControl;
  readonly #clock: Clock;
  readonly #shown: (status: Status) => void;
  #forgetWake: () => void = () => undefined;

  constructor(line: Line, session: SessionControl, clock: Clock, random: Random, shown: (status: Status) => void) {
    this.#machine = new StorageSession(random);
    this.#line = line;
    this.#session = session;
    this.#clock = clock;
    this.#shown = shown;
    line.listen((event) => this.#handle(event));
  }

  start(): void {
    this.#handle({ is: "start" });
  }

  /** Ends media, waits until the last words can be stored, and ends the session. */
  async stop(): Promise<void> {
    const spoke = this.#machine.status().phase !== "ended";
    this.#handle({ is: "stop" });
    if (spoke) {
      await new Promise<void>((resolve) => this.#clock.later(LINGER_MS, resolve));
    }
    await this.#session.end();
  }

  #handle(event: Event): void {
    for (const command of this.#machine.handle(event, this.#clock.now())) {
      this.#carryOut(command);
    }
    this.#forgetWake();
    const wakeAt = this.#machine.wakeAt();
    if (wakeAt !== undefined) {
      const wait = Math.min(Math.max(wakeAt - this.#clock.now(), 0), LONGEST_TIMER_MS);
      this.#forgetWake = this.#clock.later(wait, () => this.#handle({ is: "time passed" }));
    }
    this.#shown(this.#machine.status());
  }

  #carryOut(command: Command): void {
    switch (command.do) {
      case "open signaling":
        return this.#line.openSignaling(command.socket);
      case "close signaling":
        return this.#line.closeSignaling();
      case "join":
        return this.#line.join(command.join);
      case "answer":
        return this.#line.answer(command.peer, command.offer);
      case "close peer":
        return this.#line.closePeer();
      case "check session":
        this.#session.isLive().then(
          (live) => this.#handle({ is: "session checked", live }),
          () => this.#handle({ is: "session checked", live: undefined }),
        );
        return;
    }
  }
}
