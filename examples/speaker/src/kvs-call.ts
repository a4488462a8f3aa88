/**
 * The two calls that a master makes to Kinesis Video Streams in addition to its WebSocket, signed
 * with SigV4: so few that they need no SDK client. Their forms are those of the services' API
 * models (`kinesis-video-webrtc-storage`, `kinesis-video-signaling`).
 */
import { Sha256 } from "@aws-crypto/sha256-js";
import { SignatureV4 } from "@smithy/signature-v4";
import type { CredentialsSource } from "./credentials.ts";

const ATTEMPT_TIMEOUT_MS = 10_000;

/** A call that failed. */
export class KvsError extends Error {
  override readonly name = "KvsError";

  constructor(
    readonly operation: string,
    /** HTTP status; `undefined` if there was no answer. */
    readonly status: number | undefined,
    /** The exception's name, or the reason why there was no answer. */
    readonly code: string,
    options?: ErrorOptions,
  ) {
    super(`${operation}: ${code}`, options);
  }

  /**
   * Whether the same call will fail again. The temporary errors are those of AWS's example: too
   * many calls (`ClientLimitExceededException`, which is a 400), a failure of the service, no
   * answer.
   */
  get refused(): boolean {
    const passing = this.status === undefined || this.status >= 500 || this.status === 429;
    return !passing && !/ClientLimitExceeded|Throttl|TooManyRequests/.test(this.code);
  }
}

/** Signs and sends one POST, once: the caller decides whether to retry. */
async function call(
  operation: string,
  endpoint: string,
  path: string,
  body: object,
  region: string,
  credentials: CredentialsSource,
): Promise<unknown> {
  const url = new URL(path, endpoint);
  const signer = new SignatureV4({ service: "kinesisvideo", region, credentials, sha256: Sha256 });
  const signed = await signer.sign({
    method: "POST",
    protocol: url.protocol,
    hostname: url.hostname,
    path: url.pathname,
    headers: { host: url.host, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  // The browser sets `host` itself and does not allow scripts to set it.
  const { host: _, ...headers } = signed.headers;
  let response: Response;
  try {
    const signal = AbortSignal.timeout(ATTEMPT_TIMEOUT_MS);
    response = await fetch(url, { method: "POST", headers, body: signed.body as string, signal });
  } catch (error) {
    throw new KvsError(operation, undefined, "no answer", { cause: error });
  }
  const answer = (await response.json().catch(() => ({}))) as { __type?: string; code?: string };
  if (!response.ok) {
    const code = response.headers.get("x-amzn-errortype") ?? answer.__type ?? answer.code ?? `status ${response.status}`;
    throw new KvsError(operation, response.status, code);
  }
  return answer;
}

/** A channel's master, with the data that its calls need. */
export interface Master {
  readonly channelArn: string;
  readonly region: string;
  readonly credentials: CredentialsSource;
}

/** JoinStorageSession: asks the service to send an offer over signaling, which must be open. */
export async function joinStorageSession(webrtcEndpoint: string, master: Master): Promise<void> {
  const { channelArn, region, credentials } = master;
  await call("JoinStorageSession", webrtcEndpoint, "/joinStorageSession", { channelArn }, region, credentials);
}

/** GetIceServerConfig: TURN servers, and the lifetime of their passwords in milliseconds. */
export async function iceServers(
  httpsEndpoint: string,
  master: Master,
): Promise<{ readonly servers: RTCIceServer[]; readonly ttlMs: number }> {
  const { channelArn, region, credentials } = master;
  const body = { ChannelARN: channelArn };
  const path = "/v1/get-ice-server-config";
  const answer = (await call("GetIceServerConfig", httpsEndpoint, path, body, region, credentials)) as {
    IceServerList?: { Uris: string[]; Username: string; Password: string; Ttl: number }[];
  };
  const list = answer.IceServerList ?? [];
  const servers = list.map(({ Uris, Username, Password }) => ({ urls: Uris, username: Username, credential: Password }));
  return { servers, ttlMs: 1_000 * Math.min(...list.map(({ Ttl }) => Ttl), 300) };
}
