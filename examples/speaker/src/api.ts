/**
 * A client of the session API (docs/openapi.yaml): opens, reads and ends a session, and retries
 * where the API allows it. It sends the token only to the API.
 */
import { type Backoff, type Random, waitMs } from "./backoff.ts";
import type { NewSession, OpenedSession, SessionStatus } from "./session.ts";

/** Delay between attempts if the API sends no `Retry-After`. */
const RETRY: Backoff = { floorMs: 250, firstMs: 1_000, capMs: 10_000 };

/** Random time added to `Retry-After`, so that clients with the same value do not retry at once. */
const RETRY_AFTER_SPREAD_MS = 500;

/** API Gateway answers within 30 s, whatever the function does. */
const ATTEMPT_TIMEOUT_MS = 35_000;

/** A person waits for the answer: no attempt begins later than this after the first one. */
const PATIENCE_MS = 60_000;

/** The API answered with an error. */
export class ApiError extends Error {
  override readonly name = "ApiError";

  constructor(
    /** HTTP status. */
    readonly status: number,
    /** The reason, as text for people: `error` of the function, or `message` of API Gateway. */
    readonly reason: string,
    /** `Retry-After` in ms; `undefined` if it is absent. */
    readonly retryAfterMs: number | undefined,
  ) {
    super(`${status}: ${reason}`);
  }
}

/**
 * There was no answer: no network, an unknown host, a time-out, or an origin that the API does not
 * allow.
 */
export class Unreachable extends Error {
  override readonly name = "Unreachable";
}

/** The client's dependencies; the tests pass their own. */
export interface ApiWorld {
  readonly fetch: typeof fetch;
  /** Returns a valid token. It is called for each request, because a session outlives a token. */
  readonly token: () => string;
  /** Milliseconds. */
  readonly now: () => number;
  readonly sleep: (ms: number) => Promise<void>;
  readonly random: Random;
}

export class SessionsApi {
  readonly #base: string;
  readonly #world: ApiWorld;

  /**
   * `base` is the stack's output, `https://….execute-api.….amazonaws.com`, or the local cloud's
   * URL.
   */
  constructor(base: string, world: ApiWorld) {
    this.#base = base.replace(/\/+$/, "");
    this.#world = world;
  }

  /**
   * Opens a session. The caller generates one `idempotencyKey` per session; all attempts send the
   * same key, so that a lost answer does not create a second session.
   */
  async open(session: NewSession, idempotencyKey: string): Promise<OpenedSession> {
    const headers = { "content-type": "application/json", "idempotency-key": idempotencyKey };
    const response = await this.#persist(() => this.#send("POST", "/sessions", headers, JSON.stringify(session)));
    return (await response.json()) as OpenedSession;
  }

  /**
   * Returns the session's status; an unknown session (404) has ended. Makes one attempt: the caller
   * polls.
   */
  async status(sessionId: string): Promise<SessionStatus> {
    try {
      const response = await this.#send("GET", pathOf(sessionId));
      return ((await response.json()) as { status: SessionStatus }).status;
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) {
        return "ended";
      }
      throw error;
    }
  }

  /** Ends the session. A session that has ended or is unknown is not an error. */
  async end(sessionId: string): Promise<void> {
    try {
      await this.#persist(() => this.#send("DELETE", pathOf(sessionId)));
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 404)) {
        throw error;
      }
    }
  }

  /**
   * Ends the session when the page is being closed: the request outlives the page, and its result
   * is not read.
   */
  endUnseen(sessionId: string): void {
    const request = { method: "DELETE", headers: this.#authorization(), keepalive: true };
    this.#world.fetch(this.#base + pathOf(sessionId), request).catch(() => undefined);
  }

  /** Repeats a request that failed with a temporary error, until `PATIENCE_MS` is over. */
  async #persist(send: () => Promise<Response>): Promise<Response> {
    const giveUpAt = this.#world.now() + PATIENCE_MS;
    for (let failures = 0; ; failures += 1) {
      try {
        return await send();
      } catch (error) {
        const wait = this.#waitBefore(error, failures);
        if (wait === undefined || this.#world.now() + wait > giveUpAt) {
          throw error;
        }
        await this.#world.sleep(wait);
      }
    }
  }

  /** Returns the delay before the same request; `undefined` if it would fail again. */
  #waitBefore(error: unknown, failures: number): number | undefined {
    if (error instanceof ApiError && error.retryAfterMs !== undefined) {
      return error.retryAfterMs + this.#world.random() * RETRY_AFTER_SPREAD_MS;
    }
    // API Gateway's own 429 and 503 have no Retry-After.
    const passing = error instanceof Unreachable || (error instanceof ApiError && [429, 503].includes(error.status));
    return passing ? waitMs(RETRY, failures, this.#world.random) : undefined;
  }

  async #send(method: string, path: string, headers: Record<string, string> = {}, body?: string): Promise<Response> {
    let response: Response;
    try {
      response = await this.#world.fetch(this.#base + path, {
        method,
        headers: { ...headers, ...this.#authorization() },
        signal: AbortSignal.timeout(ATTEMPT_TIMEOUT_MS),
        ...(body === undefined ? {} : { body }),
      });
    } catch (error) {
      throw new Unreachable("the session API did not answer", { cause: error });
    }
    if (!response.ok) {
      throw await errorOf(response);
    }
    return response;
  }

  #authorization(): Record<string, string> {
    return { authorization: `Bearer ${this.#world.token()}` };
  }
}

const pathOf = (sessionId: string): string => `/sessions/${encodeURIComponent(sessionId)}`;

async function errorOf(response: Response): Promise<ApiError> {
  const body = (await response.json().catch(() => ({}))) as { error?: unknown; message?: unknown };
  const reason = [body.error, body.message].find((text) => typeof text === "string") ?? response.statusText;
  const seconds = Number(response.headers.get("retry-after") ?? NaN);
  return new ApiError(response.status, String(reason), Number.isFinite(seconds) ? seconds * 1_000 : undefined);
}
