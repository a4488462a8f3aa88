//! Guarantee: with `AudioProcessorInvocation=event` every complete chunk is put into Lambda's queue
//! at least once, without order, back-pressure or the processor's answers (docs/limits.md).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use e2e::{Cloud, Options, Packets, SessionRun};
use serde_json::json;

#[tokio::test]
async fn a_refused_invocation_is_retried() {
    let parameters = vec!["AudioProcessorInvocation=event".to_owned()];
    let cloud =
        Cloud::start(Options { time_scale: 10, parameters, ..Options::default() }).await.unwrap();
    let refusal = json!({
        "service": "lambda", "operation": "InvokeAsync", "target": "audio-processor",
        "status": 429, "code": "TooManyRequestsException", "skip": 5, "times": 2
    });
    cloud.inject_fault(refusal).await.unwrap();
    let session = cloud.open("ana").await.unwrap();
    let recording = testkit::recording();
    session.say(&recording).await.unwrap();
    session.end().await.unwrap();
    let run = SessionRun::drained(&session, &Packets::of(&recording)).await.unwrap();
    cloud.all_faults_triggered().await.unwrap();
    run.assert_whole();
}
