/**
 * Executes the commands of `StorageSession` with AWS's signaling client and the browser's peer
 * connections, and reports their results as events. It makes no decisions.
 */
import { Role, SignalingClient } from "amazon-kinesis-video-streams-webrtc";
import { iceServers, joinStorageSession, KvsError, type Master } from "./kvs-call.ts";
import { Peer, type Tracks } from "./peer.ts";
import { isPlain, plainSigner } from "./plain-signer.ts";
import type { SignalingEndpoints } from "./session.ts";
import type { Line } from "./speaker.ts";
import type { Event, Offer } from "./storage-session.ts";

/**
 * TURN servers are requested again this long before their passwords expire, as in AWS's example.
 */
const ICE_RENEW_BEFORE_MS = 15_000;

export class Ingestion implements Line {
  readonly #endpoints: SignalingEndpoints;
  readonly #master: Master;
  readonly #tracks: Tracks;
  readonly #log: (text: string) => void;
  #tell: (event: Event) => void = () => undefined;

  #client: SignalingClient | undefined;
  /** The number of the current socket's command; 0 if there is no socket. */
  #socket = 0;
  #peer: Peer | undefined;
  /** The number of the current peer's command; 0 if there is no peer. */
  #peerNumber = 0;
  #ice: { readonly servers: Promise<RTCIceServer[]>; expiresAt: number } | undefined;

  constructor(endpoints: SignalingEndpoints, master: Master, tracks: Tracks, log: (text: string) => void) {
    this.#endpoints = endpoints;
    this.#master = master;
    this.#tracks = tracks;
    this.#log = log;
  }

  listen(tell: (event: Event) => void): void {
    this.#tell = tell;
  }

  openSignaling(socket: number): void {
    this.closeSignaling();
    this.#socket = socket;
    this.#connect(socket).catch((error: unknown) => this.#socketFailed(socket, error));
  }

  closeSignaling(): void {
    this.#socket = 0;
    this.#client?.close();
    this.#client = undefined;
  }

  join(join: number): void {
    // Candidates that arrive from here on belong to the next offer, and wait for it.
    this.#client?.resetIceCandidateState();
    this.#iceServers().catch(() => undefined);
    joinStorageSession(this.#endpoints.WEBRTC, this.#master).then(
      () => this.#tell({ is: "joined", join }),
      (error: unknown) => {
        this.#log(textOf(error));
        // Without credentials no later step can succeed either.
        const refused = !(error instanceof KvsError) || error.refused;
        this.#tell({ is: "join failed", join, refused });
      },
    );
  }

  answer(number: number, offer: Offer): void {
    this.#peerNumber = number;
    this.#answer(number, offer).catch((error: unknown) => {
      this.#log(textOf(error));
      this.#tell({ is: "peer lost", peer: number });
    });
  }

  closePeer(): void {
    this.#peerNumber = 0;
    this.#peer?.close();
    this.#peer = undefined;
  }

  async #connect(socket: number): Promise<void> {
    const credentials = await this.#master.credentials();
    if (this.#socket !== socket) {
      return;
    }
    const client = new SignalingClient({
      channelARN: this.#master.channelArn,
      channelEndpoint: this.#endpoints.WSS,
      region: this.#master.region,
      role: Role.MASTER,
      credentials,
      ...(isPlain(this.#endpoints.WSS) ? { requestSigner: plainSigner(this.#master.region, credentials) } : {}),
      // The service's candidates may arrive before its offer.
      enableEarlyIceCandidateBuffering: true,
    });
    this.#client = client;
    const current = (): boolean => this.#client === client;
    client.on("open", () => current() && this.#tell({ is: "signaling opened", socket }));
    client.on("sdpOffer", (offer: Offer) => current() && this.#tell({ is: "offer", socket, offer }));
    client.on("iceCandidate", (candidate: RTCIceCandidateInit) => current() && this.#candidate(candidate));
    client.on("statusResponse", (status: StatusResponse) => current() && this.#refused(status));
    // A socket that fails emits "error" and then "close"; one that could not be signed emits only
    // "error".
    client.on("error", (error: unknown) => current() && this.#socketFailed(socket, error));
    client.on("close", () => current() && this.#socketFailed(socket, undefined));
    client.open();
  }

  #socketFailed(socket: number, error: unknown): void {
    if (this.#socket !== socket) {
      return;
    }
    this.#log(error === undefined ? "signaling closed" : `signaling: ${textOf(error)}`);
    this.closeSignaling();
    this.#tell({ is: "signaling closed", socket });
  }

  async #answer(number: number, offer: Offer): Promise<void> {
    // The offer arrived over this client; its answer and candidates are sent over the same client
    // or not at all.
    const client = this.#client;
    const servers = await this.#iceServers();
    if (this.#peerNumber !== number || client === undefined) {
      return;
    }
    const current = (): boolean => this.#peerNumber === number;
    // Candidates that are found before the answer is sent are delayed: they are useless without it.
    let sent: (() => void) | undefined;
    const answered = new Promise<void>((resolve) => (sent = resolve));
    const peer = new Peer(offer, this.#tracks, servers, {
      connected: () => current() && this.#tell({ is: "peer connected", peer: number }),
      disconnected: () => current() && this.#tell({ is: "peer disconnected", peer: number }),
      lost: () => current() && this.#tell({ is: "peer lost", peer: number }),
      candidate: (candidate) => {
        answered.then(() => client.sendIceCandidate(candidate)).catch((error: unknown) => this.#log(textOf(error)));
      },
    });
    this.#peer = peer;
    client.drainPendingIceCandidates();
    const answer = await peer.answer();
    if (current()) {
      // The service reports that it refuses the answer only if there is a correlation id.
      client.sendSdpAnswer(answer, undefined, correlationOf(number));
      sent?.();
    }
  }

  #candidate(candidate: RTCIceCandidateInit): void {
    this.#peer?.add(candidate).catch((error: unknown) => this.#log(`candidate not taken: ${textOf(error)}`));
  }

  /** The service sends STATUS_RESPONSE only for messages that it refuses. */
  #refused({ correlationId, statusCode, errorType, description }: StatusResponse): void {
    this.#log(`answer refused: ${statusCode ?? ""} ${errorType ?? ""} ${description ?? ""}`);
    if (this.#peerNumber !== 0 && correlationId === correlationOf(this.#peerNumber)) {
      this.#tell({ is: "peer lost", peer: this.#peerNumber });
    }
  }

  #iceServers(): Promise<RTCIceServer[]> {
    if (this.#ice === undefined || Date.now() >= this.#ice.expiresAt) {
      const got = iceServers(this.#endpoints.HTTPS, this.#master);
      const ice = { servers: got.then(({ servers }) => servers), expiresAt: Infinity };
      this.#ice = ice;
      got.then(
        ({ ttlMs }) => (ice.expiresAt = Date.now() + ttlMs - ICE_RENEW_BEFORE_MS),
        () => (ice.expiresAt = 0),
      );
    }
    return this.#ice.servers;
  }
}

/** The message as received; the package's own type declares each field as the literal "string". */
interface StatusResponse {
  readonly correlationId?: string;
  readonly statusCode?: string;
  readonly errorType?: string;
  readonly description?: string;
}

const correlationOf = (peer: number): string => `answer-${peer}`;

/** Returns the text of an error. A WebSocket's error event has none. */
const textOf = (error: unknown): string => (error instanceof Error ? error.message : "connection failed");
