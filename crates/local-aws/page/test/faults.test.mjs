// The switches of the page, from its compiled module.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isSame } from "../faults.js";

test("a fault of another kind on the same calls is another fault", () => {
  const lost = { service: "kinesisvideo", operation: "GetMedia", kind: "error" };
  assert.ok(isSame(lost, { ...lost, times: 3 }));
  for (const change of [{ kind: "delay" }, { operation: undefined }, { target: "a" }, { service: "lambda" }]) {
    assert.ok(!isSame(lost, { ...lost, ...change }), JSON.stringify(change));
  }
});
