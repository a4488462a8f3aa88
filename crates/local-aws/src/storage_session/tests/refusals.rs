//! Calls, answers and media that are refused.

use super::super::test_video::{IDR_UNIT, PPS_UNIT};
use super::*;
use crate::signaling::ToClient;

#[tokio::test]
async fn an_answer_without_video_is_refused_and_can_be_given_again() {
    let cloud = Cloud::new(1.0).await;
    let mut master = cloud.connect();
    cloud.join(&cloud.channel_arn).await;
    let (mut browser, answer) = Browser::answer(&master.offer().await, []).await;
    let (audio, video) = answer.split_once("m=video").unwrap();
    let inactive = format!("{audio}m=video{}", video.replace("a=sendonly", "a=inactive"));
    master.send_answer(inactive.clone(), None).await;
    master.send_answer(inactive, Some("one")).await;
    let refusal = master.from_service.recv().await.unwrap();
    let expected = ToClient::Status {
        correlation_id: "one".to_owned(),
        error_type: "InvalidArgumentException",
        status_code: 400,
        description: "The video section must be sendonly, and is inactive".to_owned(),
    };
    assert_eq!(refusal, expected, "only the answer with a correlation id has one");
    master.send_answer(answer, Some("two")).await;
    browser.connected().await;
    assert!(master.from_service.try_recv().is_err(), "no response to a good answer");
}

#[tokio::test]
async fn a_stream_has_one_producer() {
    let cloud = Cloud::new(1.0).await;
    let producer = cloud.producer();
    let mut master = cloud.connect();
    assert_eq!(cloud.join(&cloud.channel_arn).await.status(), StatusCode::OK);
    assert_eq!(master.from_service.recv().await, None, "the session makes no offer");
    drop(producer);
    connected(&cloud, []).await;
}

#[tokio::test]
async fn the_service_is_reached_by_its_path() {
    let aws = crate::start(crate::Options::default()).await.unwrap();
    let signed = "AWS4-HMAC-SHA256 Credential=any/20260101/us-east-1/kinesisvideo/aws4_request, \
                  SignedHeaders=host, Signature=0";
    let channel_arn = "arn:aws:kinesisvideo:us-east-1:000000000000:channel/talk/1";
    let response = reqwest::Client::new()
        .post(format!("{}/joinStorageSession", aws.url()))
        .header("authorization", signed)
        .json(&serde_json::json!({ "channelArn": channel_arn }))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(response.headers()["x-amzn-errortype"], "ResourceNotFoundException");
    assert!(response.headers().contains_key("x-amzn-requestid"));
}

#[tokio::test]
async fn calls_are_refused_with_the_errors_of_the_api() {
    let cloud = Cloud::new(1.0).await;
    let code = |response: &axum::response::Response| {
        let header = response.headers()["x-amzn-errortype"].to_str().unwrap().to_owned();
        (response.status().as_u16(), header)
    };
    let refused = async |arn: &str| code(&cloud.join(arn).await);
    let invalid = (400, "InvalidArgumentException".to_owned());
    assert_eq!(refused("nonsense").await, invalid);
    let absent = cloud.channel_arn.replace("talk", "other");
    assert_eq!(refused(&absent).await, (404, "ResourceNotFoundException".to_owned()));
    let unmapped = cloud.create_channel("unmapped").await;
    assert_eq!(refused(&unmapped).await, invalid);
    assert_eq!(refused(&cloud.channel_arn).await, invalid, "no master is connected");
    let mut master = cloud.connect();
    assert_eq!(cloud.join(&cloud.channel_arn).await.status(), StatusCode::OK);
    assert!(!master.offer().await.is_empty());
    // Two are admitted in a second, and no machine takes a minute for 120.
    let often = (400, "ClientLimitExceededException".to_owned());
    let mut codes = Vec::new();
    while codes.len() < 120 && codes.last() != Some(&often) {
        codes.push(refused(&cloud.channel_arn).await);
    }
    assert_eq!(codes.last(), Some(&often));
}

#[tokio::test]
async fn a_picture_that_is_too_large_ends_the_session() {
    let cloud = Cloud::new(1.0).await;
    let (_master, mut browser) = connected(&cloud, []).await;
    speak(&mut browser, &sent(&recording(50))).await;
    // As `SPS_UNIT`, but 1936x96.
    let sps = [0x67, 0x42, 0x00, 0x0A, 0xF8, 0x0F, 0x26, 0x88];
    let units = [&sps[..], &PPS_UNIT, &IDR_UNIT].map(|unit| [&[0, 0, 0, 1], unit].concat());
    browser.send_video(500_000, Instant::now(), &units.concat()).await;
    browser.closed().await;
    cloud.ended().await;
    assert_eq!(cloud.decoded().await.fragments, 1, "what came before is stored");
}
