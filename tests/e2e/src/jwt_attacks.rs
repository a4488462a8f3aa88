//! Invalid tokens, derived from a valid one, that an authorizer must refuse.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

/// The bytes before the modulus of a 2048-bit RSA key in DER (SubjectPublicKeyInfo), and after it
/// the exponent 65537.
const DER_BEGIN: &[u8] =
    b"\x30\x82\x01\x22\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00\
    \x03\x82\x01\x0f\x00\x30\x82\x01\x0a\x02\x82\x01\x01\x00";
const DER_END: &[u8] = b"\x02\x03\x01\x00\x01";

/// The three parts of a token.
#[derive(Debug, Clone)]
pub struct Parts {
    /// Header, claims and signature, in base64.
    pub header: String,
    /// The claims.
    pub claims: String,
    /// The signature.
    pub signature: String,
}

impl Parts {
    /// Splits a token; returns `None` unless it has three parts.
    pub fn of(token: &str) -> Option<Self> {
        let mut parts = token.split('.').map(str::to_owned);
        let (header, claims) = (parts.next()?, parts.next()?);
        Some(Self { header, claims, signature: parts.next()? })
    }

    /// Returns the token.
    pub fn token(&self) -> String {
        format!("{}.{}.{}", self.header, self.claims, self.signature)
    }

    /// Returns the same claims with another algorithm and no signature.
    pub fn unsigned(&self, algorithm: &str) -> Self {
        Self { signature: String::new(), ..self.under(algorithm) }
    }

    /// Returns the same claims and signature with another algorithm in the header.
    pub fn under(&self, algorithm: &str) -> Self {
        let mut header = read(&self.header);
        header["alg"] = algorithm.into();
        Self { header: written(&header), ..self.clone() }
    }

    /// Returns the same claims, signed with HS256 and a public value as the secret.
    pub fn with_hmac(&self, secret: &[u8]) -> Option<Self> {
        let under = self.under("HS256");
        let signed = format!("{}.{}", under.header, under.claims);
        let key = EncodingKey::from_secret(secret);
        let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &key, Algorithm::HS256);
        Some(Self { signature: signature.ok()?, ..under })
    }

    /// Returns the claims of another speaker with this signature.
    pub fn claiming(&self, sub: &str) -> Self {
        let mut claims = read(&self.claims);
        claims["sub"] = sub.into();
        Self { claims: written(&claims), ..self.clone() }
    }

    /// Returns the same token with one character of the signature changed; a negative index counts
    /// from the end.
    pub fn with_signature_changed(&self, at: isize) -> Self {
        let mut signature: Vec<char> = self.signature.chars().collect();
        let length = signature.len();
        let at = if at < 0 { length.saturating_sub(at.unsigned_abs()) } else { at.unsigned_abs() };
        if let Some(one) = signature.get_mut(at) {
            *one = if *one == 'A' { 'B' } else { 'A' };
        }
        Self { signature: signature.into_iter().collect(), ..self.clone() }
    }
}

/// Returns the forms of the issuer's public key that a faulty verifier may use as an HMAC secret.
pub fn public_key_forms(jwks: &Value) -> Vec<(&'static str, Vec<u8>)> {
    let key = &jwks["keys"][0];
    let modulus = key["n"].as_str().unwrap_or_default();
    let bytes = URL_SAFE_NO_PAD.decode(modulus).unwrap_or_default();
    let der = [DER_BEGIN, &bytes, DER_END].concat();
    let lines = STANDARD.encode(&der);
    let lines: Vec<_> = lines.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----", lines.join("\n"));
    vec![
        ("the public key in PEM", format!("{pem}\n").into_bytes()),
        ("the public key in PEM without its last line break", pem.into_bytes()),
        ("the public key in DER", der),
        ("its modulus", bytes),
        ("its modulus in base64", modulus.as_bytes().to_vec()),
        ("its JWK", key.to_string().into_bytes()),
        ("the JWKS", jwks.to_string().into_bytes()),
        ("its id", key["kid"].as_str().unwrap_or_default().as_bytes().to_vec()),
        ("nothing", Vec::new()),
    ]
}

fn read(part: &str) -> Value {
    let bytes = URL_SAFE_NO_PAD.decode(part).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_else(|_| json!({}))
}

fn written(part: &Value) -> String {
    URL_SAFE_NO_PAD.encode(part.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_signature_differs_in_one_place() {
        let parts = Parts::of("h.c.AxyZ").unwrap();
        assert_eq!(parts.with_signature_changed(0).signature, "BxyZ");
        assert_eq!(parts.with_signature_changed(-1).signature, "AxyA");
        assert_eq!(parts.with_signature_changed(2).token(), "h.c.AxAZ");
    }

    #[test]
    fn the_claims_and_the_header_are_the_requested_ones() {
        let header = written(&json!({"alg": "RS256", "kid": "k"}));
        let token = format!("{header}.{}.s", written(&json!({"sub": "ana", "x": 1})));
        let parts = Parts::of(&token).unwrap();
        assert_eq!(read(&parts.claiming("ben").claims), json!({"sub": "ben", "x": 1}));
        assert_eq!(read(&parts.unsigned("none").header), json!({"alg": "none", "kid": "k"}));
        let hmac = parts.with_hmac(b"secret").unwrap();
        assert_eq!(read(&hmac.header)["alg"], "HS256");
        assert_eq!(hmac.signature.len(), 43);
    }
}
