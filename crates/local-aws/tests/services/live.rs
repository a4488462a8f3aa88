//! `/_local/live`: the state when a client connects, and each change after it.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::TestCloud;

/// How long an event may take. Less than the 15 s after which the connection is kept alive.
const LIMIT: Duration = Duration::from_secs(10);

/// A client's connection.
pub(crate) struct Events {
    response: reqwest::Response,
    read: String,
}

impl Events {
    pub(crate) async fn open(cloud: &TestCloud, path: &str) -> Self {
        let response = cloud.call(Method::GET, path).send().await.unwrap();
        let kind = response.headers()["content-type"].to_str().unwrap();
        assert_eq!(kind, "text/event-stream");
        Self { response, read: String::new() }
    }

    /// Returns the data of the next event of this name for which the condition holds.
    pub(crate) async fn next(&mut self, name: &str, so: impl Fn(&Value) -> bool) -> Value {
        loop {
            while let Some((event, rest)) = self.read.split_once("\n\n") {
                let (first, data) = event.split_once('\n').unwrap_or((event, ""));
                let data = data.strip_prefix("data: ").unwrap_or_default();
                let data: Value = serde_json::from_str(data).unwrap_or_default();
                let found = first == format!("event: {name}") && so(&data);
                self.read = rest.to_owned();
                if found {
                    return data;
                }
            }
            let piece = tokio::time::timeout(LIMIT, self.response.chunk()).await;
            let piece = piece.expect("no further event").unwrap();
            let piece = piece.expect("the events have no end");
            self.read += std::str::from_utf8(&piece).unwrap();
        }
    }
}

#[tokio::test]
async fn the_state_is_sent_first_and_then_each_change() {
    let cloud = TestCloud::start(1).await;
    let mut events = Events::open(&cloud, "/_local/live").await;
    // The template of this test has no sessions.
    assert_eq!(events.next("sessions", |_| true).await, json!({"sessions": null}));
    assert_eq!(events.next("faults", |_| true).await, json!({"faults": []}));
    cloud.fault(json!({"service": "sqs"})).await;
    let faults = events.next("faults", |_| true).await;
    assert_eq!(faults["faults"][0]["service"], "sqs");

    let entry = json!({"Source": "test", "DetailType": "Any", "Detail": "{}"});
    cloud.aws("events", "AWSEvents.PutEvents", json!({"Entries": [entry]})).await;
    let put = events.next("bus", |data| data["event"]["source"] == "test").await;
    assert!(put["number"].as_u64().unwrap() > 0);
    // A later client gets the past events.
    let mut later = Events::open(&cloud, "/_local/live").await;
    assert_eq!(later.next("bus", |data| data["event"]["source"] == "test").await, put);
    cloud.end().await;
}

#[tokio::test]
async fn the_figures_of_a_session_follow_its_deliveries() {
    let cloud = TestCloud::start(1).await;
    cloud.create_stream("offered-1").await;
    let mut events = Events::open(&cloud, "/_local/live/offered-1").await;
    let figures = events.next("figures", |_| true).await;
    assert_eq!((&figures["chunks"], &figures["samplesDelivered"]), (&json!(0), &json!(0)));
    let chunk = json!({
        "action": "process", "sessionId": "offered-1", "startSample": 0, "sampleCount": 8000,
    });
    cloud.invoke("echo", chunk).await;
    let figures = events.next("figures", |data| data["chunks"] == 1).await;
    assert_eq!(figures, cloud.get("/_local/deliveries/offered-1").await.body);
    cloud.end().await;
}

#[tokio::test]
async fn a_session_that_does_not_exist_and_a_query_that_is_not_valid_are_refused() {
    let cloud = TestCloud::start(1).await;
    for session in ["..%2Fx", "unseen-1"] {
        assert_eq!(cloud.get(&format!("/_local/live/{session}")).await.status, 404, "{session}");
    }
    for path in ["events?after=zzz", "deliveries/a-b-1?latencies=2", "logs/echo?from=x"] {
        let refused = cloud.get(&format!("/_local/{path}")).await;
        assert_eq!(refused.status, 400, "{path}");
        assert!(refused.body["error"].as_str().unwrap().contains("query string"), "{path}");
    }
    cloud.end().await;
}
