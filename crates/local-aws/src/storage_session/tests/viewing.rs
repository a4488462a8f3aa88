//! Viewers of a channel: what they receive, and who may join.

use super::cloud::within;
use super::*;

/// Joins as a viewer, and connects. Its audio is received, and so is the end of the handshake
/// before it.
async fn joined(cloud: &Cloud, client_id: &str) -> (Master, Browser) {
    let mut viewer = cloud.connect();
    assert_eq!(cloud.join_as_viewer(client_id).await.status(), StatusCode::OK);
    let (mut browser, answer) = Browser::answer(&viewer.offer().await, []).await;
    viewer.send_answer(answer, None).await;
    browser.connected().await;
    let before = cloud.datagrams().audio_received;
    browser.send_audio(0, Instant::now(), &recording(1)[0]).await;
    let received = async {
        while cloud.datagrams().audio_received == before {
            browser.run_until(Instant::now() + Duration::from_millis(20)).await;
        }
    };
    within(received).await;
    (viewer, browser)
}

/// Waits for two seconds of a cloud's clock, in which another two calls are admitted.
async fn admitted_again(cloud: &Cloud) {
    cloud.clock().sleep(Duration::from_secs(2)).await;
}

#[tokio::test]
async fn a_viewer_receives_what_the_master_sends() {
    let cloud = Cloud::new(1.0).await;
    let (_master, mut browser) = connected(&cloud, []).await;
    let (_viewer, mut watching) = joined(&cloud, "ana").await;
    let packets = recording(100);
    let spoken = sent(&packets);
    let end = Instant::now() + Duration::from_millis(2800);
    tokio::join!(speak(&mut browser, &spoken), watching.run_until(end));
    cloud.end(&mut browser).await;

    let first = packets.iter().position(|packet| *packet == watching.audio_received[0]).unwrap();
    let received = watching.audio_received.len();
    assert!(received >= 60, "{received} of 100 packets");
    assert_eq!(watching.audio_received, packets[first..first + received]);
    assert!(watching.video_received.iter().any(|picture| *picture == KEY_FRAME));
    assert!(cloud.stream()["fragments"].as_u64() > Some(0), "the master's media is stored as well");
}

#[tokio::test]
async fn a_viewer_that_joins_again_replaces_its_session() {
    let cloud = Cloud::new(1.0).await;
    let (_viewer, mut old) = joined(&cloud, "ana").await;
    let (_viewer, _new) = joined(&cloud, "ana").await;
    old.closed().await;
    assert_eq!(cloud.sessions.state()[0]["viewers"], 1);
}

#[tokio::test]
async fn a_viewer_leaves_after_three_minutes_without_a_master() {
    // Three minutes last 10 s.
    let cloud = Cloud::new(18.0).await;
    let (_viewer, mut browser) = joined(&cloud, "ana").await;
    let joined = Instant::now();
    browser.closed().await;
    assert!(joined.elapsed() > Duration::from_secs(8), "{:?}", joined.elapsed());
}

#[tokio::test]
async fn a_channel_has_three_viewers() {
    let cloud = Cloud::new(100.0).await;
    let mut viewers = Vec::new();
    for client_id in ["ana", "ben", "eva"] {
        viewers.push(joined(&cloud, client_id).await);
        admitted_again(&cloud).await;
    }
    let _fourth = cloud.connect();
    let response = cloud.join_as_viewer("ida").await;
    assert_eq!(response.headers()["x-amzn-errortype"], "ClientLimitExceededException");
    let body = axum::body::to_bytes(response.into_body(), 1000).await.unwrap();
    // AWS's example retries a call that exceeded a limit, unless the message has these words.
    assert!(String::from_utf8_lossy(&body).contains("maximum number of viewers"), "{body:?}");
}

#[tokio::test]
async fn viewers_are_refused_with_the_errors_of_the_api() {
    let cloud = Cloud::new(1000.0).await;
    let refused = async |channel_arn: &str, client_id: &str| {
        let response = cloud.join_channel_as_viewer(channel_arn, client_id).await;
        let code = response.headers()["x-amzn-errortype"].to_str().unwrap().to_owned();
        admitted_again(&cloud).await;
        (response.status().as_u16(), code)
    };
    let invalid = (400, "InvalidArgumentException".to_owned());
    let channel_arn = &cloud.channel_arn;
    for client_id in ["", "no spaces", &"a".repeat(257)] {
        assert_eq!(refused(channel_arn, client_id).await, invalid);
    }
    assert_eq!(refused(channel_arn, "ana").await, invalid, "the viewer is not connected");
    let absent = channel_arn.replace("talk", "other");
    assert_eq!(refused(&absent, "ana").await, (404, "ResourceNotFoundException".to_owned()));
    let unmapped = cloud.create_channel("unmapped").await;
    assert_eq!(refused(&unmapped, "ana").await, invalid);
}
