// The network between browser and storage session: a UDP relay that loses the packets that a test
// names, and counts.
import { createSocket } from "node:dgram";
import { createServer } from "node:http";

const HOST = "127.0.0.1";

/** The payload type of Opus in the service's offer. */
const OPUS = 111;

/** RTP samples of an Opus packet of 20 ms, as browsers send them. */
export const PACKET_SAMPLES = 960;

/** Milliseconds of `packets` Opus packets. */
export const ms = (packets) => (packets * PACKET_SAMPLES) / 48;

export class Wire {
  /**
   * The Opus packets that the browser sent, by the number of the connection: {sequence, time, at,
   * isLost}.
   */
  connections = [];
  /** While it is set, no datagram passes in either direction. */
  isCut = false;
  /** Returns whether an Opus packet is lost; `index` counts them in their connection. */
  loses = () => false;
  #sockets = [];
  #server;

  static async start() {
    const wire = new Wire();
    wire.#server = createServer(async ({ url }, response) => {
      const port = Number(new URL(url, "http://wire").searchParams.get("port"));
      response.writeHead(200, { "access-control-allow-origin": "*" }).end(String(await wire.#port(port)));
    });
    await new Promise((resolve) => wire.#server.listen(0, HOST, resolve));
    return wire;
  }

  get url() {
    return `http://${HOST}:${this.#server.address().port}`;
  }

  close() {
    this.#server.close();
    this.#sockets.forEach((socket) => socket.close());
  }

  #ports = new Map();

  /** The port that leads to a port of the service; the same one each time. */
  #port(service) {
    if (!this.#ports.has(service)) {
      this.#ports.set(service, this.#route(service));
    }
    return this.#ports.get(service);
  }

  async #route(service) {
    const packets = [];
    this.connections.push(packets);
    const [near, far] = [await this.#bound(), await this.#bound()];
    let browser;
    near.on("message", (datagram, { port }) => {
      browser = port;
      const packet = opusPacket(datagram);
      const isLost = this.isCut || (packet !== undefined && this.loses(packet, packets.length));
      if (packet !== undefined) {
        packets.push({ ...packet, at: performance.now(), isLost });
      }
      if (!isLost) {
        far.send(datagram, service, HOST);
      }
    });
    far.on("message", (datagram) => {
      if (!this.isCut && browser !== undefined) {
        near.send(datagram, browser, HOST);
      }
    });
    return near.address().port;
  }

  async #bound() {
    const socket = createSocket({ type: "udp4", recvBufferSize: 1 << 20 });
    // A service that has closed its port answers with ICMP.
    socket.on("error", () => undefined);
    this.#sockets.push(socket);
    await new Promise((resolve) => socket.bind(0, HOST, resolve));
    return socket;
  }
}

/**
 * The number and time of an Opus packet, whose header is not encrypted; undefined for others and
 * for padding.
 */
export function opusPacket(datagram) {
  const isRtp = datagram.length >= 12 && datagram[0] >> 6 === 2 && (datagram[1] & 0x7f) === OPUS;
  const isPadding = (datagram[0] & 0x20) !== 0;
  return isRtp && !isPadding ? { sequence: datagram.readUInt16BE(2), time: datagram.readUInt32BE(4) } : undefined;
}

/**
 * The lost runs of a connection's packets: {fromMs, ms}, in media time since the first packet that
 * arrived. Losses before it do not count.
 */
export function losses(packets) {
  const first = packets.findIndex(({ isLost }) => !isLost);
  const runs = [];
  packets.slice(Math.max(first, 0)).forEach(({ time, isLost }, index, all) => {
    const fromMs = ((time - all[0].time) >>> 0) / 48;
    if (isLost && index > 0 && all[index - 1].isLost) {
      runs.at(-1).ms += ms(1);
    } else if (isLost) {
      runs.push({ fromMs, ms: ms(1) });
    }
  });
  return runs;
}
