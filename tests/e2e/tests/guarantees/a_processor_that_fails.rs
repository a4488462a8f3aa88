//! Guarantee: a processor that is throttled, fails, is killed during an invocation, or whose answer
//! is lost delays the audio and loses none. Only a permanent refusal of a chunk skips audio.

use e2e::{Options, SessionRun};
use serde_json::{Value, json};

fn invoke(skip: u32, times: u32, mut fault: Value) -> Value {
    fault["service"] = json!("lambda");
    fault["operation"] = json!("Invoke");
    fault["target"] = json!("audio-processor");
    (fault["skip"], fault["times"]) = (json!(skip), json!(times));
    fault
}

#[tokio::test]
async fn throttling_errors_kills_and_lost_answers_lose_no_audio() {
    let faults = [
        invoke(3, 2, json!({"status": 429, "code": "TooManyRequestsException"})),
        invoke(6, 2, json!({"status": 500, "code": "ServiceException"})),
        invoke(8, 1, json!({"kind": "kill"})),
        invoke(10, 2, json!({"kind": "answer-lost", "status": 500, "code": "ServiceException"})),
    ];
    let run = SessionRun::with_faults(Options::default(), &faults).await.unwrap();
    run.assert_whole();
    assert!(run.figures["offeredTwice"].as_u64() > Some(0), "{}", run.figures);
}
