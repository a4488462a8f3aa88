/**
 * A session in the response of `POST /sessions`: the fields that a speaker needs
 * (docs/openapi.yaml, OpenedSession).
 */
export interface OpenedSession {
  readonly sessionId: string;
  readonly status: SessionStatus;
  readonly kvsChannelArn: string;
  readonly kvsSignalingEndpoints: SignalingEndpoints;
}

export type SessionStatus = "active" | "paused" | "ended";

/** The endpoints of the channel's master. KVS documents the values as opaque. */
export interface SignalingEndpoints {
  /** Signaling. */
  readonly WSS: string;
  /** GetIceServerConfig. */
  readonly HTTPS: string;
  /** JoinStorageSession. */
  readonly WEBRTC: string;
}

/** The request for a session (docs/openapi.yaml, NewSession). Languages are ISO 639-1. */
export interface NewSession {
  readonly sourceLanguage: string;
  readonly targetLanguages?: readonly string[];
  readonly qualityTier?: "standard" | "premium";
}

/** Returns the region of `arn:PARTITION:kinesisvideo:REGION:ACCOUNT:channel/…`. */
export function regionOf(arn: string): string {
  const region = arn.split(":")[3];
  if (region === undefined || region === "") {
    throw new Error("the channel's ARN names no region");
  }
  return region;
}
