//! The local token issuer, in place of the issuer that the template's authorizers trust. Its first
//! key is generated at the start.

use base64::Engine;
use jsonwebtoken::Algorithm;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::jwt::{Refusal, Token};
use super::keys::{Key, Keys, NotRemoved};
use crate::error::Error;
use sam_template::{JwtAuthorizer, Template};

/// The default lifetime of a token, in seconds.
const DEFAULT_EXPIRY_S: i64 = 3_600;

/// The issuer with its keys.
pub struct Issuer {
    keys: Keys,
    issuer: String,
    audience: Vec<String>,
}

/// The body of `POST /_local/token`. Every other member is a claim.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenRequest {
    /// The subject of the token.
    pub sub: String,
    /// Seconds until the token expires; 0 or less makes an expired token. Default: 3600.
    #[serde(default)]
    pub expires_in: Option<i64>,
    /// Whether the token is signed with an unpublished key, under the id of the published key.
    #[serde(default)]
    pub foreign_key: bool,
    /// Members of the header, over `alg`, `typ` and `kid`; `null` leaves one out. The signature is
    /// always RS256, also if the header names another algorithm: for tokens that must be rejected.
    #[serde(default)]
    pub header: Map<String, Value>,
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
    /// Creates an issuer with a new key for the first authorizer of the template; `fallback` is its
    /// name when there is none.
    ///
    /// # Errors
    /// The key cannot be generated.
    pub fn new(template: &Template, fallback: &str) -> Result<Self, Error> {
        let mut routes = template.http_apis.iter().flat_map(|api| &api.routes);
        let authorizer = routes.find_map(|route| route.authorizer.as_ref());
        let (issuer, audience) = match authorizer {
            Some(authorizer) => (authorizer.issuer.clone(), authorizer.audience.clone()),
            None => (fallback.to_owned(), vec!["local".to_owned()]),
        };
        Ok(Self { keys: Keys::new()?, issuer, audience })
    }

    /// Makes a token; `now_s` is the real time in epoch seconds.
    ///
    /// # Errors
    /// It cannot be signed.
    pub fn mint(&self, request: &TokenRequest, now_s: i64) -> Result<String, Error> {
        let key = self.keys.signing().ok_or_else(|| Error::Issuer("no key".to_owned()))?;
        let expires_in = request.expires_in.unwrap_or(DEFAULT_EXPIRY_S);
        let header = json!({"alg": "RS256", "typ": "JWT", "kid": key.kid});
        let claims = json!({
            "iss": self.issuer,
            "sub": request.sub,
            "aud": self.audience.first().map(String::as_str).unwrap_or_default(),
            "iat": now_s,
            "exp": now_s.saturating_add(expires_in),
        });
        let signed = format!("{}.{}", part(header, &request.header), part(claims, &request.claims));
        let private = match request.foreign_key {
            true => &Key::new()?.private,
            false => &key.private,
        };
        let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), private, Algorithm::RS256)
            .map_err(|error| Error::Issuer(error.to_string()))?;
        Ok(format!("{signed}.{signature}"))
    }

    /// Checks the one Authorization header of a request; `now_s` is the real time in epoch seconds.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn check(
        &self,
        authorizer: &JwtAuthorizer,
        header: &str,
        now_s: i64,
    ) -> Result<Token, Refusal> {
        super::jwt::check(&self.keys, authorizer, header, now_s)
    }

    /// Publishes a new key, which signs from now on, and returns its id.
    ///
    /// # Errors
    /// The key cannot be generated.
    pub fn rotate(&self) -> Result<String, Error> {
        self.keys.rotate()
    }

    /// Removes a published key.
    ///
    /// # Errors
    /// No key has this id, or it is the signing key.
    pub fn remove_key(&self, kid: &str) -> Result<(), NotRemoved> {
        self.keys.remove(kid)
    }

    /// Returns the JSON Web Key Set.
    pub fn jwks(&self) -> Value {
        json!(self.keys.jwks())
    }

    /// Returns the issuer's discovery document.
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

/// Returns one part of a token: the members of `own`, overridden by those of `wanted`.
fn part(own: Value, wanted: &Map<String, Value>) -> String {
    let Value::Object(mut members) = own else { return String::new() };
    members.extend(wanted.clone());
    members.retain(|_, value| !value.is_null());
    let text = Value::Object(members).to_string();
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_what_was_asked_for() {
        let issuer = Issuer::new(&Template::default(), "https://issuer.test").unwrap();
        let request = json!({
            "sub": "ann", "aud": null, "client_id": "local", "header": {"typ": null, "x": 1},
        });
        let request = serde_json::from_value(request).unwrap();
        let token = issuer.mint(&request, 1_000).unwrap();
        let parts: Vec<Value> = token
            .split('.')
            .take(2)
            .map(|part| {
                let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
                serde_json::from_slice(&engine.decode(part).unwrap()).unwrap()
            })
            .collect();
        let kid = issuer.jwks()["keys"][0]["kid"].clone();
        assert_eq!(parts[0], json!({"alg": "RS256", "kid": kid, "x": 1}));
        let claims = json!({
            "iss": "https://issuer.test", "sub": "ann", "client_id": "local",
            "iat": 1_000, "exp": 4_600,
        });
        assert_eq!(parts[1], claims);
    }
}
