//! Tokens of the local issuer, each with one error.

use super::*;
use crate::http_api::issuer::Issuer;
use base64::Engine;
use sam_template::Template;
use serde_json::json;

const NOW_S: i64 = 1_800_000_000;

fn authorizer(scopes: &[&str]) -> JwtAuthorizer {
    JwtAuthorizer {
        name: "Jwt".to_owned(),
        issuer: "https://issuer.test".to_owned(),
        audience: vec!["local".to_owned()],
        scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
    }
}

fn issuer() -> Issuer {
    Issuer::new(&Template::default(), "https://issuer.test").unwrap()
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
    assert_eq!(refused(json!({"sub": "a", "iss": "https://x"})), Refusal::Claim("issuer"));
    assert_eq!(refused(json!({"sub": "a", "aud": "other"})), Refusal::Claim("audience"));
    assert_eq!(refused(json!({"sub": "a", "aud": null})), Refusal::Claim("audience"));
    for claim in ["nbf", "iat"] {
        let mut late = json!({"sub": "a"});
        late[claim] = (NOW_S + 60).into();
        assert_eq!(refused(late.clone()), Refusal::Claim(claim));
        late[claim] = "soon".into();
        assert_eq!(refused(late), Refusal::Claim(claim));
    }
    let foreign = refused(json!({"sub": "a", "foreignKey": true}));
    assert_eq!(foreign, Refusal::Signature("has a wrong signature"));
}

#[test]
fn the_header_counts_as_much_as_the_claims() {
    let refused = |header: Value| check(json!({"sub": "a", "header": header}), &[]).unwrap_err();
    let unknown = Refusal::Signature("names no published key");
    assert_eq!(refused(json!({"kid": "another"})), unknown);
    assert_eq!(refused(json!({"kid": null})), unknown);
    for algorithm in ["HS256", "RS384", "RS512", "PS256", "ES256"] {
        let other = Refusal::Signature("is not signed with RS256");
        assert_eq!(refused(json!({"alg": algorithm})), other, "{algorithm}");
    }
    for algorithm in [json!("none"), json!("rs256"), json!("x\n\u{1b}[31m"), json!(1), json!(null)]
    {
        let garbled = Refusal::Signature("cannot be read");
        assert_eq!(refused(json!({"alg": algorithm})), garbled, "{algorithm}");
    }
}

#[test]
fn a_key_that_was_added_later_is_found_and_a_removed_one_refused() {
    let issuer = issuer();
    let token = || issuer.mint(&serde_json::from_value(json!({"sub": "a"})).unwrap(), NOW_S);
    let passes = |token: &str| issuer.check(&authorizer(&[]), token, NOW_S).is_ok();
    let old_kid = issuer.jwks()["keys"][0]["kid"].as_str().unwrap().to_owned();
    let old = token().unwrap();
    issuer.rotate().unwrap();
    let new = token().unwrap();
    assert!(passes(&old) && passes(&new), "both count while both are published");
    issuer.remove_key(&old_kid).unwrap();
    assert!(!passes(&old) && passes(&new));
}

#[test]
fn a_token_without_aud_may_name_its_client() {
    let request = json!({"sub": "a", "aud": null, "client_id": "local"});
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
    let part =
        |value: Value| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value.to_string());
    let kid = &issuer.jwks()["keys"][0]["kid"];
    let claims = json!({
        "iss": "https://issuer.test", "aud": "local", "exp": NOW_S + 60, "sub": "a"
    });
    let unsigned = format!("{}.{}.", part(json!({"alg": "none", "kid": kid})), part(claims));
    for header in [&*format!("Bearer {unsigned}"), "Bearer x.y.z", "Basic abc", "", "Bearer "] {
        assert!(issuer.check(&authorizer(&[]), header, NOW_S).is_err(), "{header}");
    }
}
