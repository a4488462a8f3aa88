//! Guarantee: an event does not choose the stream. A principal that may put events on the bus can
//! neither receive another session's speech nor start or end a session against its record: such an
//! event goes to the dead-letter queue with its reason, and the real session is delivered
//! completely.

use std::time::Duration;

use e2e::{Cloud, Options, Packets, Session, SessionRun};
use reqwest::Method;
use serde_json::{Value, json};

const CONSUMER: &str = "kvs-stream-consumer";
const TIMEOUT: Duration = Duration::from_secs(60);

async fn cloud() -> Cloud {
    Cloud::start(Options { time_scale: 20, ..Options::default() }).await.unwrap()
}

/// Returns the session's real event, as a principal that reads the bus can repeat it.
async fn event(cloud: &Cloud, session: &Session<'_>, status: &str) -> Value {
    let item = cloud.item("Sessions", session.id()).await.unwrap().unwrap();
    json!({
        "sessionId": session.id(), "status": status, "sourceLanguage": "en",
        "channelArn": item["kvsChannelArn"]["S"], "streamArn": item["kvsStreamArn"]["S"],
        "timestamp": 1_732_540_620_000_u64,
    })
}

/// Waits until a consumer holds the session's lease.
async fn is_read(session: &Session<'_>) -> Value {
    session
        .streams_item("a consumer", TIMEOUT, |item| item["owner"]["S"].is_string())
        .await
        .unwrap()
}

/// Asserts that each event is in the dead-letter queue, with this text in its reason.
async fn are_dead(cloud: &Cloud, events: &[(Value, &str)]) {
    let records = cloud.dead_letter_events(events.len()).await.unwrap();
    assert_eq!(records.len(), events.len(), "{records:#?}");
    for (detail, reason) in events {
        let mut of = records.iter().filter(|it| it["requestPayload"]["detail"] == *detail);
        let response =
            &of.next().unwrap_or_else(|| panic!("no record of {detail}"))["responsePayload"];
        assert_eq!(response["errorType"], "EventContradictsRecord", "{response}");
        assert!(response["errorMessage"].as_str().unwrap().contains(reason), "{response}");
    }
}

/// Asserts that the processor received no audio with this session id.
async fn received_nothing(cloud: &Cloud, id: &str) {
    let path = format!("/_local/deliveries/{id}");
    let (status, figures) = cloud.api(Method::GET, &path, None, None).await.unwrap();
    assert!(status == 404 || figures["samplesDelivered"] == 0, "{status} {figures}");
}

async fn arrives_whole(session: &Session<'_>) {
    let packets = Packets::of(&testkit::recording());
    SessionRun::drained(session, &packets).await.unwrap().assert_whole();
}

#[tokio::test]
async fn another_sessions_stream_is_not_delivered_under_a_foreign_id() {
    let cloud = cloud().await;
    let (victim, own) = (cloud.open("ana").await.unwrap(), cloud.open("mallory").await.unwrap());
    victim.say(&testkit::recording()).await.unwrap();
    let (theirs, ours) =
        (event(&cloud, &victim, "ACTIVE").await, event(&cloud, &own, "ACTIVE").await);
    let changed = |base: &Value, changes: Value| {
        let mut detail = base.clone();
        detail.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        detail
    };
    let invented = json!({ "sessionId": "calm-river-7" });
    let by_stream = changed(&ours, json!({ "streamArn": theirs["streamArn"] }));
    let by_channel =
        changed(&ours, json!({ "channelArn": theirs["channelArn"], "streamArn": null }));
    let forged = [
        // Ids with a record: with a foreign stream, a foreign channel, and to end the session.
        (changed(&by_stream, json!({ "status": "ENDED" })), "`streamArn`"),
        (by_stream, "`streamArn`"),
        (by_channel, "`channelArn`"),
        // An id without a record: the stream's tags decide.
        (changed(&theirs, invented.clone()), "tag `sessionId`"),
        (changed(&changed(&theirs, invented), json!({ "streamArn": null })), "tag `sessionId`"),
    ];
    for (detail, _) in &forged {
        cloud.put_status_change(detail).await.unwrap();
    }
    are_dead(&cloud, &forged).await;

    assert_eq!(cloud.item("Streams", "calm-river-7").await.unwrap(), None);
    received_nothing(&cloud, "calm-river-7").await;
    received_nothing(&cloud, own.id()).await;
    assert_eq!(is_read(&own).await["streamArn"]["S"], ours["streamArn"]);
    victim.end().await.unwrap();
    arrives_whole(&victim).await;
    own.end().await.unwrap();
    own.drained(TIMEOUT).await.unwrap();
    received_nothing(&cloud, own.id()).await;
}

