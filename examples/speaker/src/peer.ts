/**
 * One peer connection that answers one offer of the storage session: sends two tracks, only H.264
 * and Opus (WDG, "Troubleshoot connecting to the storage session"), and receives nothing.
 */
import type { Offer } from "./storage-session.ts";
import { VIDEO_MAX_BITRATE } from "./synthetic-video.ts";

export interface Tracks {
  readonly audio: MediaStreamTrack;
  readonly video: MediaStreamTrack;
}

/** The events of a peer. */
export interface PeerEvents {
  connected(): void;
  /** ICE lost its path and may find another. */
  disconnected(): void;
  lost(): void;
  /** A candidate to send. */
  candidate(candidate: RTCIceCandidate): void;
}

export class Peer {
  readonly #connection: RTCPeerConnection;
  readonly #tracks: Tracks;
  readonly #events: PeerEvents;
  #closed = false;
  /** Resolves when the offer is set; candidates wait for it. */
  readonly #offered: Promise<void>;

  constructor(offer: Offer, tracks: Tracks, iceServers: RTCIceServer[], events: PeerEvents) {
    this.#tracks = tracks;
    this.#events = events;
    this.#connection = new RTCPeerConnection({ iceServers });
    this.#connection.addEventListener("connectionstatechange", () => {
      if (this.#closed) {
        return;
      }
      switch (this.#connection.connectionState) {
        case "connected":
          return events.connected();
        case "disconnected":
          return events.disconnected();
        case "failed":
        case "closed":
          return events.lost();
      }
    });
    this.#connection.addEventListener("icecandidate", ({ candidate }) => {
      // The storage session is reached through relays; AWS advises against sending addresses of
      // this machine.
      if (candidate !== null && candidate.candidate !== "" && candidate.type !== "host") {
        events.candidate(candidate);
      }
    });
    // Tracks are added before the offer: the browser matches them with the offer's media by kind.
    const stream = new MediaStream([tracks.audio, tracks.video]);
    this.#connection.addTrack(tracks.audio, stream);
    this.#connection.addTrack(tracks.video, stream);
    this.#offered = this.#connection.setRemoteDescription(offer);
    // Callers that await it receive an error; this prevents an unhandled rejection if no caller
    // does.
    this.#offered.catch(() => undefined);
  }

  /** Returns the answer to the offer, which must be sent at once: candidates follow. */
  async answer(): Promise<RTCSessionDescription> {
    await this.#offered;
    for (const transceiver of this.#connection.getTransceivers()) {
      const { track } = transceiver.sender;
      if (track === this.#tracks.audio || track === this.#tracks.video) {
        transceiver.direction = "sendonly";
        transceiver.setCodecPreferences(codecs(track.kind, track.kind === "video" ? "video/h264" : "audio/opus"));
      }
    }
    await this.#connection.setLocalDescription();
    this.#watchTransport();
    await this.#boundVideo();
    if (this.#connection.localDescription === null) {
      throw new Error("the browser made no answer");
    }
    return this.#connection.localDescription;
  }

  /**
   * Adds a candidate of the service. Without `sdpMid` it is assigned to the first medium: all share
   * one path.
   */
  async add(candidate: RTCIceCandidateInit): Promise<void> {
    await this.#offered;
    const nowhere = (candidate.sdpMid ?? candidate.sdpMLineIndex ?? undefined) === undefined;
    await this.#connection.addIceCandidate(nowhere ? { ...candidate, sdpMLineIndex: 0 } : candidate);
  }

  /** Closes the connection without a further event. The tracks continue. */
  close(): void {
    this.#closed = true;
    this.#connection.close();
  }

  /**
   * Reports the end of a session that the service closes at once. The connection's own state does
   * not change then, and ICE reports `disconnected` only after 5 s (measured, Chromium).
   */
  #watchTransport(): void {
    const transport = this.#connection.getSenders().find((sender) => sender.transport !== null)?.transport;
    transport?.addEventListener("statechange", () => {
      if (!this.#closed && transport.state === "closed") {
        this.#events.lost();
      }
    });
  }

  async #boundVideo(): Promise<void> {
    const sender = this.#connection.getSenders().find(({ track }) => track === this.#tracks.video);
    const parameters = sender?.getParameters();
    if (sender !== undefined && parameters !== undefined && parameters.encodings.length > 0) {
      parameters.encodings.forEach((encoding) => (encoding.maxBitrate = VIDEO_MAX_BITRATE));
      await sender.setParameters(parameters);
    }
  }
}

/** Returns this browser's codecs for `mimeType`, to which the answer is then limited. */
function codecs(kind: string, mimeType: string): RTCRtpCodec[] {
  const known = RTCRtpReceiver.getCapabilities(kind)?.codecs ?? [];
  const wanted = known.filter((codec) => codec.mimeType.toLowerCase() === mimeType);
  if (wanted.length === 0) {
    throw new Error(`this browser has no ${mimeType}`);
  }
  return wanted;
}
