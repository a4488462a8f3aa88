//! Promise: what the speaker said is what the processor has: every sample, in order, once, and the
//! very samples that libopus makes of the packets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::time::Duration;

use flow::{Cloud, Options};

#[tokio::test]
async fn one_session_arrives_whole() {
    let cloud = Cloud::start(Options::default()).await.unwrap();
    let session = cloud.open("ana").await.unwrap();
    let recording = testkit::recording();
    let mut speaker = session.speak(&recording, cloud.time_scale()).unwrap();
    assert!(speaker.wait().await.unwrap().success());
    session.end().await.unwrap();
    session.drained(Duration::from_secs(30)).await.unwrap();

    let spoken = flow::Packets::of(&recording).samples();
    let arrived = session.arrived().await.unwrap().expect("a watermark");
    assert_eq!(arrived.next_sample, spoken.len() as u64);
    let wav = session.wav().await.unwrap();
    assert_eq!(wav.len(), spoken.len());
    let first = wav.iter().zip(&spoken).position(|(got, said)| got != said);
    assert_eq!(first, None, "the WAV differs from libopus at this sample");
}
