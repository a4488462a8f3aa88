//! Guarantee: a ClientContext that the runtime cannot parse costs one invocation and one process,
//! and no audio.
//!
//! `lambda_runtime` parses the context before any code of this project runs, and exits on an error
//! (<https://github.com/aws/aws-lambda-rust-runtime/issues/559>). Lambda fails that invocation and
//! starts a new process.

use std::time::Duration;

use base64::Engine;
use e2e::{Cloud, Options, Packets, SessionRun};
use serde_json::{Value, json};

const FUNCTIONS: [&str; 3] = ["session-http-handler", "kvs-stream-consumer", "audio-processor"];

fn encoded(context: &Value) -> String {
    base64::engine::general_purpose::STANDARD.encode(context.to_string())
}

#[tokio::test]
async fn an_unreadable_context_fails_only_its_own_invocation() {
    let cloud = Cloud::start(Options::default()).await.unwrap();
    let unreadable = encoded(&json!({ "custom": { "attempt": 1 } }));
    let readable = encoded(&json!({ "custom": { "attempt": "1" } }));
    for function in FUNCTIONS {
        let refused = cloud.invoke(function, &json!({})).await.unwrap();
        for _ in 0..2 {
            let answer = cloud.invoke_with(function, &json!({}), &unreadable).await.unwrap();
            assert_eq!(answer["errorType"], "Runtime.ExitError", "{function}: {answer}");
            let next = cloud.invoke(function, &json!({})).await.unwrap();
            assert_eq!(
                next["errorType"], refused["errorType"],
                "{function} serves the next request: {next}"
            );
        }
        let answer = cloud.invoke_with(function, &json!({}), &readable).await.unwrap();
        assert_eq!(answer["errorType"], refused["errorType"], "{function}: {answer}");
    }
}

#[tokio::test]
async fn a_running_session_is_delivered_completely() {
    let cloud = Cloud::start(Options::default()).await.unwrap();
    let unreadable = encoded(&json!({ "custom": { "attempt": 1 } }));
    let session = cloud.open("ana").await.unwrap();
    let recording = testkit::recording();
    let mut speaker = session.speak(&recording, cloud.time_scale()).unwrap();
    session
        .streams_item("the consumer", Duration::from_secs(60), |item| item["epoch"].is_object())
        .await
        .unwrap();
    for function in FUNCTIONS {
        let answer = cloud.invoke_with(function, &json!({}), &unreadable).await.unwrap();
        assert_eq!(answer["errorType"], "Runtime.ExitError", "{function}: {answer}");
    }
    assert!(speaker.wait().await.unwrap().success());
    session.end().await.unwrap();
    let run = SessionRun::drained(&session, &Packets::of(&recording)).await.unwrap();
    run.assert_whole();
    assert_eq!(run.consumers(), 1, "the invocation that delivers the session continued");
}
