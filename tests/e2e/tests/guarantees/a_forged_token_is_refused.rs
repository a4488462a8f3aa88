//! Guarantee: without a valid token the gateway returns `401 {"message":"Unauthorized"}` on every
//! route that changes a session, and does not invoke the function.

use e2e::jwt_attacks::{Parts, public_key_forms};
use e2e::{Cloud, Options};
use reqwest::Method;
use reqwest::header::{HeaderName, HeaderValue};
use serde_json::{Value, json};

const FUNCTION: &str = "session-http-handler";

/// An attack: its name and its headers.
type Attack = (String, Vec<(&'static str, Vec<u8>)>);

fn bearer(what: impl Into<String>, token: &str) -> Attack {
    (what.into(), vec![("authorization", format!("Bearer {token}").into_bytes())])
}

fn header(what: &str, name: &'static str, value: &str) -> Attack {
    (what.to_owned(), vec![(name, value.as_bytes().to_vec())])
}

/// Returns tokens with a signature of the issuer and invalid contents.
async fn signed(cloud: &Cloud) -> Vec<Attack> {
    let late = 4_000_000_000_u64;
    let requests = [
        ("expired", json!({"expiresIn": 0})),
        ("expired long ago", json!({"expiresIn": -86_400})),
        ("without exp", json!({"exp": null})),
        ("exp as text", json!({"exp": late.to_string()})),
        ("not yet valid", json!({"nbf": late})),
        ("issued in the future", json!({"iat": late})),
        ("nbf as text", json!({"nbf": "now"})),
        ("another issuer", json!({"iss": "https://elsewhere.example"})),
        ("the issuer and more", json!({"iss": format!("{}/_local/", cloud.url())})),
        ("without iss", json!({"iss": null})),
        ("without aud", json!({"aud": null})),
        ("another aud", json!({"aud": "another-app"})),
        ("aud an empty list", json!({"aud": []})),
        ("aud in another case", json!({"aud": "LOCAL"})),
        ("aud a list of lists", json!({"aud": [["local"]]})),
        ("another aud beside a right client_id", json!({"aud": "x", "client_id": "local"})),
        ("another client_id", json!({"aud": null, "client_id": "x"})),
        ("a foreign key under the known id", json!({"foreignKey": true})),
        ("an unknown kid", json!({"header": {"kid": "another"}})),
        ("a kid that is a path", json!({"header": {"kid": "../../../dev/null"}})),
        ("without kid", json!({"header": {"kid": null}})),
        ("a kid that is not a string", json!({"header": {"kid": 1}})),
        ("alg none over a good signature", json!({"header": {"alg": "none"}})),
        ("alg RS512 over a good signature", json!({"header": {"alg": "RS512"}})),
        ("without alg", json!({"header": {"alg": null}})),
        (
            "a foreign key to which the header links",
            json!({"foreignKey": true, "header": {"jku": format!("{}/_local/jwks.json", cloud.url())}}),
        ),
    ];
    let mut attacks = Vec::new();
    for (what, mut request) in requests {
        request["sub"] = "ana".into();
        attacks.push(bearer(what, &cloud.token(request).await.unwrap()));
    }
    attacks
}

/// Returns modified copies of a valid token.
fn forged(good: &Parts, jwks: &Value) -> Vec<Attack> {
    let mut attacks = Vec::new();
    for algorithm in ["none", "None", "NONE", "nOnE", ""] {
        let token = good.unsigned(algorithm).token();
        attacks.push(bearer(format!("alg {algorithm:?} without a signature"), &token));
    }
    for (what, secret) in public_key_forms(jwks) {
        let token = good.with_hmac(&secret).unwrap().token();
        attacks.push(bearer(format!("HS256 with {what}"), &token));
    }
    let middle = good.signature.len() / 2;
    for at in [0, isize::try_from(middle).unwrap(), -1] {
        let token = good.with_signature_changed(at).token();
        attacks.push(bearer(format!("character {at} of the signature changed"), &token));
    }
    let Parts { header, claims, signature } = good;
    let short = &signature[..signature.len() - 2];
    attacks.extend([
        bearer("another sub under the same signature", &good.claiming("eve").token()),
        bearer("a shorter signature", &format!("{header}.{claims}.{short}")),
        bearer("a padded signature", &format!("{header}.{claims}.{signature}==")),
        bearer("the signature twice", &format!("{header}.{claims}.{signature}{signature}")),
        bearer("header and claims alone", &format!("{header}.{claims}")),
        bearer("four parts", &format!("{header}.{claims}.{signature}.{signature}")),
        bearer("five parts", &format!("{header}..{claims}.{signature}.{signature}")),
        bearer("the parts in another order", &format!("{claims}.{header}.{signature}")),
        bearer("no parts at all", ".."),
        bearer("no base64", "!!!.???.***"),
        bearer("base64 of no JSON", "AAAA.AAAA.AAAA"),
        bearer("base64 of an empty object", "e30.e30.AAAA"),
        bearer("a token as large as the gateway takes", &"A".repeat(9_000)),
    ]);
    attacks
}

/// Returns requests with a valid token in the wrong place or form.
fn misplaced(good: &str) -> Vec<Attack> {
    let two = |first: &str, second: &str| {
        [first, second].map(|value| ("authorization", value.as_bytes().to_vec())).to_vec()
    };
    let right = format!("Bearer {good}");
    vec![
        ("no header at all".to_owned(), Vec::new()),
        header("an empty header", "authorization", ""),
        header("the scheme alone", "authorization", "Bearer"),
        header("the scheme and a space", "authorization", "Bearer "),
        header("another scheme", "authorization", &format!("Basic {good}")),
        header("an unknown scheme", "authorization", &format!("JWT {good}")),
        header("the scheme with a colon", "authorization", &format!("Bearer: {good}")),
        header("the scheme twice", "authorization", &format!("Bearer {right}")),
        header("the token twice", "authorization", &format!("{right} {good}")),
        header("the header twice in one", "authorization", &format!("{right}, {right}")),
        header("in quotes", "authorization", &format!("Bearer \"{good}\"")),
        header("another header", "x-authorization", &right),
        header("the proxy's header", "proxy-authorization", &right),
        header("a forwarded header", "x-forwarded-authorization", &right),
        header("a cookie", "cookie", &format!("authorization={good}; token={good}")),
        ("two headers, both right".to_owned(), two(&right, &right)),
        ("two headers, the first right".to_owned(), two(&right, "Bearer x.y.z")),
        ("two headers, the second right".to_owned(), two("Bearer x.y.z", &right)),
        ("two headers, one empty".to_owned(), two(&right, "")),
        (
            "bytes that are not UTF-8".to_owned(),
            vec![("authorization", b"Bearer \xff\xfe".to_vec())],
        ),
    ]
}

async fn send(cloud: &Cloud, method: Method, path: &str, attack: &Attack) -> reqwest::Response {
    let mut request = cloud.request(method, path).json(&json!({"sourceLanguage": "en"}));
    for (name, value) in &attack.1 {
        let name = HeaderName::from_static(name);
        request = request.header(name, HeaderValue::from_bytes(value).unwrap());
    }
    request.send().await.unwrap()
}

#[tokio::test]
async fn every_attack_is_401_and_never_reaches_the_function() {
    let cloud = Cloud::start(Options::default()).await.unwrap();
    let good = cloud.token(json!({"sub": "ana"})).await.unwrap();
    let (_, jwks) = cloud.api(Method::GET, "/_local/jwks.json", None, None).await.unwrap();
    let mut attacks = signed(&cloud).await;
    attacks.extend(forged(&Parts::of(&good).unwrap(), &jwks));
    attacks.extend(misplaced(&good));

    let session = "/sessions/blessed-shepherd-123";
    for attack in &attacks {
        for (method, path) in
            [(Method::POST, "/sessions"), (Method::PATCH, session), (Method::DELETE, session)]
        {
            let what = format!("{method} with {}", attack.0);
            let answer = send(&cloud, method, path, attack).await;
            assert_eq!(answer.status(), 401, "{what}");
            let challenge = answer.headers()["www-authenticate"].to_str().unwrap().to_owned();
            assert!(challenge.starts_with("Bearer"), "{what}: {challenge}");
            let body: Value = answer.json().await.unwrap();
            assert_eq!(body, json!({"message": "Unauthorized"}), "{what}");
        }
    }
    for query in ["access_token", "token", "authorization", "Authorization"] {
        let path = format!("/sessions?{query}={good}");
        let attack = (format!("the query {query}"), Vec::new());
        assert_eq!(send(&cloud, Method::POST, &path, &attack).await.status(), 401, "{query}");
    }
    assert_eq!(cloud.invocations(FUNCTION).await.unwrap(), 0);
    assert_eq!(cloud.log(FUNCTION), "", "the function was not started");

    // The unmodified token is accepted, so each attack failed because of its change.
    let body = Some(json!({"sourceLanguage": "en"}));
    let answer = cloud.api(Method::POST, "/sessions", Some(&good), body).await.unwrap();
    assert_eq!(answer.0, 201, "{}", answer.1);
    assert_eq!(cloud.invocations(FUNCTION).await.unwrap(), 1);
}

#[tokio::test]
async fn a_token_beyond_the_gateways_limit_is_431_and_never_reaches_the_function() {
    let cloud = Cloud::start(Options::default()).await.unwrap();
    let good = cloud.token(json!({"sub": "ana", "padding": "x".repeat(9_000)})).await.unwrap();
    for token in [good, "A".repeat(11_000), "A".repeat(200_000)] {
        let attack = bearer("a huge token", &token);
        let answer = send(&cloud, Method::POST, "/sessions", &attack).await;
        assert_eq!(answer.status(), 431, "{} bytes", token.len());
    }
    assert_eq!(cloud.invocations(FUNCTION).await.unwrap(), 0);
}
