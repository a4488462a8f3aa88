//! Guarantee: no single answer of KVS ends a session whose audio it still holds; a refused GetMedia
//! does not count as silence; a producer that does not stop keeps no session open; and a stream
//! that was drained late is kept as long as any other.

use std::time::{Duration, Instant};

use e2e::{Cloud, Options, Packets, Session, SessionRun};
use serde_json::{Value, json};

async fn cloud(time_scale: u32, parameters: &[&str], faults: &[Value]) -> Cloud {
    let parameters = parameters.iter().map(|&parameter| parameter.to_owned()).collect();
    let cloud =
        Cloud::start(Options { time_scale, parameters, ..Options::default() }).await.unwrap();
    for fault in faults {
        cloud.inject_fault(fault.clone()).await.unwrap();
    }
    cloud
}

/// Returns the recording repeated `times`, and its file in the cloud's data directory.
fn long_speech(cloud: &Cloud, times: usize) -> (Packets, std::path::PathBuf) {
    let packets = Packets::of(&testkit::recording()).repeated(times);
    let file = cloud.scratch("speech.mka");
    std::fs::write(&file, packets.file()).unwrap();
    (packets, file)
}

/// Returns whether the consumer has delivered audio, from the checkpoint in its Streams item.
fn delivered(item: &Value) -> bool {
    let checkpoint = item["checkpoint"]["S"].as_str().unwrap_or("{}");
    let checkpoint: Value = serde_json::from_str(checkpoint).unwrap();
    checkpoint["next"].as_u64() > Some(0)
}

async fn status(cloud: &Cloud, session: &Session<'_>) -> String {
    let item = cloud.item("Sessions", session.id()).await.unwrap().unwrap();
    item["status"]["S"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_single_not_found_after_the_stop_does_not_end_the_session() {
    // No event is delivered, so that all audio is read after the stop.
    let no_events = json!({
        "service": "events", "operation": "Deliver", "target": "session-lifecycle", "times": 6,
        "status": 500, "code": "InternalFailure"
    });
    let not_found = json!({
        "service": "kinesisvideo", "operation": "GetMedia", "target": "session-",
        "status": 404, "code": "ResourceNotFoundException"
    });
    let cloud = cloud(20, &[], &[no_events, not_found]).await;
    let session = cloud.open("ana").await.unwrap();
    let recording = testkit::recording();
    session.say(&recording).await.unwrap();
    session.end().await.unwrap();
    let run = SessionRun::drained(&session, &Packets::of(&recording)).await.unwrap();
    cloud.all_faults_triggered().await.unwrap();
    run.assert_whole();
}

#[tokio::test]
async fn a_session_whose_get_media_is_refused_does_not_count_as_silent() {
    let refused = json!({
        "service": "kinesisvideo", "operation": "GetMedia", "target": "session-",
        "status": 401, "code": "NotAuthorizedException", "times": 100_000
    });
    let cloud = cloud(30, &["SessionIdleMinutes=5"], &[refused]).await;
    let session = cloud.open("ana").await.unwrap();
    let (packets, file) = long_speech(&cloud, 24); // a quarter of an hour
    session.say(&file).await.unwrap();
    assert_eq!(status(&cloud, &session).await, "active");
    cloud.clear_faults().await.unwrap();
    session.end().await.unwrap();
    SessionRun::drained(&session, &packets).await.unwrap().assert_whole();
}

#[tokio::test]
async fn a_producer_that_does_not_stop_keeps_no_session_open() {
    let cloud = cloud(20, &[], &[]).await;
    let session = cloud.open("ana").await.unwrap();
    let (_, file) = long_speech(&cloud, 24);
    let _speaker = session.speak(&file, cloud.time_scale()).unwrap();
    session
        .streams_item("a checkpoint with delivered audio", Duration::from_secs(60), delivered)
        .await
        .unwrap();
    session.end().await.unwrap();
    let stopped = Instant::now();
    session.drained(Duration::from_secs(60)).await.unwrap();
    let took = stopped.elapsed() * cloud.time_scale();
    assert!(took < Duration::from_secs(240), "{took:?} of the cloud's time");
}

#[tokio::test]
async fn a_stream_that_was_drained_late_is_kept_as_long_as_any_other() {
    let down = json!({
        "service": "lambda", "operation": "Invoke", "target": "audio-processor",
        "status": 500, "code": "ServiceException", "times": 100_000
    });
    let keep = Duration::from_secs(10 * 60);
    let cloud = cloud(30, &["StreamKeepMinutes=10"], &[down]).await;
    let session = cloud.open("ana").await.unwrap();
    let recording = testkit::recording();
    session.say(&recording).await.unwrap();
    session.end().await.unwrap();
    // The outage lasts longer than `StreamKeepMinutes`, which would be over if it counted from the
    // end.
    tokio::time::sleep(keep * 6 / 5 / cloud.time_scale()).await;
    cloud.clear_faults().await.unwrap();
    SessionRun::drained(&session, &Packets::of(&recording)).await.unwrap().assert_whole();
    let drained = Instant::now();
    while status(&cloud, &session).await != "removed" {
        assert!(drained.elapsed() < Duration::from_secs(90), "never removed");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let kept = drained.elapsed() * cloud.time_scale();
    assert!(kept >= keep, "removed {kept:?} after the drain");
}
