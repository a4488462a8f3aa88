// The session API's client: what it repeats, how, and what it takes for an end.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError, SessionsApi, Unreachable } from "../src/api.ts";

interface Sent {
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
}

/** A client whose requests get the scripted answers in turn, the last one for ever. */
function client(...answers: (Response | Error)[]) {
  const sent: Sent[] = [];
  const slept: number[] = [];
  let now = 0;
  const api = new SessionsApi("https://api.example/", {
    fetch: async (url, init) => {
      sent.push({ method: init?.method ?? "GET", url: String(url), headers: new Headers(init?.headers) });
      const answer = answers.length > 1 ? answers.shift() : answers[0];
      if (answer === undefined || answer instanceof Error) {
        throw answer ?? new TypeError("no answer");
      }
      return answer.clone();
    },
    token: () => "token",
    now: () => now,
    sleep: async (ms) => {
      slept.push(ms);
      now += ms;
    },
    random: () => 0.5,
  });
  return { api, sent, slept };
}

const json = (status: number, body: object, headers: Record<string, string> = {}): Response =>
  new Response(JSON.stringify(body), { status, headers });

const busy = (status: number, seconds: number): Response =>
  json(status, { error: "later", timestamp: 1 }, { "retry-after": String(seconds) });

test("opening is repeated with the same key, after as long as the API says", async () => {
  const opened = json(201, { sessionId: "blessed-shepherd-123" });
  const { api, sent, slept } = client(busy(503, 2), busy(409, 3), new TypeError("reset"), opened);
  assert.equal((await api.open({ sourceLanguage: "en" }, "key-1")).sessionId, "blessed-shepherd-123");
  assert.deepEqual(sent.map(({ headers }) => headers.get("idempotency-key")), Array(4).fill("key-1"));
  assert.deepEqual(slept.slice(0, 2), [2_250, 3_250]);
  assert.equal(sent[0]?.url, "https://api.example/sessions");
  assert.equal(sent[0]?.headers.get("authorization"), "Bearer token");
});

test("API Gateway's own 503 has no Retry-After and is repeated too", async () => {
  const { api, sent } = client(json(503, { message: "Service Unavailable" }), new Response(null, { status: 204 }));
  await api.end("blessed-shepherd-123");
  assert.equal(sent.length, 2);
});

for (const status of [400, 401, 403, 415, 422, 500]) {
  test(`${status} is not repeated, and says why`, async () => {
    const { api, sent } = client(json(status, { error: "so and so", timestamp: 1 }));
    await assert.rejects(api.open({ sourceLanguage: "en" }, "k"), (error) => {
      assert.ok(error instanceof ApiError);
      assert.deepEqual([error.status, error.reason], [status, "so and so"]);
      return true;
    });
    assert.equal(sent.length, 1);
  });
}

test("patience ends: what is refused for longer is an error", async () => {
  const { api, slept } = client(busy(429, 20));
  await assert.rejects(api.open({ sourceLanguage: "en" }, "k"), ApiError);
  assert.ok(slept.reduce((sum, ms) => sum + ms, 0) <= 60_000);
});

test("no network for long is an error of its own, and the waits stay bounded", async () => {
  const { api, slept } = client(new TypeError("no network"));
  await assert.rejects(api.end("blessed-shepherd-123"), Unreachable);
  assert.ok(slept.length > 3 && slept.every((ms) => ms >= 250 && ms <= 10_250));
});

test("GET and DELETE of an unknown session report it as ended", async () => {
  const { api } = client(json(404, { error: "session a-b-1 does not exist", timestamp: 1 }));
  assert.equal(await api.status("a-b-1"), "ended");
  await api.end("a-b-1");
});

test("a request that fails does not report a session as ended", async () => {
  for (const answer of [json(401, { message: "Unauthorized" }), new TypeError("no network")]) {
    await assert.rejects(client(answer).api.status("a-b-1"));
  }
});
