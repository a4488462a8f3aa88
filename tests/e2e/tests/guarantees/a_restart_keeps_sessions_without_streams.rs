//! Guarantee: after a restart with the same data, a session whose stream was not kept is named at
//! the start, and the health check ends it as one whose stream was deleted.

use e2e::{Cloud, Options};
use reqwest::Method;

#[tokio::test]
async fn a_session_that_lost_its_stream_is_named_and_ended() {
    let options = Options { time_scale: 60, ..Options::default() };
    let mut cloud = Cloud::start(options).await.unwrap();
    let id = cloud.open("ana").await.unwrap().id().to_owned();
    let named = format!("session {id} lost its stream");
    assert!(!cloud.own_log().contains(&named));

    cloud.restart().await.unwrap();
    assert!(cloud.own_log().contains(&named), "{}", cloud.own_log());
    let reason = r#""message":"session ended by the health check""#;
    cloud.logged("kvs-stream-consumer", reason, 1).await.unwrap();
    assert!(cloud.log("kvs-stream-consumer").contains(r#""reason":"lost""#));
    let (_, session) =
        cloud.api(Method::GET, &format!("/sessions/{id}"), None, None).await.unwrap();
    assert_eq!(session["status"], "ended");
}
