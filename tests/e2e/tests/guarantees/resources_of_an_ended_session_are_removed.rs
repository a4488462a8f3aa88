//! Guarantee: the health check ends a session without audio, and removes channel and stream of an
//! ended session after its audio is delivered and `StreamKeepMinutes` have passed.

use std::time::{Duration, Instant};

use e2e::{Cloud, Options, Session};

async fn has_status(cloud: &Cloud, session: &Session<'_>, wanted: &str) {
    let start = Instant::now();
    loop {
        let item = cloud.item("Sessions", session.id()).await.unwrap().expect("the record stays");
        if item["status"]["S"] == wanted {
            return;
        }
        assert!(start.elapsed() < Duration::from_secs(90), "still not {wanted}: {item}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Waits until the stream is no longer listed: KVS lists it as DELETING for a while.
async fn has_no_stream(cloud: &Cloud, session: &Session<'_>) {
    let start = Instant::now();
    loop {
        let state = cloud.state().await.unwrap();
        let streams = state["kinesisvideo"]["streams"].as_array().expect("a list of streams");
        let left = streams.iter().find(|stream| {
            stream["name"].as_str().is_some_and(|name| name.ends_with(session.id()))
        });
        let Some(left) = left else { return };
        assert!(start.elapsed() < Duration::from_secs(60), "not removed: {left}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn an_ended_session_is_drained_kept_and_removed() {
    // The health check runs every five minutes of the cloud's time: here every ten seconds.
    let parameters = vec!["SessionIdleMinutes=5".to_owned(), "StreamKeepMinutes=5".to_owned()];
    let cloud =
        Cloud::start(Options { time_scale: 30, parameters, ..Options::default() }).await.unwrap();
    let silent = cloud.open("ana").await.unwrap();
    let spoken = cloud.open("ben").await.unwrap();
    spoken.say(&testkit::recording()).await.unwrap();
    spoken.end().await.unwrap();
    spoken.drained(Duration::from_secs(60)).await.unwrap();

    has_status(&cloud, &silent, "ended").await;
    let item = cloud.item("Sessions", silent.id()).await.unwrap().unwrap();
    assert_eq!(item["endedReason"]["S"], "inactive", "{item}");
    for session in [&spoken, &silent] {
        has_status(&cloud, session, "removed").await;
        let (status, view) =
            cloud.api(reqwest::Method::GET, &session.path(), None, None).await.unwrap();
        assert_eq!((status, view["status"].as_str()), (200, Some("ended")));
    }
    for session in [&spoken, &silent] {
        has_no_stream(&cloud, session).await;
    }
}
