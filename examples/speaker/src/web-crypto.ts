/**
 * The part of `isomorphic-webcrypto` that AWS's package uses: the browser's own crypto. `build.mjs`
 * substitutes it.
 */
export default globalThis.crypto;
