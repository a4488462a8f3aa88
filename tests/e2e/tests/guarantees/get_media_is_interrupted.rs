//! Guarantee: the end of a GetMedia body is never the end of the session. If the body is cut within
//! a block, stalls, is refused, ends with an error tag, or is filled with Void data, the consumer
//! continues after its last fragment.

use e2e::{Options, SessionRun};
use serde_json::{Value, json};

fn get_media(mut fault: Value) -> Value {
    fault["service"] = json!("kinesisvideo");
    fault["operation"] = json!("GetMedia");
    fault
}

#[tokio::test]
async fn cuts_refusals_and_error_tags_lose_no_audio() {
    let faults = [
        get_media(json!({"kind": "cut", "extra": {"afterBytes": 20_000}})),
        get_media(json!({"status": 400, "code": "ClientLimitExceededException"})),
        get_media(json!({"kind": "cut", "extra": {"afterBytes": 5_001}})),
        get_media(json!({"status": 500, "code": "InternalFailure"})),
        get_media(json!({"kind": "error-tag", "extra": {"errorId": 5000, "afterBytes": 9_000}})),
    ];
    let run = SessionRun::with_faults(Options::default(), &faults).await.unwrap();
    run.assert_whole();
    assert_eq!(run.consumers(), 1, "one consumer continued");
}

#[tokio::test]
async fn endless_void_data_loses_no_audio() {
    // Slow before the first fragment, and at full speed after a fragment.
    let faults = [
        get_media(json!({"kind": "void", "delayMs": 100})),
        get_media(json!({"kind": "void", "delayMs": 0, "extra": {"afterBytes": 9_000}})),
    ];
    let run = SessionRun::with_faults(Options::default(), &faults).await.unwrap();
    run.assert_whole();
    assert_eq!(run.consumers(), 1, "one consumer continued");
}
