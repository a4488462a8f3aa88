import assert from "node:assert/strict";
import { test } from "node:test";
import { Slots } from "./slots.mjs";

test("slots are given in the order of the calls, and freed once", async () => {
  const slots = new Slots(2);
  const order = [];
  const take = (name, count) => slots.take(count).then((release) => (order.push(name), release));
  const first = await take("first", 1);
  const both = take("both", 2);
  const last = take("last", 1);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(order, ["first"], "a later one does not overtake");
  first();
  first();
  (await both)();
  await last;
  assert.deepEqual(order, ["first", "both", "last"]);
});
