//! Promise: a session may be many times longer than the consumer's timeout. Each invocation hands
//! over to the next without a lost sample and without one accepted twice.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use flow::{Cloud, Journey, Options, Packets};

/// How long one consumer may live, in seconds of the cloud's time.
const TIMEOUT: u32 = 120;

#[tokio::test]
async fn a_session_four_times_as_long_as_the_timeout_arrives_whole() {
    let parameters = vec![format!("ConsumerTimeoutSeconds={TIMEOUT}")];
    let cloud = Cloud::start(Options { time_scale: 10, parameters }).await.unwrap();
    let session = cloud.open("ana").await.unwrap();

    let speech = Packets::of(&testkit::recording()).repeated(14); // 513 s
    let file = cloud.scratch("long.mka");
    std::fs::write(&file, speech.file()).unwrap();
    session.say(&file).await.unwrap();
    session.end().await.unwrap();

    let journey = Journey::drained(&session, &speech).await.unwrap();
    assert!(journey.consumers() >= 4, "it took {} consumers", journey.consumers());
    journey.assert_whole();
    // Whoever reads a trace finds all of them in it.
    assert_eq!(journey.figures["traces"], 1, "{}", journey.figures);
}
