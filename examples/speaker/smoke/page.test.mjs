// The bundled page in a real browser: opens a session, sends media, loses it, sends it again, and
// ends the session.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname } from "node:path";
import { test } from "node:test";
import { Chromium, findChromium } from "./chromium.mjs";

const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css" };

/** Serves dist/ on 127.0.0.1. */
async function served() {
  const server = createServer(async (request, response) => {
    const path = request.url.split("?")[0].replace(/\/$/, "/index.html");
    const body = await readFile(new URL(`../dist${path}`, import.meta.url)).catch(() => undefined);
    response.writeHead(body === undefined ? 404 : 200, { "content-type": TYPES[extname(path)] ?? "text/plain" });
    response.end(body);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, url: `http://127.0.0.1:${server.address().port}/` };
}

const path = findChromium();

test("a session from start to stop", { skip: path === undefined && "no Chromium; CHROMIUM=… names one" }, async () => {
  const { server, url } = await served();
  const chromium = new Chromium(path);
  try {
    const played = await readFile(new URL("kvs.js", import.meta.url), "utf8");
    await chromium.open(`${url}?api=https://api.example&pool=us-east-1:pool&targets=de,sv`, played);
    await chromium.until("document.readyState === 'complete' && document.getElementById('pool').value !== ''");
    const claims = Buffer.from(JSON.stringify({ iss: "https://issuer.example/pool", sub: "ana" })).toString("base64url");
    await chromium.value(`document.getElementById("token").value = "e30.${claims}.s"`);
    await chromium.value(`document.getElementById("start").click()`);
    await chromium.until("document.getElementById('status').value.endsWith(': live')");

    const received = `playedKvs.remote.getStats().then((all) => [...all.values()]
      .filter(({ type, packetsReceived }) => type === "inbound-rtp" && packetsReceived > 0)
      .map(({ kind }) => kind).sort().join())`;
    await chromium.until(`${received}.then((kinds) => kinds === "audio,video")`);

    // Signaling alone comes back alone; media that is cut off is joined again.
    await chromium.value(`playedKvs.socket.dispatchEvent(new Event("close"))`);
    await chromium.until(`playedKvs.calls.filter(({ call }) => call.startsWith("socket arn:")).length === 2`);
    assert.equal(await chromium.value("playedKvs.joins"), 1);
    await chromium.value("playedKvs.remote.close()");
    await chromium.until("playedKvs.joins === 2 && /: live, gaps: 1,/.test(document.getElementById('status').value)");

    await chromium.value(`document.getElementById("stop").click()`);
    await chromium.until("document.getElementById('status').value.endsWith(': ended')");
    const calls = await chromium.value("playedKvs.calls");
    assert.equal(calls.at(-1).call, "DELETE /sessions/blessed-shepherd-123");
    const joins = calls.filter(({ call }) => call === "POST /joinStorageSession");
    assert.ok(joins.every(({ body, authorization }) => "channelArn" in JSON.parse(body) && authorization === "AWS4-HMAC-SHA256"));

    for (const { sdp, correlationId } of await chromium.value("playedKvs.answers")) {
      const codecs = [...sdp.matchAll(/^a=rtpmap:\d+ ([^/\r]+)/gm)].map(([, codec]) => codec);
      assert.deepEqual([...new Set(codecs)].sort(), ["H264", "opus"]);
      assert.equal(sdp.match(/^a=sendonly/gm)?.length, 2);
      assert.match(correlationId, /^answer-\d+$/);
    }
    assert.deepEqual(chromium.errors, []);
  } finally {
    await chromium.close();
    server.close();
  }
});
