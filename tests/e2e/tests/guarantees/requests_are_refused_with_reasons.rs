//! Guarantee: an unauthorized request gets the right status, and the response to an invalid request
//! names the wrong field. API Gateway's own responses are `{"message"}`, the function's are
//! `{"error", "timestamp"}`.

use e2e::{Cloud, Options};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn cloud() -> Cloud {
    Cloud::start(Options::default()).await.unwrap()
}

/// Returns a token with `alg` none and an empty signature.
fn unsigned(token: &str) -> String {
    // {"alg":"none","typ":"JWT"}
    let payload = token.split('.').nth(1).unwrap();
    format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{payload}.")
}

#[tokio::test]
async fn without_a_valid_token_the_gateway_answers_401() {
    let cloud = cloud().await;
    let good = cloud.token(json!({"sub": "ana"})).await.unwrap();
    let expired = cloud.token(json!({"sub": "ana", "expiresIn": -3600})).await.unwrap();
    let wrong_audience = cloud.token(json!({"sub": "ana", "aud": "another-app"})).await.unwrap();
    let wrong_issuer =
        cloud.token(json!({"sub": "ana", "iss": "https://elsewhere.example"})).await.unwrap();
    let mut foreign = good.clone();
    foreign.truncate(foreign.rfind('.').unwrap() + 1);
    foreign.push_str(&"A".repeat(342));

    let tokens = [
        ("no token", None),
        ("expired", Some(expired)),
        ("wrong audience", Some(wrong_audience)),
        ("wrong issuer", Some(wrong_issuer)),
        ("signed with a foreign key", Some(foreign)),
        ("unsigned", Some(unsigned(&good))),
        ("not a token", Some("abc".to_owned())),
    ];
    for (what, token) in tokens {
        let body = Some(json!({"sourceLanguage": "en"}));
        let answer = cloud.api(Method::POST, "/sessions", token.as_deref(), body).await.unwrap();
        assert_eq!(answer, (401, json!({"message": "Unauthorized"})), "{what}");
        let path = "/sessions/blessed-shepherd-123";
        let answer = cloud.api(Method::DELETE, path, token.as_deref(), None).await.unwrap();
        assert_eq!(answer.0, 401, "DELETE with {what}");
    }
}

#[tokio::test]
async fn a_session_belongs_to_its_speaker() {
    let cloud = cloud().await;
    let session = cloud.open("ana").await.unwrap();
    let other = cloud.token(json!({"sub": "ben"})).await.unwrap();

    let answer = cloud.api(Method::DELETE, &session.path(), Some(&other), None).await.unwrap();
    assert_eq!(answer.0, 403);
    assert!(answer.1["error"].is_string() && answer.1["timestamp"].is_i64(), "{}", answer.1);

    let change = || Some(json!({"status": "paused"}));
    let answer = cloud.api(Method::PATCH, &session.path(), Some(&other), change()).await.unwrap();
    assert_eq!(answer.0, 403);
    assert!(answer.1["error"].is_string() && answer.1["timestamp"].is_i64(), "{}", answer.1);

    let unknown = "/sessions/blessed-shepherd-987654";
    assert_eq!(cloud.api(Method::PATCH, unknown, Some(&other), change()).await.unwrap().0, 404);
    let answer = cloud.api(Method::DELETE, unknown, Some(&other), None).await.unwrap();
    assert_eq!(answer.0, 404);
    assert_eq!(cloud.api(Method::GET, unknown, None, None).await.unwrap().0, 404);

    let (status, view) = cloud.api(Method::GET, &session.path(), None, None).await.unwrap();
    assert_eq!((status, &view["status"]), (200, &json!("active")));
    assert_eq!(view.get("speakerId"), None, "the public view omits the speaker");

    session.end().await.unwrap();
    session.end().await.unwrap(); // a repeated DELETE is not an error
}

#[tokio::test]
async fn a_bad_body_names_its_field() {
    let cloud = cloud().await;
    let token = cloud.token(json!({"sub": "ana"})).await.unwrap();
    let too_long = "x".repeat(17 * 1024);
    let bodies = [
        (json!({}), 400, "sourceLanguage"),
        (json!({"sourceLanguage": "tlh"}), 400, "sourceLanguage"),
        (json!({"sourceLanguage": 7}), 400, "sourceLanguage"),
        (json!({"sourceLanguage": "en", "qualityTier": "gold"}), 400, "qualityTier"),
        (json!({"sourceLanguage": "en", "targetLanguages": ["xx"]}), 400, "targetLanguages"),
        (json!({"sourceLanguage": "en", "padding": too_long}), 413, "16"),
        (json!("not an object"), 400, "JSON"),
    ];
    for (body, status, word) in bodies {
        let answer = cloud.api(Method::POST, "/sessions", Some(&token), Some(body.clone())).await;
        let (got, answer) = answer.unwrap();
        assert_eq!(got, status, "{answer}");
        let text = answer["error"].as_str().unwrap();
        assert!(text.contains(word), "{text:?} does not name {word}");
    }
}

#[tokio::test]
async fn health_is_public_and_unknown_routes_get_404_from_the_gateway() {
    let cloud = cloud().await;
    assert_eq!(cloud.api(Method::GET, "/health", None, None).await.unwrap().0, 200);
    let (status, body) = cloud.api(Method::GET, "/nowhere", None, None).await.unwrap();
    assert_eq!((status, body), (404, json!({"message": "Not Found"})));
    let state: Value = cloud.state().await.unwrap();
    assert!(state.is_object());
}

#[tokio::test]
async fn a_host_header_does_not_affect_routing() {
    let cloud = cloud().await;
    let address = cloud.url().trim_start_matches("http://");
    for host in ["127.0.0.1:99999", "a b", "[", "x/sessions/abc-def-123?"] {
        let mut connection = TcpStream::connect(address).await.unwrap();
        let request = format!("GET /health HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{host}: {answer}");
        assert!(answer.contains("version"), "{host}: {answer}");
    }
}

#[tokio::test]
async fn an_event_that_is_not_a_request_fails_without_delay() {
    let cloud = cloud().await;
    assert_eq!(cloud.api(Method::GET, "/health", None, None).await.unwrap().0, 200);
    let handler = "session-http-handler";
    let processes = cloud.processes(handler).await.unwrap();
    let answer = cloud.invoke(handler, &json!({ "what": "not a request" })).await.unwrap();
    assert!(answer["errorMessage"].is_string(), "{answer}");
    // The invocation ends at once, and not with the function's timeout, which ends the process.
    cloud.idle(handler).await.unwrap();
    assert_eq!(cloud.processes(handler).await.unwrap(), processes);
}
