// A value that was not measured is an error and misses a limit.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Cloud } from "./cloud.mjs";
import { collectDelivered } from "./delivered.mjs";
import { finite } from "./figures.mjs";
import { inPlace, joined, resembles, within } from "./limits.mjs";
import { SpeakerPage } from "./speaker-page.mjs";
import { wavOf } from "./wav.mjs";

test("the error names each figure that is not a number", () => {
  assert.deepEqual(finite({ one: 1, zero: 0 }), { one: 1, zero: 0 });
  assert.throws(() => finite({ one: 1, two: NaN, three: undefined }), /^Error: not measured: two is NaN, three is undefined$/);
});

test("a join that was not measured is an error", async () => {
  const page = (measured) => new SpeakerPage({ value: async () => measured }, { waitedMs: () => 20 });
  assert.deepEqual(await page({ joinAt: 5, liveAt: 105.4, origin: 0 }).joining(), { joinMs: 100, waitedMs: 20 });
  await assert.rejects(page({ liveAt: 105, origin: 0 }).joining(), /joinMs is NaN/);
  await assert.rejects(page({ joinAt: 5, origin: 0 }).joining(), /joinMs is NaN/);
});

test("a figure that the deliveries lack is an error", async () => {
  const folder = mkdtempSync(join(tmpdir(), "delivered-"));
  const figures = { filledSamples: 16, nextSample: 48, samplesDelivered: 32, samplesDuplicated: 0 };
  const cloud = (lacking) => ({
    drained: async () => undefined,
    audio: async () => wavOf(new Int16Array(48), 16_000),
    figures: async () => ({ ...figures, [lacking]: undefined }),
    runs: async () => 1,
  });
  try {
    const { filledMs, skippedMs, duplicated, runs } = await collectDelivered(cloud("none"), "session", folder, "whole");
    assert.deepEqual({ filledMs, skippedMs, duplicated, runs }, { filledMs: 1, skippedMs: 1, duplicated: 0, runs: 1 });
    for (const name of Object.keys(figures)) {
      await assert.rejects(collectDelivered(cloud(name), "session", folder, "lacking"), /not measured/, name);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a number of killed processes that is missing is an error", async () => {
  const cloud = new Cloud();
  cloud.call = async () => ({ status: 200, body: { killed: 2 } });
  assert.equal(await cloud.killConsumer(), 2);
  cloud.call = async () => ({ status: 404, body: {} });
  await assert.rejects(cloud.killConsumer(), /killed is undefined/);
});

test("a missing value misses each limit, and a value within it does not", () => {
  const [here, away] = [{ at: 1, lagMs: 0.5 }, { at: 2, lagMs: NaN }];
  assert.equal(joined({ joinMs: 1_100, waitedMs: 100 }), false);
  assert.equal(resembles({ envelope: 0.95 }), false);
  assert.equal(inPlace([here]), false);
  assert.equal(within("figure", 2, 1, 2), false);
  assert.match(joined({ joinMs: NaN, waitedMs: 0 }), /joining took NaN ms/);
  assert.match(joined({ joinMs: 200 }), /joining took 200 ms/);
  assert.match(resembles({ envelope: NaN }), /NaN/);
  assert.match(inPlace([here, away]), /^out of place: 2 s by NaN ms$/);
  assert.match(within("figure", undefined, 1, 2), /figure is NaN/);
});
