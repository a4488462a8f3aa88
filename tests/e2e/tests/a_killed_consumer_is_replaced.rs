//! Promise: a consumer that dies in the middle of a sentence loses nothing. KVS has the audio, the
//! checkpoint says how far it got, and Lambda's retry of the event goes on from there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use e2e::{Options, SessionRun};
use serde_json::json;

#[tokio::test]
async fn killed_in_the_middle_of_the_speech() {
    let kill = json!({
        "service": "lambda", "operation": "Invoke", "target": "kvs-stream-consumer",
        "kind": "kill", "delayMs": 1500
    });
    let run = SessionRun::with_faults(Options::default(), &[kill]).await.unwrap();
    assert!(run.consumers() >= 2, "nobody was killed");
    run.assert_whole();
}
