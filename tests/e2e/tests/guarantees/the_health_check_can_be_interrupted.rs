//! Guarantee: the health check may run concurrently and be killed at any time. Finally all
//! resources of ended sessions are removed, and those of another environment in the account are
//! untouched.

use std::time::{Duration, Instant};

use e2e::{Cloud, Options};
use serde_json::{Value, json};

const FOREIGN: &str = "session-calm-river-7";

async fn create_foreign_resources(cloud: &Cloud) {
    let tags = [("app", "speech-relay"), ("env", "prod"), ("sessionId", "calm-river-7")];
    let map: Value = tags.iter().map(|(key, value)| (key.to_string(), json!(value))).collect();
    let list: Vec<_> =
        tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
    let stream = json!({ "StreamName": FOREIGN, "DataRetentionInHours": 1, "Tags": map });
    cloud.kinesis_video("createStream", stream).await.unwrap();
    let channel = json!({ "ChannelName": FOREIGN, "Tags": list });
    cloud.kinesis_video("createSignalingChannel", channel).await.unwrap();
}

#[tokio::test]
async fn concurrent_and_killed_health_checks_remove_only_their_own_resources() {
    let parameters = vec!["SessionIdleMinutes=5".to_owned(), "StreamKeepMinutes=5".to_owned()];
    let cloud =
        Cloud::start(Options { time_scale: 30, parameters, ..Options::default() }).await.unwrap();
    create_foreign_resources(&cloud).await;
    for speaker in ["ana", "ben", "eva"] {
        let session = cloud.open(speaker).await.unwrap();
        if speaker != "eva" {
            session.end().await.unwrap();
        }
    }
    cloud.idle("session-http-handler").await.unwrap();
    assert_eq!(
        cloud.media_names().await.unwrap().len(),
        2 + 3 + 3 - 2,
        "two channels were deleted with their sessions"
    );
    let check = json!({ "action": "health_check", "source": "cloudwatch_events" });
    let start = Instant::now();
    let mut random = testkit::pcm::Random::new(11);
    while cloud.media_names().await.unwrap().iter().any(|name| name != FOREIGN) {
        assert!(
            start.elapsed() < Duration::from_secs(160),
            "left: {:?}",
            cloud.media_names().await.unwrap()
        );
        let kill = json!({
            "service": "lambda", "operation": "Invoke", "target": "kvs-stream-consumer",
            "kind": "kill", "delayMs": random.below(60)
        });
        cloud.inject_fault(kill).await.unwrap();
        let run = || cloud.invoke("kvs-stream-consumer", &check);
        let (one, other, third) = tokio::join!(run(), run(), run());
        one.and(other).and(third).unwrap();
    }
    let foreign = cloud.media_names().await.unwrap();
    assert_eq!(foreign, [FOREIGN, FOREIGN], "a resource of the other environment was removed");
}
