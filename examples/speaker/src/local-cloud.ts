/**
 * The local cloud that serves this page at `/speaker/` (docs/local-cloud.md): its session API, a
 * token that it issues to the page, and AWS credentials that it accepts.
 */
import type { CredentialsSource } from "./credentials.ts";

export interface LocalCloud {
  readonly api: string;
  readonly token: string;
  readonly credentials: CredentialsSource;
}

/** The names of this machine, at which a local cloud serves the page. */
const HOSTS = ["127.0.0.1", "localhost"];

/** The path at which a local cloud serves the page. */
const PATH = "/speaker/";

/** A session lasts a day at most, and so does the token. */
const TOKEN_SECONDS = 24 * 3_600;

/** The credentials of the local cloud's documents. Its signaling checks signatures with them. */
const CREDENTIALS = { accessKeyId: "test", secretAccessKey: "test" };

/** Returns the local cloud that serves the page at `address`; `undefined` for any other server. */
export async function localCloudAt(address: URL, send: typeof fetch): Promise<LocalCloud | undefined> {
  if (!HOSTS.includes(address.hostname) || address.pathname !== PATH) {
    return undefined;
  }
  const response = await send(`${address.origin}/_local/token`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ sub: "speaker", expiresIn: TOKEN_SECONDS }),
  });
  if (!response.ok) {
    return undefined;
  }
  const { token } = (await response.json()) as { readonly token: string };
  return { api: address.origin, token, credentials: async () => CREDENTIALS };
}
