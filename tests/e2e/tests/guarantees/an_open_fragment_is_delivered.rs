//! Guarantee: audio is delivered while its fragment is still being sent, and a consumer that is
//! killed, or a producer that disconnects, inside a fragment loses and repeats none of it.

use std::time::{Duration, Instant};

use e2e::{Cloud, Options, Packets, Session, SessionRun};
use reqwest::Method;
use serde_json::{Value, json};

/// Starts a cloud whose producers send fragments of 10 s in real time.
async fn cloud() -> Cloud {
    let options = Options { fragment_ms: 10_000, ..Options::default() };
    Cloud::start(options).await.unwrap()
}

/// Waits until `holds` for the state of the session's stream and the figures of its delivery.
async fn until(cloud: &Cloud, session: &Session<'_>, holds: impl Fn(&Value, &Value) -> bool) {
    let started = Instant::now();
    loop {
        let state = cloud.state().await.unwrap();
        let (stream, figures) =
            (&state["kinesisvideo"]["streams"][0], session.figures().await.unwrap_or_default());
        if holds(stream, &figures) {
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "{stream} {figures}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn delivered(figures: &Value) -> u64 {
    figures["samplesDelivered"].as_u64().unwrap_or_default()
}

#[tokio::test]
async fn the_first_words_are_accepted_and_the_consumer_is_killed_before_their_fragment_ends() {
    let cloud = cloud().await;
    let session = cloud.open("ana").await.unwrap();
    until(&cloud, &session, |stream, _| stream["readers"] == 1).await;
    let recording = testkit::recording();
    let mut speaker = session.speak(&recording, 1).unwrap();
    until(&cloud, &session, |stream, figures| {
        assert_eq!(stream["fragments"], 0, "the first fragment was complete before its words");
        delivered(figures) >= 16_000
    })
    .await;
    let consumer = "/_local/processes/kvs-stream-consumer";
    assert_eq!(cloud.api(Method::DELETE, consumer, None, None).await.unwrap().0, 200);
    assert!(speaker.wait().await.unwrap().success());
    session.end().await.unwrap();
    let run = SessionRun::drained(&session, &Packets::of(&recording)).await.unwrap();
    assert!(run.consumers() >= 2, "no consumer was killed");
    run.assert_whole();
}

#[tokio::test]
async fn a_fragment_that_is_sent_again_after_a_disconnect_is_accepted_once() {
    let cloud = cloud().await;
    // In the first fragment and in the third.
    for after_bytes in [20_000, 100_000] {
        let cut = json!({ "service": "kinesisvideo", "operation": "PutMedia", "kind": "cut",
                          "extra": { "afterBytes": after_bytes } });
        cloud.inject_fault(cut).await.unwrap();
    }
    let session = cloud.open("ana").await.unwrap();
    until(&cloud, &session, |stream, _| stream["readers"] == 1).await;
    let recording = testkit::recording();
    assert!(session.speak(&recording, 2).unwrap().wait().await.unwrap().success());
    session.end().await.unwrap();
    let run = SessionRun::drained(&session, &Packets::of(&recording)).await.unwrap();
    cloud.all_faults_triggered().await.unwrap();
    run.assert_whole();
}
