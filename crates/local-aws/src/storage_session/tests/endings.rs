//! When a session ends, and what is stored then.

use serde_json::json;

use super::cloud::within;
use super::*;

#[tokio::test]
async fn the_newest_join_replaces_the_session_before_it() {
    let cloud = Cloud::new(1.0).await;
    let (_first, mut old) = connected(&cloud, []).await;
    let packets = sent(&recording(50));
    speak(&mut old, &packets).await;
    let (second, mut new) = connected(&cloud, []).await;
    old.closed().await;
    let stored = cloud.stream()["fragments"].as_u64().unwrap();
    assert!(stored >= 1, "the media of the first session is stored");
    // Media goes on without the signaling connection.
    drop(second);
    speak(&mut new, &packets).await;
    cloud.end(&mut new).await;
    assert!(cloud.stream()["fragments"].as_u64() > Some(stored));
    assert_eq!(cloud.stream()["writers"], 0);
}

#[tokio::test]
async fn a_session_ends_after_an_hour_and_its_media_is_stored() {
    // An hour lasts 7.2 s.
    let cloud = Cloud::new(500.0).await;
    let (_master, mut browser) = connected(&cloud, []).await;
    let packets = sent(&recording(50));
    speak(&mut browser, &packets).await;
    browser.closed().await;
    cloud.ended().await;
    assert_eq!(cloud.stream()["writers"], 0);
    assert!(cloud.stream()["lastFragment"].is_string());
}

#[tokio::test]
async fn a_session_without_media_ends_after_three_minutes() {
    // Three minutes last 10 s.
    let cloud = Cloud::new(18.0).await;
    let (_master, mut browser) = connected(&cloud, []).await;
    let joined = Instant::now();
    browser.closed().await;
    assert!(joined.elapsed() > Duration::from_secs(8), "{:?}", joined.elapsed());
    cloud.ended().await;
    assert_eq!(cloud.stream()["fragments"], 0);
}

#[tokio::test]
async fn a_deleted_channel_is_kept_until_its_session_ends() {
    let cloud = Cloud::new(1.0).await;
    let _connected = connected(&cloud, []).await;
    cloud.delete_channel().await;
    let state = cloud.sessions.state();
    assert_eq!((&state[0]["master"], &state[1]), (&json!(true), &json!(null)));
    cloud.sessions.stop.cancel();
    within(async {
        while cloud.sessions.state() != json!([]) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}
