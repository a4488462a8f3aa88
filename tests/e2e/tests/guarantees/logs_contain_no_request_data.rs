//! Guarantee: for any request, each log entry is one line of JSON without a token, header or body,
//! also at level TRACE.

use e2e::{Cloud, Options};
use reqwest::Method;
use serde_json::{Value, json};

/// Characters that break lines, close strings, or control a terminal.
const HOSTILE: &str =
    "x\n{\"level\":\"FORGED\"}\r\n\"'\\\u{1b}[2J\u{85}\u{2028}\u{2029}\u{9b}31m\u{202e}y";
/// Markers in bodies, headers, paths and queries, which must not be logged.
const BODY: &str = "mark-of-a-body";
const HEADER: &str = "mark-of-a-header";
const PATH: &str = "mark-of-a-path";

/// Returns `text` with every byte percent-encoded.
fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

/// Sends requests with the markers in every part that a client controls.
async fn attack(cloud: &Cloud, token: &str, session: &str) {
    let path = format!("/sessions/{}", encoded(&format!("{PATH}{HOSTILE}")));
    let bodies = [
        json!({"sourceLanguage": format!("{BODY}{HOSTILE}")}).to_string(),
        json!({"sourceLanguage": "en", "qualityTier": format!("{BODY}{HOSTILE}")}).to_string(),
        json!({"sourceLanguage": "en", "targetLanguages": [format!("{BODY}{HOSTILE}")]})
            .to_string(),
        json!({"status": format!("{BODY}{HOSTILE}")}).to_string(),
        format!("{{\"{BODY}{HOSTILE}"),
        format!("{BODY}{}", "x".repeat(20_000)),
    ];
    let mut requests = vec![
        cloud.request(Method::GET, &path),
        cloud.request(Method::GET, &format!("/health?q={PATH}")),
        cloud.request(Method::GET, &format!("/{}", encoded(&format!("{PATH}{HOSTILE}")))),
        cloud.request(Method::POST, "/sessions").bearer_auth(format!("{HEADER}.{HEADER}.{HEADER}")),
    ];
    for body in bodies {
        for (method, to) in [
            (Method::POST, "/sessions"),
            (Method::PATCH, session),
            (Method::PATCH, &path),
            (Method::DELETE, &path),
        ] {
            let request = cloud.request(method, to).bearer_auth(token).body(body.clone());
            requests.push(request.header("content-type", "application/json"));
        }
    }
    for request in requests {
        let request = request
            .header("user-agent", HEADER)
            .header("x-anything", HEADER)
            .header("referer", format!("https://{HEADER}.example/"))
            .header("cookie", format!("a={HEADER}"));
        let status = request.send().await.unwrap().status().as_u16();
        assert!(status < 500, "{status}");
    }
}

/// Returns whether a log reader or a terminal may interpret this character.
fn breaks(one: char) -> bool {
    one.is_control() || matches!(one, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[tokio::test]
async fn each_entry_is_one_line_of_json_without_request_data() {
    let parameters = vec!["LogLevel=TRACE".to_owned()];
    let options = Options { parameters, ..Options::default() };
    let cloud = Cloud::start_logging(options, "info").await.unwrap();
    let token = cloud.token(json!({ "sub": HOSTILE })).await.unwrap();
    let bad = cloud.token(json!({"sub": HOSTILE, "header": {"alg": HOSTILE, "kid": HEADER}})).await;
    let bad = bad.unwrap();

    let create = Some(json!({"sourceLanguage": "en", "note": BODY}));
    let post = cloud.api(Method::POST, "/sessions", Some(&token), create.clone()).await.unwrap();
    assert_eq!((post.0, &post.1["speakerId"]), (201, &json!(HOSTILE)));
    let session = format!("/sessions/{}", post.1["sessionId"].as_str().unwrap());
    let refused = cloud.api(Method::POST, "/sessions", Some(&bad), create).await.unwrap();
    assert_eq!(refused.0, 401);
    attack(&cloud, &token, &session).await;
    let answer = cloud.api(Method::DELETE, &session, Some(&token), None).await.unwrap();
    assert_eq!(answer.0, 204);
    cloud.idle("session-http-handler").await.unwrap();

    let handler = cloud.log("session-http-handler");
    assert!(handler.contains("EventBridge event emitted for session deletion"), "{handler}");
    assert!(handler.contains("FORGED"), "the speaker is in event_detail as specified");
    assert!(cloud.own_log().contains("authorizer SpeakerToken: the token cannot be read"));
    for function in ["session-http-handler", "kvs-stream-consumer"] {
        for line in cloud.log(function).split('\n').filter(|line| !line.is_empty()) {
            let read: Value = serde_json::from_str(line).expect(line);
            assert!(read.is_object() && read["level"] != "FORGED", "{line}");
            assert!(!line.contains(breaks), "{line:?}");
        }
    }
    let mut secrets = vec![BODY, HEADER, PATH, "uthorization:", "earer ", "uthorization\""];
    secrets.extend([&token, &bad].into_iter().flat_map(|token| token.split('.').skip(1)));
    let logs = [handler, cloud.log("kvs-stream-consumer"), cloud.own_log()];
    for secret in secrets {
        for log in &logs {
            let line = log.lines().find(|line| line.contains(secret));
            assert_eq!(line, None, "{secret} was logged");
        }
    }
    let own = cloud.own_log();
    assert!(!own.contains(|one| one != '\n' && breaks(one)), "{own:?}");
}
