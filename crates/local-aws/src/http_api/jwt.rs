//! The checks that API Gateway's JWT authorizer makes, in its order.
//!
//! They are those of the Developer Guide ("Control access to HTTP APIs with JWT authorizers"): the
//! token, alone or after `Bearer `; RS256 and a published key with that `kid`; `iss`; `aud`, or
//! else `client_id`; `exp`, `nbf`, `iat`; scopes. The guide allows any RSA algorithm; the keys here
//! declare `RS256`, and a key is valid only for the algorithm that it declares (RFC 7517, 4.4).

use std::collections::BTreeMap;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Validation};
use serde_json::{Map, Value};

use super::keys::Keys;
use sam_template::JwtAuthorizer;

/// The tolerance for `nbf` and `iat`, in seconds. `exp` has no tolerance.
const LEEWAY_S: i64 = 2;

/// An accepted token, as the function receives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Every claim as text: lists as `[a b]`, as API Gateway writes them.
    pub claims: BTreeMap<String, String>,
    /// The scopes, when the route requires any.
    pub scopes: Option<Vec<String>>,
}

/// Why a token was rejected. The texts go to a log and a header, so none contains a part of the
/// token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no token.
    #[error("there is no token")]
    Missing,
    /// Not a token of this issuer.
    #[error("the token {0}")]
    Signature(&'static str),
    /// A claim is missing or wrong.
    #[error("the token does not have a valid {0}")]
    Claim(&'static str),
    /// The token has none of the required scopes.
    #[error("the token has none of the scopes")]
    Scope,
}

/// Checks the Authorization header of a request; `now_s` is the real time in epoch seconds.
pub(super) fn check(
    keys: &Keys,
    authorizer: &JwtAuthorizer,
    header: &str,
    now_s: i64,
) -> Result<Token, Refusal> {
    let token = bearer(header).ok_or(Refusal::Missing)?;
    let claims = verified(keys, token)?;
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

/// Returns the claims of a token that one of these keys signed.
fn verified(keys: &Keys, token: &str) -> Result<Map<String, Value>, Refusal> {
    let garbled = |_| Refusal::Signature("cannot be read");
    let header = jsonwebtoken::decode_header(token).map_err(garbled)?;
    let key = header.kid.as_deref().and_then(|kid| keys.named(kid));
    let key = key.ok_or(Refusal::Signature("names no published key"))?;
    // Only the signature and the algorithm are checked there: the claims have their own rules here
    // (client_id for aud, no tolerance for exp).
    let mut validation = Validation::new(Algorithm::RS256);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    match jsonwebtoken::decode(token, &key.public, &validation) {
        Ok(data) => Ok(data.claims),
        Err(error) => Err(Refusal::Signature(match error.kind() {
            ErrorKind::InvalidAlgorithm => "is not signed with RS256",
            ErrorKind::InvalidSignature => "has a wrong signature",
            _ => "cannot be read",
        })),
    }
}

/// Returns the token of `Bearer TOKEN`, or of `TOKEN` alone, which API Gateway accepts too.
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
        return Err(Refusal::Claim("issuer"));
    }
    let audience = match claims.get("aud") {
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
        Some(one) => one.as_str().into_iter().collect::<Vec<_>>(),
        None => claims.get("client_id").and_then(Value::as_str).into_iter().collect(),
    };
    if !audience.iter().any(|name| authorizer.audience.iter().any(|own| own == name)) {
        return Err(Refusal::Claim("audience"));
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

/// Returns the scopes of `scope` or `scp`, as text or as a list.
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

#[cfg(test)]
mod tests;
