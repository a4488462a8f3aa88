//! The metrics of streams, as the search expressions of a dashboard find them.

use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};

use crate::support::TestCloud;

const RECEIVED: usize = 1_000;

#[tokio::test]
async fn the_bytes_that_streams_receive_are_found_by_a_search() {
    let cloud = TestCloud::start(60).await;
    for stream in ["session-one-1", "session-two-2", "another"] {
        put(&cloud, stream).await;
    }
    let sum = r#"SUM(SEARCH('{AWS/KinesisVideo,StreamName} MetricName="PutMedia.IncomingBytes" StreamName=session', 'Sum', 300))"#;
    // The bytes of each stream are published at the end of a minute, which may come between them.
    let (begun, wanted, mut found) = (Instant::now(), 2.0 * RECEIVED as f64, 0.0);
    while found < wanted {
        assert!(begun.elapsed() < Duration::from_secs(60), "{found} bytes were published");
        tokio::time::sleep(Duration::from_millis(50)).await;
        found = search(&cloud, sum).await.iter().sum();
    }
    assert_eq!(found, wanted);
    let none = sum.replace("=session", r#"="session-""#);
    assert!(search(&cloud, &none).await.is_empty(), "the whole name is wanted");
}

/// Sends bytes to a new stream, as soon as it is ACTIVE.
async fn put(cloud: &TestCloud, stream: &str) {
    let create = json!({"StreamName": stream, "DataRetentionInHours": 1});
    let create = cloud.signed("kinesisvideo", "/createStream").json(&create);
    assert_eq!(cloud.send(create).await.status, 200);
    loop {
        let put = cloud
            .signed("kinesisvideo", "/putMedia")
            .header("x-amzn-stream-name", stream)
            .header("x-amzn-fragment-timecode-type", "ABSOLUTE")
            .body(vec![0_u8; RECEIVED]);
        match cloud.send(put).await.status {
            200 => return,
            404 => tokio::time::sleep(Duration::from_millis(20)).await,
            other => panic!("PutMedia: {other}"),
        }
    }
}

/// Returns the values of an expression. The cloud's clock runs ahead of the real one.
async fn search(cloud: &TestCloud, expression: &str) -> Vec<f64> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let query = json!({"Id": "bytes", "Expression": expression});
    let input = json!({
        "MetricDataQueries": [query], "StartTime": now - 3_600, "EndTime": now + 86_400,
    });
    let answer = cloud.aws("monitoring", "GraniteServiceVersion20100801.GetMetricData", input);
    let answer = answer.await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let values = answer.body["MetricDataResults"][0]["Values"].as_array().unwrap();
    values.iter().filter_map(Value::as_f64).collect()
}
