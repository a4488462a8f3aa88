//! Promise: with `AudioProcessorInvocation=event` every chunk is handed to Lambda's queue once it
//! is whole, at least once; order, back-pressure and the processor's answers are given up, as
//! docs/limits.md says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use e2e::{Cloud, Options, Packets, SessionRun};
use serde_json::json;

#[tokio::test]
async fn a_refused_hand_over_is_tried_again() {
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
