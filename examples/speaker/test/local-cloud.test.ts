// The page in a local cloud: its token and credentials, and signed addresses without TLS.
import assert from "node:assert/strict";
import { test } from "node:test";
import { SigV4RequestSigner } from "amazon-kinesis-video-streams-webrtc";
import { localCloudAt } from "../src/local-cloud.ts";
import { isPlain, plainSigner } from "../src/plain-signer.ts";

/** Answers each request with `status` and `body`, and writes down its address. */
function answering(status: number, body: object): { asked: string[]; send: typeof fetch } {
  const asked: string[] = [];
  const send = async (address: RequestInfo | URL): Promise<Response> => {
    asked.push(String(address));
    return new Response(JSON.stringify(body), { status });
  };
  return { asked, send };
}

test("a local cloud gives the page its address, a token and credentials", async () => {
  const { asked, send } = answering(200, { token: "a.b.c" });
  const cloud = await localCloudAt(new URL("http://127.0.0.1:7878/speaker/?source=de"), send);
  assert.deepEqual(asked, ["http://127.0.0.1:7878/_local/token"]);
  assert.deepEqual([cloud?.api, cloud?.token], ["http://127.0.0.1:7878", "a.b.c"]);
  assert.equal((await cloud?.credentials())?.accessKeyId, "test");
});

test("localhost is a local cloud too", async () => {
  const { asked, send } = answering(200, { token: "a.b.c" });
  assert.equal((await localCloudAt(new URL("http://localhost:7878/speaker/"), send))?.api, "http://localhost:7878");
  assert.deepEqual(asked, ["http://localhost:7878/_local/token"]);
});

test("another server is not asked, and one without tokens is no local cloud", async () => {
  const { asked, send } = answering(404, {});
  for (const address of ["http://127.0.0.1:5173/", "https://example.com/speaker/"]) {
    assert.equal(await localCloudAt(new URL(address), send), undefined);
  }
  assert.deepEqual(asked, []);
  assert.equal(await localCloudAt(new URL("http://127.0.0.1:5173/speaker/"), send), undefined);
});

test("an address without TLS has the signature of the same address with TLS", async () => {
  const credentials = { accessKeyId: "test", secretAccessKey: "test" };
  const parameters = { "X-Amz-ChannelARN": "arn:aws:kinesisvideo:us-east-1:123456789012:channel/a/1" };
  const date = new Date("2026-11-29T06:00:00Z");
  const encrypted = new SigV4RequestSigner("us-east-1", credentials);
  const expected = await encrypted.getSignedURL("wss://127.0.0.1:7878/x", parameters, date);
  const signed = await plainSigner("us-east-1", credentials).getSignedURL("ws://127.0.0.1:7878/x", parameters, date);
  assert.equal(signed, expected.replace("wss://", "ws://"));
  assert.ok(isPlain(signed) && !isPlain(expected));
});
