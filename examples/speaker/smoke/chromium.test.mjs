// A browser that ends, or cannot be started: every call fails, none waits for ever.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Chromium } from "./chromium.mjs";

// Node.js ends at once: it has no option --headless.
for (const [path, reason] of [[process.execPath, /has ended/], ["/no/such/chromium", /ENOENT/]]) {
  test(`calls of ${path} fail`, { timeout: 20_000 }, async () => {
    const chromium = new Chromium(path);
    await assert.rejects(chromium.open("about:blank", ""), reason);
    await assert.rejects(chromium.value("1"), reason);
    await assert.rejects(chromium.until("true"), reason);
    await chromium.close();
  });
}
