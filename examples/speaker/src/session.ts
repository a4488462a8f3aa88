/** A session as `POST /sessions` answers it; of its fields, those that a speaker needs (docs/openapi.yaml, OpenedSession). */
export interface OpenedSession {
  readonly sessionId: string;
  readonly status: SessionStatus;
  readonly kvsChannelArn: string;
  readonly kvsSignalingEndpoints: SignalingEndpoints;
}

export type SessionStatus = "active" | "paused" | "ended";

/** Where the channel's master connects. KVS calls the values opaque. */
export interface SignalingEndpoints {
  /** Signaling. */
  readonly WSS: string;
  /** GetIceServerConfig. */
  readonly HTTPS: string;
  /** JoinStorageSession. */
  readonly WEBRTC: string;
}

/** What a speaker asks for (docs/openapi.yaml, NewSession). Languages are ISO 639-1. */
export interface NewSession {
  readonly sourceLanguage: string;
  readonly targetLanguages?: readonly string[];
  readonly qualityTier?: "standard" | "premium";
}

/** The region of `arn:PARTITION:kinesisvideo:REGION:ACCOUNT:channel/…`. */
export function regionOf(arn: string): string {
  const region = arn.split(":")[3];
  if (region === undefined || region === "") {
    throw new Error("the channel's ARN names no region");
  }
  return region;
}
