//! The local token issuer, and the checks that API Gateway's JWT authorizer makes.
//!
//! The issuer plays whoever the template's authorizers trust: its key, made at start-up, stands for
//! theirs. The checks are those of the guide ("Control access to HTTP APIs with JWT authorizers"):
//! RS256 and a known `kid`, `iss`, `aud` or else `client_id`, `exp`, `nbf`, `iat`, and scopes.

use std::collections::BTreeMap;

use aws_lc_rs::encoding::AsDer;
use jsonwebtoken::jwk::{Jwk, JwkSet, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::error::Error;
use crate::template::{JwtAuthorizer, Template};

/// How far a token's `nbf` and `iat` may lie ahead of this machine's clock, in seconds. `exp` has
/// no grace: a token that has expired has expired.
const LEEWAY_S: i64 = 2;
/// How long a token lives unless its request says otherwise, in seconds.
const DEFAULT_EXPIRY_S: i64 = 3_600;
/// What a PKCS#8 document holds before the RSA key of 2048 bits that it wraps.
const PKCS8_PREFIX: usize = 26;

/// The issuer with its key.
pub struct Issuer {
    key: EncodingKey,
    public: DecodingKey,
    jwk: Jwk,
    kid: String,
    issuer: String,
    audience: Vec<String>,
}

/// A token that passed, as the function sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Every claim as text: lists as `[a b]`, as API Gateway writes them.
    pub claims: BTreeMap<String, String>,
    /// The scopes, when the route asks for any.
    pub scopes: Option<Vec<String>>,
}

/// Why a token does not pass.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is none.
    #[error("no token")]
    Missing,
    /// Not a token, not RS256, an unknown key, or a wrong signature.
    #[error("not a token that this issuer signed: {0}")]
    Signature(String),
    /// A claim is missing or wrong.
    #[error("claim {0} is missing or wrong")]
    Claim(&'static str),
    /// None of the scopes that the route asks for.
    #[error("none of the route's scopes")]
    Scope,
}

/// What `POST /_local/token` takes: every other member is a claim.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenRequest {
    /// The subject: who the token is for.
    pub sub: String,
    /// Seconds until it expires; 0 or less makes one that has expired. Default 3600.
    #[serde(default)]
    pub expires_in: Option<i64>,
    /// Signed with a key that nobody knows, under the known key's id.
    #[serde(default)]
    pub foreign_key: bool,
    /// Further claims, or others than the issuer's own (`aud`, `iss`); `null` leaves a claim out.
    #[serde(flatten)]
    pub claims: Map<String, Value>,
}

impl std::fmt::Debug for Issuer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Issuer").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

impl Issuer {
    /// An issuer with a new key for the first authorizer of the template; `fallback` is its name
    /// when there is none.
    ///
    /// # Errors
    /// The key cannot be made.
    pub fn new(template: &Template, fallback: &str) -> Result<Self, Error> {
        let mut routes = template.http_apis.iter().flat_map(|api| &api.routes);
        let authorizer = routes.find_map(|route| route.authorizer.as_ref());
        let (issuer, audience) = match authorizer {
            Some(authorizer) => (authorizer.issuer.clone(), authorizer.audience.clone()),
            None => (fallback.to_owned(), vec!["local".to_owned()]),
        };
        let key = new_key()?;
        let kid = uuid::Uuid::new_v4().to_string();
        let mut jwk = Jwk::from_encoding_key(&key, Algorithm::RS256).map_err(issuer_error)?;
        jwk.common.key_id = Some(kid.clone());
        jwk.common.key_algorithm = Some(KeyAlgorithm::RS256);
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        let public = DecodingKey::from_jwk(&jwk).map_err(issuer_error)?;
        Ok(Self { key, public, jwk, kid, issuer, audience })
    }

    /// Makes a token; `now_s` is the real time in epoch seconds.
    ///
    /// # Errors
    /// It cannot be signed.
    pub fn mint(&self, request: &TokenRequest, now_s: i64) -> Result<String, Error> {
        let expires_in = request.expires_in.unwrap_or(DEFAULT_EXPIRY_S);
        let mut claims = Map::new();
        let mut set = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        set("iss", self.issuer.as_str().into());
        set("sub", request.sub.as_str().into());
        set("aud", self.audience.first().map(String::as_str).unwrap_or_default().into());
        set("iat", now_s.into());
        set("exp", now_s.saturating_add(expires_in).into());
        claims.extend(request.claims.clone());
        claims.retain(|_, value| !value.is_null());
        let mut header = Header::new(Algorithm::RS256);
        header.kid = Some(self.kid.clone());
        let token = match request.foreign_key {
            true => jsonwebtoken::encode(&header, &claims, &new_key()?),
            false => jsonwebtoken::encode(&header, &claims, &self.key),
        };
        token.map_err(issuer_error)
    }

