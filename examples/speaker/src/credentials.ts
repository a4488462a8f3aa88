/**
 * AWS credentials from a Cognito identity pool, for the token that also opens the session: GetId,
 * then GetCredentialsForIdentity (Amazon Cognito Developer Guide, "Identity pools authentication
 * flow", enhanced flow). Both calls are unsigned. The pool's role for authenticated identities sets
 * the page's permissions; docs/speaker.md lists the required actions.
 */

export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Absent only with a local cloud. */
  readonly sessionToken?: string;
}

/** Returns valid credentials. */
export type CredentialsSource = () => Promise<AwsCredentials>;

/** Cognito refused the request, or did not answer. */
export class CredentialsError extends Error {
  override readonly name = "CredentialsError";
}

/**
 * Credentials are renewed this long before they expire, so that a signature is still valid when it
 * arrives.
 */
const RENEW_BEFORE_MS = 5 * 60_000;

const ATTEMPT_TIMEOUT_MS = 10_000;

/**
 * Returns credentials from the pool `REGION:UUID`, and keeps them until shortly before they expire.
 * `token` is called at each renewal, so it must return a valid token each time.
 */
export function fromIdentityPool(identityPoolId: string, token: () => string): CredentialsSource {
  const region = identityPoolId.split(":")[0] ?? "";
  let identityId: string | undefined;
  let kept: { readonly credentials: AwsCredentials; readonly expiresAt: number } | undefined;

  return async () => {
    if (kept !== undefined && Date.now() < kept.expiresAt - RENEW_BEFORE_MS) {
      return kept.credentials;
    }
    const Logins = { [providerOf(token())]: token() };
    identityId ??= (await call(region, "GetId", { IdentityPoolId: identityPoolId, Logins })).IdentityId;
    const { Credentials: given } = await call(region, "GetCredentialsForIdentity", { IdentityId: identityId, Logins });
    if (given === undefined) {
      throw new CredentialsError("Cognito gave no credentials");
    }
    const credentials = {
      accessKeyId: given.AccessKeyId,
      secretAccessKey: given.SecretKey,
      sessionToken: given.SessionToken,
    };
    kept = { credentials, expiresAt: given.Expiration * 1_000 };
    return credentials;
  };
}

/** Returns the pool's name for the token's issuer: its `iss` without the scheme. */
export function providerOf(token: string): string {
  try {
    const claims = token.split(".")[1] ?? "";
    const { iss } = JSON.parse(atob(claims.replaceAll("-", "+").replaceAll("_", "/"))) as { iss: string };
    return iss.replace(/^https:\/\//, "");
  } catch (error) {
    throw new CredentialsError("the token is no JWT with an issuer", { cause: error });
  }
}

interface Answer {
  readonly IdentityId?: string;
  /** `Expiration` is Unix time in seconds. */
  readonly Credentials?: {
    readonly AccessKeyId: string;
    readonly SecretKey: string;
    readonly SessionToken: string;
    readonly Expiration: number;
  };
  readonly message?: string;
}

async function call(region: string, operation: string, body: object): Promise<Answer> {
  let response: Response;
  try {
    response = await fetch(`https://cognito-identity.${region}.amazonaws.com/`, {
      method: "POST",
      headers: {
        "content-type": "application/x-amz-json-1.1",
        "x-amz-target": `AWSCognitoIdentityService.${operation}`,
      },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(ATTEMPT_TIMEOUT_MS),
    });
  } catch (error) {
    throw new CredentialsError(`${operation}: Cognito did not answer`, { cause: error });
  }
  const answer = (await response.json().catch(() => ({}))) as Answer;
  if (!response.ok) {
    throw new CredentialsError(`${operation}: ${answer.message ?? response.status}`);
  }
  return answer;
}
