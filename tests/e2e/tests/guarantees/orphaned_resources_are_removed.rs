//! Guarantee: a channel and a stream without a session's record are removed, also while they are
//! mapped to each other, when KVS refuses to delete either.

use std::time::{Duration, Instant};

use e2e::{Cloud, Options};
use serde_json::json;

const NAME: &str = "session-quiet-harbor-9";
/// The sweep runs once an hour of the cloud's time: every 36 s. It removes resources older than
/// `StreamKeepMinutes`: 3 s.
const SCALE: u32 = 100;
const TIMEOUT: Duration = Duration::from_secs(150);

#[tokio::test]
async fn a_mapped_pair_without_a_session_is_removed() {
    let parameters = vec!["StreamKeepMinutes=5".to_owned()];
    let options = Options { time_scale: SCALE, parameters, ..Options::default() };
    let cloud = Cloud::start(options).await.unwrap();
    let id = NAME.trim_start_matches("session-");
    let tags = json!({ "app": "session-management", "env": "dev", "sessionId": id });
    let list = tags.as_object().unwrap().iter();
    let list: Vec<_> = list.map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
    let stream = json!({ "StreamName": NAME, "DataRetentionInHours": 1, "Tags": tags });
    let stream = cloud.kinesis_video("createStream", stream).await.unwrap();
    let channel = json!({ "ChannelName": NAME, "Tags": list });
    let channel = cloud.kinesis_video("createSignalingChannel", channel).await.unwrap();
    let storage = json!({ "Status": "ENABLED", "StreamARN": stream["StreamARN"] });
    let map = json!({
        "ChannelARN": channel["ChannelARN"], "MediaStorageConfiguration": storage,
    });
    let start = Instant::now();
    let operation = "updateMediaStorageConfiguration";
    while let Err(refused) = cloud.kinesis_video(operation, map.clone()).await {
        assert!(start.elapsed() < TIMEOUT, "both should be ACTIVE: {refused}");
    }
    while !cloud.media_names().await.unwrap().is_empty() {
        let log = || cloud.log("kvs-stream-consumer");
        assert!(start.elapsed() < TIMEOUT, "not removed: {}", log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // One after the other, the channel first, without a permanent refusal.
    cloud.logged("kvs-stream-consumer", "deleted orphaned KVS resource", 2).await.unwrap();
    let log = cloud.log("kvs-stream-consumer");
    assert!(!log.contains("health check: a duty failed"), "{log}");
}
