// The driver: the last words are stored before the session ends, and an unreachable API ends nothing.
import assert from "node:assert/strict";
import { test } from "node:test";
import { LINGER_MS } from "../src/limits.ts";
import { type Line, Speaker } from "../src/speaker.ts";
import type { Event, Status } from "../src/storage-session.ts";

/** A line, a clock and a session that write down what they are asked. */
class World {
  readonly journal: string[] = [];
  readonly shown: Status["phase"][] = [];
  live: () => Promise<boolean> = async () => true;
  tell: (event: Event) => void = () => undefined;
  readonly #timers: { at: number; then: () => void }[] = [];
  #now = 0;

  readonly speaker: Speaker;

  constructor() {
    const line: Line = {
      listen: (tell) => (this.tell = tell),
      openSignaling: (socket) => this.journal.push(`open ${socket}`),
      closeSignaling: () => this.journal.push("close signaling"),
      join: (join) => this.journal.push(`join ${join}`),
      answer: (peer) => this.journal.push(`answer ${peer}`),
      closePeer: () => this.journal.push("close peer"),
    };
    const session = {
      isLive: () => this.live(),
      end: async () => void this.journal.push("DELETE"),
    };
    const clock = {
      now: () => this.#now,
      later: (ms: number, then: () => void) => {
        const timer = { at: this.#now + ms, then };
        this.#timers.push(timer);
        return () => void this.#timers.splice(this.#timers.indexOf(timer) >>> 0, 1);
      },
    };
    this.speaker = new Speaker(line, session, clock, () => 0.5, (status) => this.shown.push(status.phase));
  }

  /** Lets time pass, timer by timer. */
  pass(ms: number): void {
    const until = this.#now + ms;
    for (;;) {
      const next = this.#timers.sort((a, b) => a.at - b.at)[0];
      if (next === undefined || next.at > until) {
        break;
      }
      this.#timers.shift();
      this.#now = next.at;
      next.then();
    }
    this.#now = until;
  }

  get waiting(): number {
    return this.#timers.length;
  }
}

/** Lets what was promised come true. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("stop ends media, waits for the last words, and then ends the session", async () => {
  const world = new World();
  world.speaker.start();
  world.tell({ is: "signaling opened", socket: 1 });
  world.tell({ is: "joined", join: 2 });
  const stopped = world.speaker.stop();
  assert.deepEqual(world.journal, ["open 1", "join 2", "close peer", "close signaling"]);
  world.pass(LINGER_MS - 1);
  await settle();
  assert.equal(world.journal.at(-1), "close signaling");
  world.pass(1);
  await stopped;
  assert.equal(world.journal.at(-1), "DELETE");
  assert.equal(world.waiting, 0);
});

test("a session that was ended elsewhere is left, and no timer stays", async () => {
  const world = new World();
  world.live = async () => false;
  world.speaker.start();
  world.tell({ is: "signaling closed", socket: 1 });
  await settle();
  assert.equal(world.shown.at(-1), "ended");
  assert.equal(world.waiting, 0);
  await world.speaker.stop();
  assert.equal(world.journal.at(-1), "DELETE");
});

test("an API that cannot be asked ends nothing", async () => {
  const world = new World();
  world.live = async () => Promise.reject(new Error("no network"));
  world.speaker.start();
  world.tell({ is: "signaling closed", socket: 1 });
  await settle();
  world.pass(60_000);
  assert.ok(world.journal.includes("open 2"));
  assert.notEqual(world.shown.at(-1), "ended");
});

test("one timer at a time waits, whatever happens meanwhile", () => {
  const world = new World();
  world.speaker.start();
  world.tell({ is: "signaling opened", socket: 1 });
  for (let times = 0; times < 5; times += 1) {
    world.tell({ is: "joined", join: 2 });
  }
  assert.equal(world.waiting, 1);
});
