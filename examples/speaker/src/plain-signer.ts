/**
 * Signs `ws://` addresses of signaling. The signer of AWS's package accepts only `wss://`; the
 * signature does not depend on the scheme, so it signs the same address as `wss://`. Only a local
 * cloud has such addresses.
 */
import { type RequestSigner, SigV4RequestSigner } from "amazon-kinesis-video-streams-webrtc";
import type { AwsCredentials } from "./credentials.ts";

/** Returns whether the signer of AWS's package rejects an address because it is not encrypted. */
export const isPlain = (address: string): boolean => address.startsWith("ws://");

export function plainSigner(region: string, credentials: AwsCredentials): RequestSigner {
  const signer = new SigV4RequestSigner(region, credentials);
  return {
    async getSignedURL(address, parameters, date) {
      const signed = await signer.getSignedURL(address.replace(/^ws:/, "wss:"), parameters, date);
      return signed.replace(/^wss:/, "ws:");
    },
  };
}