#[tokio::test]
async fn a_forged_event_before_the_real_one_has_no_effect() {
    let cloud = cloud().await;
    let victim = cloud.open("ana").await.unwrap();
    victim.say(&testkit::recording()).await.unwrap();
    // The real ACTIVE is sent by the health check, so that the forged one is the first.
    let entry = json!({
        "service": "events", "operation": "PutEvents", "kind": "entry", "times": 1,
        "code": "ThrottlingException", "message": "Rate exceeded"
    });
    cloud.inject_fault(entry).await.unwrap();
    let own = cloud.open("mallory").await.unwrap();
    cloud.logged("session-http-handler", "Failed to emit EventBridge event: ", 1).await.unwrap();
    let mut forged = event(&cloud, &own, "ACTIVE").await;
    let stream = forged["streamArn"].clone();
    forged["streamArn"] = event(&cloud, &victim, "ACTIVE").await["streamArn"].clone();
    cloud.put_status_change(&forged).await.unwrap();
    are_dead(&cloud, &[(forged, "`streamArn`")]).await;

    assert_eq!(is_read(&own).await["streamArn"]["S"], stream);
    received_nothing(&cloud, own.id()).await;
    own.say(&testkit::recording()).await.unwrap();
    for session in [&own, &victim] {
        session.end().await.unwrap();
        arrives_whole(session).await;
    }
}

#[tokio::test]
async fn a_forged_end_or_start_has_no_effect() {
    let cloud = cloud().await;
    let victim = cloud.open("ana").await.unwrap();
    is_read(&victim).await;
    let forged = event(&cloud, &victim, "ENDED").await;
    cloud.put_status_change(&forged).await.unwrap();
    are_dead(&cloud, &[(forged, "still open")]).await;
    let item = is_read(&victim).await;
    assert_eq!((&item["desired"]["S"], &item["stopAt"]), (&json!("RUN"), &Value::Null), "{item}");
    let record = cloud.item("Sessions", victim.id()).await.unwrap().unwrap();
    assert_eq!(record["status"]["S"], "active");

    victim.say(&testkit::recording()).await.unwrap();
    victim.end().await.unwrap();
    arrives_whole(&victim).await;
    let drained = victim.drained(TIMEOUT).await.unwrap();
    let record = cloud.item("Sessions", victim.id()).await.unwrap().unwrap();
    assert_eq!(record["status"]["S"], "ended", "both tables agree");

    // With the record's stream the event is a replay; with another stream it is forged.
    let again = event(&cloud, &victim, "ACTIVE").await;
    let mut forged = again.clone();
    let other = cloud.open("mallory").await.unwrap();
    forged["streamArn"] = event(&cloud, &other, "ACTIVE").await["streamArn"].clone();
    let ends = || cloud.log(CONSUMER).matches("lease not acquired").count();
    let before = ends();
    cloud.put_status_change(&again).await.unwrap();
    cloud.logged(CONSUMER, "lease not acquired", before + 1).await.unwrap();
    cloud.put_status_change(&forged).await.unwrap();
    are_dead(&cloud, &[(forged, "`streamArn`")]).await;
    assert_eq!(victim.drained(TIMEOUT).await.unwrap(), drained, "the item is unchanged");
    arrives_whole(&victim).await;
}
