//! The recognised words of a session: from the payloads that the processor accepts to
//! `/_local/words` and `/_local/live`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use local_aws::Options;
use serde_json::{Value, json};

use crate::live::Events;
use crate::support::TestCloud;

/// Prints a line for the first second, and one at the end.
const RECOGNISER: &str = r#"sh -c 'head -c 32000 >/dev/null
    echo "{\"startMs\": 0, \"endMs\": 700, \"text\": \"good\", \"isFinal\": false}"
    cat >/dev/null
    echo "{\"startMs\": 0, \"endMs\": 1200, \"text\": \"good <b>morning</b>\"}"'"#;

/// Offers a second of audio to the processor.
async fn offer(cloud: &TestCloud, second: u64, is_final: bool) {
    let payload = json!({
        "action": "process", "sessionId": "spoken-1", "final": is_final,
        "startSample": second * 16_000, "sampleCount": 16_000,
        "producerTimestamp": 1_700_000_000_000_u64 + second * 1_000,
        "audioData": STANDARD.encode([0; 32_000]),
    });
    cloud.invoke("echo", payload).await;
}

#[tokio::test]
async fn the_words_of_a_session_follow_its_deliveries() {
    let recogniser = Some(RECOGNISER.to_owned());
    let cloud = TestCloud::with(Options { recogniser, ..Options::default() }).await;
    assert_eq!(cloud.state().await["recogniser"], RECOGNISER);
    cloud.create_stream("spoken-1").await;
    let mut events = Events::open(&cloud, "/_local/live/spoken-1").await;
    assert_eq!(events.next("words", |_| true).await["state"], "waiting");
    offer(&cloud, 3, false).await;
    let first = events.next("words", |words| words["lines"] != json!([])).await;
    let line = json!({
        "number": 0, "startMs": 3_000, "endMs": 3_700, "spokenAt": 1_700_000_003_000_u64,
        "text": "good", "isFinal": false,
    });
    assert_eq!((&first["state"], &first["lines"][0]), (&json!("running"), &line));
    // A payload that is sent again adds nothing.
    offer(&cloud, 3, false).await;
    offer(&cloud, 4, true).await;
    let last = events.next("words", |words| words["state"] == "ended").await;
    let words = cloud.get("/_local/words/spoken-1").await.body;
    assert_eq!(words["lines"][0]["text"], "good <b>morning</b>");
    assert_eq!((&words["lines"][0]["endMs"], &words["missedMs"]), (&json!(4_200), &json!(0)));
    // The event has the lines that have changed since the one before.
    assert_eq!(last["state"], words["state"]);
    let mut later = Events::open(&cloud, "/_local/live/spoken-1").await;
    assert_eq!(later.next("words", |_| true).await, words);
    cloud.end().await;
}

#[tokio::test]
async fn without_a_recogniser_the_words_are_absent() {
    let cloud = TestCloud::start(1).await;
    assert_eq!(cloud.state().await["recogniser"], Value::Null);
    offer(&cloud, 0, true).await;
    let absent = json!({"state": "absent", "reason": null, "missedMs": 0, "lines": []});
    assert_eq!(cloud.get("/_local/words/spoken-1").await.body, absent);
    let mut events = Events::open(&cloud, "/_local/live/spoken-1").await;
    assert_eq!(events.next("words", |_| true).await, absent);
    assert_eq!(cloud.get("/_local/words/..%2Fx").await.status, 404);
    assert_eq!(cloud.get("/_local/words/unseen-1").await.status, 404);
    cloud.end().await;
}
