//! Guarantee: with `PublicSessionView=false` only its speaker can read a session.

use e2e::{Cloud, Options};
use reqwest::Method;
use serde_json::{Value, json};

const APP: &str = "https://app.example.com";

async fn get(cloud: &Cloud, path: &str, speaker: Option<&str>) -> (u16, Value) {
    let token = match speaker {
        Some(speaker) => Some(cloud.token(json!({ "sub": speaker })).await.unwrap()),
        None => None,
    };
    cloud.api(Method::GET, path, token.as_deref(), None).await.unwrap()
}

#[tokio::test]
async fn a_private_session_is_readable_only_by_its_speaker() {
    let parameters = vec!["PublicSessionView=false".to_owned()];
    let cloud = Cloud::start(Options { parameters, ..Options::default() }).await.unwrap();
    let session = cloud.open("ana").await.unwrap();

    let (status, view) = get(&cloud, &session.path(), Some("ana")).await;
    assert_eq!((status, &view["speakerId"]), (200, &json!("ana")), "the owner gets all fields");

    let (status, refusal) = get(&cloud, &session.path(), Some("ben")).await;
    assert_eq!(status, 403);
    assert!(refusal["error"].is_string() && refusal.get("speakerId").is_none(), "{refusal}");

    let before = cloud.invocations("session-http-handler").await.unwrap();
    let unauthorized = (401, json!({"message": "Unauthorized"}));
    assert_eq!(get(&cloud, &session.path(), None).await, unauthorized);
    assert_eq!(get(&cloud, "/sessions/no-such-1", None).await, unauthorized, "no oracle of ids");
    let after = cloud.invocations("session-http-handler").await.unwrap();
    assert_eq!(after, before, "the gateway answered without the function");

    assert_eq!(get(&cloud, "/sessions/no-such-1", Some("ben")).await.0, 404);
    assert_eq!(get(&cloud, "/health", None).await.0, 200);
}

#[tokio::test]
async fn cors_headers_contain_the_origins_of_the_parameter() {
    let parameters = vec![format!("CorsAllowOrigins={APP},http://localhost:5173")];
    let cloud = Cloud::start(Options { parameters, ..Options::default() }).await.unwrap();
    for (origin, allowed) in [
        (APP, Some(APP)),
        ("http://localhost:5173", Some("http://localhost:5173")),
        ("https://elsewhere.example", None),
    ] {
        let preflight = cloud.request(Method::OPTIONS, "/sessions").header("origin", origin);
        let preflight = preflight.header("access-control-request-method", "POST");
        let health = cloud.request(Method::GET, "/health").header("origin", origin);
        for (request, status) in [(preflight, 204), (health, 200)] {
            let answer = request.send().await.unwrap();
            let header = answer.headers().get("access-control-allow-origin");
            let header = header.map(|value| value.to_str().unwrap());
            assert_eq!((answer.status().as_u16(), header), (status, allowed), "{origin}");
        }
    }
}