    /// Checks the Authorization header of a request; `now_s` is the real time in epoch seconds.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn check(
        &self,
        authorizer: &JwtAuthorizer,
        header: &str,
        now_s: i64,
    ) -> Result<Token, Refusal> {
        let token = bearer(header).ok_or(Refusal::Missing)?;
        let claims = self.verified(token)?;
        check_claims(authorizer, &claims, now_s)?;
        let held = scopes(&claims);
        let wanted = &authorizer.scopes;
        if !wanted.is_empty() && !wanted.iter().any(|scope| held.contains(scope)) {
            return Err(Refusal::Scope);
        }
        Ok(Token {
            claims: claims.iter().map(|(name, value)| (name.clone(), claim_text(value))).collect(),
            scopes: (!wanted.is_empty()).then_some(held),
        })
    }

    /// The claims of a token that this issuer signed.
    fn verified(&self, token: &str) -> Result<Map<String, Value>, Refusal> {
        let refused = |error: jsonwebtoken::errors::Error| Refusal::Signature(error.to_string());
        let header = jsonwebtoken::decode_header(token).map_err(refused)?;
        if header.kid.as_deref() != Some(&self.kid) {
            return Err(Refusal::Signature("unknown kid".to_owned()));
        }
        // Only the signature and the algorithm are checked there: the claims have rules of their
        // own here (client_id for aud, no grace for exp).
        let mut validation = Validation::new(Algorithm::RS256);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        let decoded = jsonwebtoken::decode(token, &self.public, &validation);
        decoded.map(|data| data.claims).map_err(refused)
    }

    /// The document that a verifier fetches the key from.
    pub fn jwks(&self) -> Value {
        json!(JwkSet { keys: vec![self.jwk.clone()] })
    }

    /// The issuer's discovery document.
    pub fn openid_configuration(&self, base_url: &str) -> Value {
        json!({
            "issuer": self.issuer,
            "jwks_uri": format!("{base_url}/_local/jwks.json"),
            "id_token_signing_alg_values_supported": ["RS256"],
            "response_types_supported": ["token"],
            "subject_types_supported": ["public"],
        })
    }
}

/// The token of `Bearer TOKEN`, or of `TOKEN` alone, which API Gateway takes too.
fn bearer(header: &str) -> Option<&str> {
    let header = header.trim();
    let token = match header.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        Some(_) => return None,
        None => header,
    };
    (!token.is_empty()).then_some(token)
}

fn check_claims(
    authorizer: &JwtAuthorizer,
    claims: &Map<String, Value>,
    now_s: i64,
) -> Result<(), Refusal> {
    let seconds = |name: &str| claims.get(name).map(|value| value.as_f64());
    if claims.get("iss").and_then(Value::as_str) != Some(&authorizer.issuer) {
        return Err(Refusal::Claim("iss"));
    }
    let audience = match claims.get("aud") {
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
        Some(one) => one.as_str().into_iter().collect::<Vec<_>>(),
        None => claims.get("client_id").and_then(Value::as_str).into_iter().collect(),
    };
    if !audience.iter().any(|name| authorizer.audience.iter().any(|own| own == name)) {
        return Err(Refusal::Claim("aud"));
    }
    match seconds("exp") {
        Some(Some(expiry)) if expiry > now_s as f64 => {}
        _ => return Err(Refusal::Claim("exp")),
    }
    for name in ["nbf", "iat"] {
        match seconds(name) {
            None => {}
            Some(Some(from)) if from <= (now_s + LEEWAY_S) as f64 => {}
            Some(_) => return Err(Refusal::Claim(name)),
        }
    }
    Ok(())
}

/// The scopes of `scope` or `scp`, as text or as a list.
fn scopes(claims: &Map<String, Value>) -> Vec<String> {
    match claims.get("scope").or_else(|| claims.get("scp")) {
        Some(Value::String(text)) => text.split_whitespace().map(str::to_owned).collect(),
        Some(Value::Array(items)) => {
            items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

fn claim_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(claim_text).collect::<Vec<_>>().join(" "))
        }
        other => other.to_string(),
    }
}

