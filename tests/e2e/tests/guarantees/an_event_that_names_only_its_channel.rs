//! Guarantee: an event in the specification's form, which names no stream, works also for a session
//! without a record: the channel's mapping determines the stream.

use std::time::{Duration, Instant};

use e2e::{Cloud, Options};
use serde_json::{Value, json};

const ID: &str = "calm-river-7";
const TIMEOUT: Duration = Duration::from_secs(30);

/// Creates a channel that is mapped to a stream, both of this environment; returns their ARNs.
async fn mapped(cloud: &Cloud) -> (String, String) {
    let name = format!("session-{ID}");
    let stream = json!({
        "StreamName": name, "DataRetentionInHours": 1, "Tags": { "env": "dev", "sessionId": ID }
    });
    let stream = cloud.kinesis_video("createStream", stream).await.unwrap();
    let tag = |key: &str, value: &str| json!({ "Key": key, "Value": value });
    let channel = json!({ "ChannelName": name, "Tags": [tag("env", "dev"), tag("sessionId", ID)] });
    let channel = cloud.kinesis_video("createSignalingChannel", channel).await.unwrap();
    let arn = |answer: &Value, member: &str| answer[member].as_str().unwrap().to_owned();
    let (channel, stream) = (arn(&channel, "ChannelARN"), arn(&stream, "StreamARN"));
    let storage = json!({ "Status": "ENABLED", "StreamARN": stream });
    let map = json!({ "ChannelARN": channel, "MediaStorageConfiguration": storage });
    let start = Instant::now();
    // KVS refuses the mapping until both are ACTIVE.
    while let Err(error) = cloud.kinesis_video("updateMediaStorageConfiguration", map.clone()).await
    {
        assert!(start.elapsed() < TIMEOUT, "{error}");
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    (channel, stream)
}

#[tokio::test]
async fn the_mapping_of_the_channel_determines_the_stream() {
    finds_its_stream("lambda", "kvs-stream-consumer").await;
    finds_its_stream("container", "stream-worker").await;
}

async fn finds_its_stream(host: &str, package: &str) {
    let arguments = ["--consumer-host", host].map(str::to_owned).to_vec();
    let options = Options { time_scale: 20, arguments, ..Options::default() };
    let cloud = Cloud::start(options).await.unwrap();
    let (channel, stream) = mapped(&cloud).await;
    let detail = json!({
        "sessionId": ID, "status": "ACTIVE", "channelArn": channel, "sourceLanguage": "en",
        "targetLanguages": ["de"], "qualityTier": "standard", "speakerId": "ana",
        "timestamp": 1_732_540_620_000_u64
    });
    cloud.put_status_change(&detail).await.unwrap();
    let start = Instant::now();
    loop {
        let item = cloud.item("Streams", ID).await.unwrap().unwrap_or_default();
        if item["streamArn"]["S"] == stream.as_str() {
            return;
        }
        assert!(start.elapsed() < TIMEOUT, "{item}\n{}", cloud.log(package));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
