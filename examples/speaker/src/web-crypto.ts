/** What AWS's package asks of `isomorphic-webcrypto`: the browser's own. `build.mjs` puts it in. */
export default globalThis.crypto;
