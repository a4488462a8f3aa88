// The relay's reading of packets, and its losses.
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { test } from "node:test";
import { losses, opusPacket, Wire } from "./wire.mjs";

/** An RTP packet of Opus. */
function packet(sequence, time, firstByte = 0x80) {
  const datagram = Buffer.alloc(40);
  datagram[0] = firstByte;
  datagram[1] = 0x80 | 111;
  datagram.writeUInt16BE(sequence, 2);
  datagram.writeUInt32BE(time, 4);
  return datagram;
}

async function bound() {
  const socket = createSocket("udp4");
  await new Promise((resolve) => socket.bind(0, "127.0.0.1", resolve));
  return socket;
}

const next = (socket) => new Promise((resolve) => socket.once("message", (datagram, { port }) => resolve({ datagram, port })));

test("only Opus packets with sound are read", () => {
  assert.deepEqual(opusPacket(packet(7, 960)), { sequence: 7, time: 960 });
  assert.equal(opusPacket(packet(7, 960, 0xa0)), undefined, "padding");
  assert.equal(opusPacket(Buffer.from([0x16, 0xfe, 0xfd, ...Buffer.alloc(20)])), undefined, "DTLS");
  assert.equal(opusPacket(Buffer.alloc(4)), undefined);
});

test("losses in a row are one, and have the time of the media", () => {
  const start = 0xffff_ffff - 959;
  const sent = (lost) => Array.from({ length: 8 }, (_, index) => ({ time: (start + index * 960) >>> 0, isLost: lost.includes(index) }));
  assert.deepEqual(losses(sent([3, 4, 6])), [{ fromMs: 60, ms: 40 }, { fromMs: 120, ms: 20 }]);
  assert.deepEqual(losses(sent([0, 1, 3])), [{ fromMs: 20, ms: 20 }], "the first that arrives is the beginning");
  assert.deepEqual(losses([]), []);
});

test("what is not lost passes in both directions", async () => {
  const [wire, service, browser] = [await Wire.start(), await bound(), await bound()];
  const ask = async () => Number(await (await fetch(`${wire.url}/?port=${service.address().port}`)).text());
  const port = await ask();
  assert.equal(await ask(), port, "one port of the wire for each of the service");
  wire.loses = ({ sequence }) => sequence === 2;
  const arrived = [];
  service.on("message", (datagram) => arrived.push(datagram.readUInt16BE(2)));
  for (const sequence of [1, 2, 3]) {
    browser.send(packet(sequence, sequence * 960), port, "127.0.0.1");
  }
  const last = await next(service).then(() => next(service));
  assert.deepEqual(arrived, [1, 3]);
  assert.deepEqual(losses(wire.connections[0]), [{ fromMs: 20, ms: 20 }]);
  service.send(Buffer.from("answer"), last.port, "127.0.0.1");
  assert.equal((await next(browser)).datagram.toString(), "answer");
  wire.isCut = true;
  browser.send(packet(4, 4 * 960), port, "127.0.0.1");
  while (wire.connections[0].length < 4) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.deepEqual(arrived, [1, 3]);
  wire.close();
  service.close();
  browser.close();
});
