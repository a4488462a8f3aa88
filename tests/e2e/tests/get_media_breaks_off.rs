//! Promise: the end of a GetMedia body is never the end of the session. Cut in the middle of a
//! block, stalled, refused, ended with an error in band, filled with Void for ever: the consumer
//! reads on behind the last fragment it has.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use e2e::{Options, SessionRun};
use serde_json::{Value, json};

fn get_media(mut fault: Value) -> Value {
    fault["service"] = json!("kinesisvideo");
    fault["operation"] = json!("GetMedia");
    fault
}

#[tokio::test]
async fn cut_refused_and_ended_with_an_error() {
    let faults = [
        get_media(json!({"kind": "cut", "extra": {"afterBytes": 20_000}})),
        get_media(json!({"status": 400, "code": "ClientLimitExceededException"})),
        get_media(json!({"kind": "cut", "extra": {"afterBytes": 5_001}})),
        get_media(json!({"status": 500, "code": "InternalFailure"})),
        get_media(json!({"kind": "error-tag", "extra": {"errorId": 5000, "afterBytes": 9_000}})),
    ];
    let run = SessionRun::with_faults(Options::default(), &faults).await.unwrap();
    run.assert_whole();
    assert_eq!(run.consumers(), 1, "one consumer read on by itself");
}

#[tokio::test]
async fn filled_with_bytes_that_never_become_a_fragment() {
    // Trickled, and as fast as they are read: before the first fragment, and behind one.
    let faults = [
        get_media(json!({"kind": "void", "delayMs": 100})),
        get_media(json!({"kind": "void", "delayMs": 0, "extra": {"afterBytes": 9_000}})),
    ];
    let run = SessionRun::with_faults(Options::default(), &faults).await.unwrap();
    run.assert_whole();
    assert_eq!(run.consumers(), 1, "one consumer read on by itself");
}
