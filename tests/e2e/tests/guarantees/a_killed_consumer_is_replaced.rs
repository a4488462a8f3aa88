//! Guarantee: a consumer that is killed during delivery loses no audio. KVS keeps the audio, and
//! Lambda's retry of the event resumes at the checkpoint.

use e2e::{Options, SessionRun};
use serde_json::json;

#[tokio::test]
async fn a_consumer_that_is_killed_during_speech_is_replaced() {
    let kill = json!({
        "service": "lambda", "operation": "Invoke", "target": "kvs-stream-consumer",
        "kind": "kill", "delayMs": 1500
    });
    let run = SessionRun::with_faults(Options::default(), &[kill]).await.unwrap();
    assert!(run.consumers() >= 2, "no consumer was killed");
    run.assert_whole();
}
