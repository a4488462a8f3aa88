// What a speaker is promised: each test drives the machine through made-up time and says what it must do.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { JOINS_PER_SOCKET, RENEW_AFTER_MS, RENEW_SPREAD_MS, SHAKY_MS } from "../src/limits.ts";
import { type Command, type Event, type Offer, StorageSession } from "../src/storage-session.ts";

const OFFER: Offer = { type: "offer", sdp: "v=0" };
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** A machine, its time, and everything it asked for. Chance draws `drawn` each time. */
class Scene {
  now = 0;
  readonly asked: (Command & { at: number })[] = [];
  readonly #machine: StorageSession;

  constructor(drawn = 0.5) {
    this.#machine = new StorageSession(() => drawn);
    this.say({ is: "start" });
  }

  say(event: Event): void {
    this.asked.push(...this.#machine.handle(event, this.now).map((command) => ({ ...command, at: this.now })));
  }

  /** Lets time pass, and wakes the machine at each time that it has set. */
  pass(ms: number): void {
    const until = this.now + ms;
    for (let wakes = 0; ; wakes += 1) {
      const at = this.#machine.wakeAt();
      if (at === undefined || at > until) {
        break;
      }
      assert.ok(wakes < 10_000, "the machine asks to be woken without end");
      this.now = Math.max(this.now, at);
      this.say({ is: "time passed" });
    }
    this.now = until;
  }

  all<Do extends Command["do"]>(what: Do): (Extract<Command, { do: Do }> & { at: number })[] {
    return this.asked.filter((command) => command.do === what) as never;
  }

  last<Do extends Command["do"]>(what: Do): Extract<Command, { do: Do }> & { at: number } {
    const found = this.asked.findLast((command) => command.do === what);
    assert.ok(found, `nothing asked to ${what}`);
    return found as never;
  }

  get status() {
    return this.#machine.status();
  }

  get wakeAt() {
    return this.#machine.wakeAt();
  }

  signalingOpens(): void {
    this.say({ is: "signaling opened", socket: this.last("open signaling").socket });
  }

  signalingCloses(): void {
    this.say({ is: "signaling closed", socket: this.last("open signaling").socket });
  }

  joined(): void {
    this.say({ is: "joined", join: this.last("join").join });
  }

  offerComes(): void {
    this.say({ is: "offer", socket: this.last("open signaling").socket, offer: OFFER });
  }

  peer(is: "peer connected" | "peer disconnected" | "peer lost"): void {
    this.say({ is, peer: this.last("answer").peer });
  }

  /** The session API answers every question that was asked so far. */
  checked(live: boolean | undefined): void {
    this.say({ is: "session checked", live });
  }

  /** From the present state to flowing media, with a second between join and media. */
  goLive(): this {
    this.signalingOpens();
    return this.mediaComes();
  }

  mediaComes(): this {
    this.joined();
    this.offerComes();
    this.pass(SECOND);
    this.peer("peer connected");
    assert.equal(this.status.phase, "live");
    return this;
  }
}

describe("joining", () => {
  test("waits for signaling, because the offer comes over it", () => {
    const scene = new Scene();
    assert.equal(scene.all("join").length, 0);
    scene.signalingOpens();
    assert.equal(scene.all("join").length, 1);
    scene.joined();
    scene.offerComes();
    assert.deepEqual(scene.last("answer").offer, OFFER);
    assert.equal(scene.status.phase, "connecting");
  });

  test("is repeated when success brings no offer, 6 to 16 s apart", () => {
    for (const drawn of [0, 0.999]) {
      const scene = new Scene(drawn);
      scene.signalingOpens();
      for (let joins = 1; joins < JOINS_PER_SOCKET; joins += 1) {
        scene.joined();
        const before = scene.last("join").at;
        scene.pass(6 * SECOND - 1);
        assert.equal(scene.last("join").at, before);
        scene.pass(10 * SECOND + 1);
        assert.equal(scene.all("join").length, joins + 1);
      }
    }
  });

  test("never happens twice at a time, however long the answer takes", () => {
    const scene = new Scene();
    scene.signalingOpens();
    scene.pass(10 * MINUTE);
    assert.equal(scene.all("join").length, 1);
  });

  test("is not repeated while an offer is being answered or media flows", () => {
    const scene = new Scene().goLive();
    scene.pass(RENEW_AFTER_MS - RENEW_SPREAD_MS - 2 * SECOND);
    assert.equal(scene.all("join").length, 1);
  });

  test("that brought no offer over a socket for long opens another", () => {
    const scene = new Scene();
    scene.signalingOpens();
    for (let joins = 0; joins < JOINS_PER_SOCKET; joins += 1) {
      scene.joined();
      scene.pass(16 * SECOND);
    }
    assert.equal(scene.all("join").length, JOINS_PER_SOCKET);
    assert.equal(scene.all("close signaling").length, 1);
    assert.equal(scene.all("open signaling").length, 2);
  });

  test("that failed is repeated sooner than one that was refused", () => {
    const waits = [false, true].map((refused) => {
      const scene = new Scene();
      scene.signalingOpens();
      scene.say({ is: "join failed", join: scene.last("join").join, refused });
      scene.pass(MINUTE);
      assert.equal(scene.all("join").length, 2);
      return scene.last("join").at;
    });
    assert.deepEqual(waits, [1_000, 22_500]);
  });

  test("that keeps failing goes on for ever, no more than twice a second and no less than twice a minute", () => {
    for (const drawn of [0, 0.999]) {
      const scene = new Scene(drawn);
      scene.signalingOpens();
      for (let tries = 0; tries < 1_000; tries += 1) {
        const { at, join } = scene.last("join");
        scene.say({ is: "join failed", join, refused: false });
        scene.checked(undefined);
        scene.pass((scene.wakeAt ?? Infinity) - scene.now);
        const wait = scene.last("join").at - at;
        assert.ok(wait >= 500 && wait <= 31 * SECOND, `${wait} ms`);
      }
    }
  });

  test("is made again over the next socket when the first closes before the offer", () => {
    const scene = new Scene();
    scene.signalingOpens();
    scene.joined();
    scene.signalingCloses();
    scene.pass(2 * SECOND);
    assert.equal(scene.all("join").length, 1, "not without a socket");
    scene.signalingOpens();
    assert.equal(scene.all("join").length, 2);
  });

  test("late words of an earlier join, socket or peer change nothing", () => {
    const scene = new Scene().goLive();
    const old = { join: scene.last("join").join, socket: scene.last("open signaling").socket };
    const oldPeer = scene.last("answer").peer;
    scene.signalingCloses();
    scene.peer("peer lost");
    scene.checked(true);
    scene.pass(SECOND);
    scene.goLive();
    const before = scene.asked.length;
    scene.say({ is: "joined", join: old.join });
    scene.say({ is: "join failed", join: old.join, refused: true });
    scene.say({ is: "signaling opened", socket: old.socket });
    scene.say({ is: "signaling closed", socket: old.socket });
    scene.say({ is: "offer", socket: old.socket, offer: OFFER });
    for (const is of ["peer connected", "peer disconnected", "peer lost"] as const) {
      scene.say({ is, peer: oldPeer });
    }
    assert.equal(scene.asked.length, before);
    assert.equal(scene.status.phase, "live");
  });

  test("a second offer replaces the first, because the newest master counts", () => {
    const scene = new Scene();
    scene.signalingOpens();
    scene.joined();
    scene.offerComes();
    const first = scene.last("answer").peer;
    scene.offerComes();
    assert.notEqual(scene.last("answer").peer, first);
    assert.equal(scene.all("close peer").length, 1);
  });
});

describe("media", () => {
  test("that was lost is joined again at once if it had been steady", () => {
    const scene = new Scene().goLive();
    scene.pass(5 * MINUTE);
    scene.peer("peer lost");
    assert.equal(scene.last("join").at, scene.now);
    assert.equal(scene.all("join").length, 2);
    scene.pass(2 * SECOND);
    scene.mediaComes();
    assert.deepEqual([scene.status.gaps, scene.status.gapMs], [1, 3 * SECOND]);
  });

  test("that is lost again and again is joined at growing, bounded intervals", () => {
    const scene = new Scene(0.999).goLive();
    const waits: number[] = [];
    for (let losses = 0; losses < 20; losses += 1) {
      const lostAt = scene.now;
      scene.peer("peer lost");
      scene.pass(31 * SECOND);
      waits.push(scene.last("join").at - lostAt);
      scene.mediaComes();
    }
    assert.ok((waits[0] ?? 0) < 2 * SECOND);
    assert.ok((waits[5] ?? 0) > 20 * SECOND);
    assert.ok(waits.every((wait) => wait <= 30_500));
  });

  test("that does not come within 30 s of the answer is joined again", () => {
    const scene = new Scene();
    scene.signalingOpens();
    scene.joined();
    scene.offerComes();
    scene.pass(32 * SECOND);
    assert.equal(scene.all("close peer").length, 1);
    assert.equal(scene.all("join").length, 2);
  });

  test("that only falters is given time, and counted as a gap", () => {
    const scene = new Scene().goLive();
    scene.pass(2 * MINUTE);
    scene.peer("peer disconnected");
    assert.equal(scene.status.phase, "reconnecting");
    scene.pass(SHAKY_MS - 1);
    scene.peer("peer connected");
    scene.pass(MINUTE);
    assert.equal(scene.all("join").length, 1);
    assert.deepEqual([scene.status.gaps, scene.status.gapMs], [1, SHAKY_MS - 1]);

    scene.peer("peer disconnected");
    scene.pass(SHAKY_MS);
    assert.equal(scene.all("join").length, 2);
  });

  test("outlives signaling, which is opened again without a join", () => {
    const scene = new Scene().goLive();
    scene.pass(10 * MINUTE);
    scene.signalingCloses();
    scene.pass(2 * SECOND);
    assert.equal(scene.all("open signaling").length, 2);
    scene.signalingOpens();
    scene.pass(MINUTE);
    assert.equal(scene.all("join").length, 1);
    assert.equal(scene.all("close peer").length, 0);
    assert.equal(scene.status.phase, "live");
  });
});

describe("the hour", () => {
  test("is met by a join before it; the old media flows until the new offer", () => {
    for (const drawn of [0, 0.999]) {
      const scene = new Scene(drawn).goLive();
      scene.pass(RENEW_AFTER_MS);
      assert.equal(scene.all("join").length, 2);
      const { at } = scene.last("join");
      assert.ok(at >= RENEW_AFTER_MS - RENEW_SPREAD_MS && at < HOUR);
      scene.joined();
      assert.equal(scene.status.phase, "live");
      assert.equal(scene.all("close peer").length, 0);
      scene.offerComes();
      assert.deepEqual(scene.asked.slice(-2).map((command) => command.do), ["close peer", "answer"]);
      scene.pass(300);
      scene.peer("peer connected");
      assert.deepEqual([scene.status.gaps, scene.status.gapMs], [1, 300]);
    }
  });

  test("comes again and again", () => {
    const scene = new Scene().goLive();
    for (let hours = 2; hours <= 24; hours += 1) {
      scene.pass(RENEW_AFTER_MS);
      assert.equal(scene.all("join").length, hours);
      scene.mediaComes();
    }
  });

  test("that passes while no offer comes ends media, and no second join is made for it", () => {
    const scene = new Scene().goLive();
    scene.pass(RENEW_AFTER_MS);
    scene.joined();
    scene.peer("peer lost");
    assert.equal(scene.all("join").length, 2);
    scene.mediaComes();
    assert.equal(scene.all("join").length, 2);
  });
});

describe("the end", () => {
  test("each failure looks the session up, one request at a time", () => {
    const scene = new Scene().goLive();
    scene.signalingCloses();
    scene.peer("peer lost");
    assert.equal(scene.all("check session").length, 1);
    scene.checked(true);
    scene.pass(MINUTE);
    assert.ok(scene.all("check session").length > 1);
  });

  test("a session that has ended is left, whatever was under way", () => {
    const scene = new Scene().goLive();
    scene.signalingCloses();
    scene.checked(false);
    assert.equal(scene.status.phase, "ended");
    assert.deepEqual(scene.asked.slice(-2).map((command) => command.do), ["close peer", "close signaling"]);
    assert.equal(scene.wakeAt, undefined);
    const before = scene.asked.length;
    scene.pass(HOUR);
    scene.offerComes();
    scene.say({ is: "start" });
    assert.equal(scene.asked.length, before);
  });

  test("not knowing ends nothing: without a network it is tried for a day", () => {
    const scene = new Scene();
    for (let minutes = 0; minutes < 24 * 60; minutes += 1) {
      scene.signalingCloses();
      scene.checked(undefined);
      scene.pass(MINUTE);
    }
    const opened = scene.all("open signaling");
    assert.ok(opened.length >= 24 * 60);
    assert.ok(opened.every(({ at }, n) => n === 0 || at - (opened[n - 1]?.at ?? 0) >= 350));
    assert.equal(scene.status.phase, "connecting");
  });

  test("stop closes what is open, and nothing comes after it", () => {
    const scene = new Scene().goLive();
    scene.say({ is: "stop" });
    assert.equal(scene.status.phase, "stopped");
    assert.deepEqual(scene.asked.slice(-2).map((command) => command.do), ["close peer", "close signaling"]);
    const before = scene.asked.length;
    scene.pass(2 * HOUR);
    assert.equal(scene.asked.length, before);
  });
});

test("a socket that does not open in time is given up and opened again", () => {
  const scene = new Scene();
  scene.pass(20 * SECOND);
  assert.equal(scene.all("close signaling").length, 1);
  assert.equal(scene.all("open signaling").length, 2);
});

test("a socket that closes at once is opened at growing, bounded intervals", () => {
  const scene = new Scene(0.999);
  const waits: number[] = [];
  for (let times = 0; times < 20; times += 1) {
    const closedAt = scene.now;
    scene.signalingOpens();
    scene.signalingCloses();
    scene.pass((scene.wakeAt ?? Infinity) - scene.now);
    waits.push(scene.last("open signaling").at - closedAt);
  }
  assert.ok((waits[0] ?? 0) < 2 * SECOND);
  assert.ok((waits[6] ?? 0) > 20 * SECOND);
  assert.ok(waits.every((wait) => wait <= 30_350));
});
