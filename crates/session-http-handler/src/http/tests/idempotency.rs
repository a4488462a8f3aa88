//! The Idempotency-Key of a POST, and its conflicts.

use std::time::Duration;

use super::*;

const BODY: &str = r#"{"sourceLanguage": "en"}"#;

fn post_with(api: &Scripted, key: &str) -> Answer {
    let mut event = event("POST", "/sessions", Some(SPEAKER), Some(BODY));
    event["headers"]["idempotency-key"] = key.into();
    ask(api, &event)
}

#[test]
fn the_key_is_passed_on_unchanged() {
    let api = Scripted::default();
    assert_eq!(post_with(&api, "8e03978e-40d5-43dd-bc93-6894a57f9324").status, 201);
    assert_eq!(post_with(&api, &"k".repeat(255)).status, 201);
    let keys = ["8e03978e-40d5-43dd-bc93-6894a57f9324", &"k".repeat(255)];
    assert_eq!(*api.keys.lock().unwrap(), keys.map(|key| key.parse().unwrap()));
}

#[test]
fn an_invalid_key_is_rejected_before_the_use_case() {
    let api = Scripted::default();
    for key in ["", &"k".repeat(256), "\u{e4}"] {
        check_error(&post_with(&api, key), 400, "Idempotency-Key");
    }
    assert_eq!(*api.asked.lock().unwrap(), []);
}

#[test]
fn conflicts_have_their_status_and_retry_after() {
    let wait = |answer: &Answer| {
        answer.headers.get(header::RETRY_AFTER).map(|value| value.to_str().unwrap().to_owned())
    };
    let in_progress = |millis| Error::InProgress { retry_after: Duration::from_millis(millis) };
    for (millis, seconds) in [(33_999, "34"), (12_000, "12"), (1, "1")] {
        let answer = post_with(&failing(in_progress(millis)), "k");
        check_error(&answer, 409, "in progress");
        assert_eq!(wait(&answer).as_deref(), Some(seconds));
    }
    let answer = post_with(&failing(Error::KeyReused), "k");
    check_error(&answer, 422, "different request body");
    assert_eq!(wait(&answer), None);
    let answer = post_with(&failing(Error::TooManySessions { max_sessions: 10 }), "k");
    check_error(&answer, 429, "10 sessions");
    assert!(wait(&answer).is_some());
}
