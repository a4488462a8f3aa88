//! Guarantee: a change reaches the running consumer. Exactly the audio that is sent while a session
//! is paused is skipped.

use std::time::{Duration, Instant};

use e2e::{Cloud, Options, Packets, Session, SessionRun};
use serde_json::{Value, json};

/// Waits until the processor has this many samples.
async fn delivered(session: &Session<'_>, samples: u64) {
    let start = Instant::now();
    loop {
        let figures = session.figures().await.unwrap_or_default();
        if figures["samplesDelivered"].as_u64() >= Some(samples) {
            return;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "{figures}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Returns the number of samples that were skipped in pauses, from the last checkpoint.
fn paused(item: &Value) -> u64 {
    let checkpoint = item["checkpoint"]["S"].as_str().unwrap_or("{}");
    let checkpoint: Value = serde_json::from_str(checkpoint).unwrap();
    checkpoint["totals"]["paused"].as_u64().unwrap_or_default()
}

/// Waits until the consumer has skipped samples.
async fn skipping(cloud: &Cloud, session: &Session<'_>) {
    let start = Instant::now();
    while paused(&cloud.item("Streams", session.id()).await.unwrap().unwrap()) == 0 {
        assert!(start.elapsed() < Duration::from_secs(60), "the consumer did not apply the pause");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_pause_is_skipped_and_the_rest_is_delivered() {
    let cloud = Cloud::start(Options { time_scale: 10, ..Options::default() }).await.unwrap();
    let session = cloud.open("ana").await.unwrap();
    let recording = testkit::recording();
    let changes = async {
        delivered(&session, 3 * 16_000).await;
        let (status, body) = session.change(json!({ "status": "paused" })).await.unwrap();
        assert_eq!((status, &body["status"]), (200, &json!("paused")));
        // Written in the transaction of the session; the consumer reads it every 2 s of the cloud's
        // time.
        let item = cloud.item("Streams", session.id()).await.unwrap().unwrap();
        assert_eq!(item["desired"]["S"], "PAUSE");
        skipping(&cloud, &session).await;
        let changes =
            json!({ "status": "active", "targetLanguages": ["fr"], "qualityTier": "premium" });
        let (status, body) = session.change(changes).await.unwrap();
        assert_eq!((status, &body["targetLanguages"]), (200, &json!(["fr"])));
        let item = cloud.item("Streams", session.id()).await.unwrap().unwrap();
        assert_eq!(item["desired"]["S"], "RUN");
        assert_eq!(item["settings"]["M"]["qualityTier"]["S"], "premium");
        assert_eq!(item["settings"]["M"]["version"]["N"], "3");
        Ok(())
    };
    tokio::try_join!(session.say(&recording), changes).unwrap();
    let (status, body) = session.change(json!({ "status": "ended" })).await.unwrap();
    assert_eq!((status, &body["status"]), (200, &json!("ended")));
    let (status, _) = session.change(json!({ "status": "active" })).await.unwrap();
    assert_eq!(status, 409, "an ended session stays ended");

    let run = SessionRun::drained(&session, &Packets::of(&recording)).await.unwrap();
    let skipped = paused(&run.streams_item);
    let delivered = run.figures["samplesDelivered"].as_u64().unwrap();
    let spoken = run.spoken.len() as u64;
    assert!(skipped > 0 && delivered > 0, "{}", run.figures);
    assert_eq!(delivered + skipped, spoken, "{}", run.figures);
    assert_eq!(run.figures["nextSample"], spoken);
    assert_eq!(run.figures["samplesDuplicated"], 0);
}
