// The name of the token's issuer, as an identity pool has it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { CredentialsError, providerOf } from "../src/credentials.ts";

const tokenOf = (claims: object): string =>
  ["{}", JSON.stringify(claims), "s"].map((part) => Buffer.from(part).toString("base64url")).join(".");

test("the issuer is named without its scheme", () => {
  const iss = "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_Example";
  assert.equal(providerOf(tokenOf({ iss, sub: "ÿ?>" })), "cognito-idp.us-east-1.amazonaws.com/us-east-1_Example");
});

test("what is no JWT with an issuer is refused by name", () => {
  for (const token of ["", "a.b", tokenOf({ sub: "ana" })]) {
    assert.throws(() => providerOf(token), CredentialsError);
  }
});
