//! Promise: a session may be many times longer than the consumer's timeout. Each invocation hands
//! over to the next without a lost sample and without one accepted twice.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::time::Duration;

use flow::{Cloud, Options, Packets};

/// How long one consumer may live, in seconds of the cloud's time.
const TIMEOUT: u32 = 120;

#[tokio::test]
async fn a_session_four_times_as_long_as_the_timeout_arrives_whole() {
    let parameters = vec![format!("ConsumerTimeoutSeconds={TIMEOUT}")];
    let cloud = Cloud::start(Options { time_scale: 10, parameters }).await.unwrap();
    let session = cloud.open("ana").await.unwrap();

    let speech = Packets::of(&testkit::recording()).repeated(14); // 512 s
    let file = cloud.scratch("long.mka");
    std::fs::write(&file, speech.file()).unwrap();
    let mut speaker = session.speak(&file, cloud.time_scale()).unwrap();
    assert!(speaker.wait().await.unwrap().success());
    session.end().await.unwrap();
    let item = session.drained(Duration::from_secs(60)).await.unwrap();

    let epochs: u32 = item["epoch"]["N"].as_str().unwrap().parse().unwrap();
    assert!(epochs >= 4, "it took {epochs} consumers");
    let figures = session.figures().await.unwrap();
    let spoken = speech.samples();
    assert_eq!(figures["samplesDelivered"], spoken.len(), "{figures}");
    assert_eq!(figures["samplesDuplicated"], 0, "{figures}");
    let wav = session.wav().await.unwrap();
    assert_eq!(wav.len(), spoken.len());
    // At a seam the next consumer's decoder has warmed up on three seconds of the stream: close to
    // bit-exact, and never below 40 dB over all.
    let ratio = testkit::snr::decibels(&spoken, &wav);
    assert!(ratio >= 40.0, "{ratio} dB");
}