fn new_key() -> Result<EncodingKey, Error> {
    use aws_lc_rs::rsa::{KeyPair, KeySize};
    let failed = |_| Error::Issuer("no RSA key could be made".to_owned());
    let pair = KeyPair::generate(KeySize::Rsa2048).map_err(failed)?;
    let wrapped = pair.as_der().map_err(failed)?;
    // The signer wants the bare RSA key (PKCS#1); the wrapping before it never changes its size.
    let bare = wrapped.as_ref().get(PKCS8_PREFIX..).unwrap_or_default();
    KeyPair::from_der(bare).map_err(|error| Error::Issuer(error.to_string()))?;
    Ok(EncodingKey::from_rsa_der(bare))
}

fn issuer_error(error: jsonwebtoken::errors::Error) -> Error {
    Error::Issuer(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;

    const NOW_S: i64 = 1_800_000_000;

    fn authorizer(scopes: &[&str]) -> JwtAuthorizer {
        JwtAuthorizer {
            name: "Jwt".to_owned(),
            issuer: "https://issuer.test".to_owned(),
            audience: vec!["sessions".to_owned()],
            scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
        }
    }

    fn issuer() -> Issuer {
        let mut issuer = Issuer::new(&Template::default(), "https://issuer.test").unwrap();
        issuer.audience = vec!["sessions".to_owned()];
        issuer
    }

    fn check(request: Value, scopes: &[&str]) -> Result<Token, Refusal> {
        let issuer = issuer();
        let request = serde_json::from_value(request).unwrap();
        let token = issuer.mint(&request, NOW_S).unwrap();
        issuer.check(&authorizer(scopes), &format!("Bearer {token}"), NOW_S)
    }

    #[test]
    fn a_good_token_passes_with_its_claims_as_text() {
        let request = json!({"sub": "ann", "groups": ["a", "b"], "n": 1});
        let token = check(request, &[]).unwrap();
        assert_eq!(token.claims["sub"], "ann");
        assert_eq!(token.claims["groups"], "[a b]");
        assert_eq!(token.claims["n"], "1");
        assert_eq!(token.claims["exp"], (NOW_S + 3600).to_string());
        assert_eq!(token.scopes, None);
    }

    #[test]
    fn every_wrong_token_is_refused() {
        let refused = |request| check(request, &[]).unwrap_err();
        assert_eq!(refused(json!({"sub": "a", "expiresIn": 0})), Refusal::Claim("exp"));
        assert_eq!(refused(json!({"sub": "a", "exp": null})), Refusal::Claim("exp"));
        assert_eq!(refused(json!({"sub": "a", "iss": "https://x"})), Refusal::Claim("iss"));
        assert_eq!(refused(json!({"sub": "a", "aud": "other"})), Refusal::Claim("aud"));
        assert_eq!(refused(json!({"sub": "a", "aud": null})), Refusal::Claim("aud"));
        let late = json!({"sub": "a", "nbf": NOW_S + 60});
        assert_eq!(refused(late), Refusal::Claim("nbf"));
        let foreign = refused(json!({"sub": "a", "foreignKey": true}));
        assert!(matches!(foreign, Refusal::Signature(_)));
    }

    #[test]
    fn a_token_without_aud_may_name_its_client() {
        let request = json!({"sub": "a", "aud": null, "client_id": "sessions"});
        assert!(check(request, &[]).is_ok());
    }

    #[test]
    fn scopes_are_asked_for_by_the_route() {
        let request = json!({"sub": "a", "scope": "read write"});
        let token = check(request.clone(), &["write"]).unwrap();
        assert_eq!(token.scopes, Some(vec!["read".to_owned(), "write".to_owned()]));
        assert_eq!(check(request, &["admin"]), Err(Refusal::Scope));
    }

    #[test]
    fn an_unsigned_or_garbled_token_is_refused() {
        let issuer = issuer();
        let part = |value: Value| {
            base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value.to_string())
        };
        let claims = json!({
            "iss": "https://issuer.test", "aud": "sessions", "exp": NOW_S + 60, "sub": "a"
        });
        let unsigned =
            format!("{}.{}.", part(json!({"alg": "none", "kid": issuer.kid})), part(claims));
        for header in [&*format!("Bearer {unsigned}"), "Bearer x.y.z", "Basic abc", "", "Bearer "] {
            assert!(issuer.check(&authorizer(&[]), header, NOW_S).is_err(), "{header}");
        }
    }
}
