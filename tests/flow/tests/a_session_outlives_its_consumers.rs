//! Promise: a session may be many times longer than the consumer's timeout. Each invocation hands
//! over to the next without a lost sample, without one accepted twice, and within a second.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use flow::{Cloud, Journey, Options, Packets};

/// How long one consumer may live, in seconds of the cloud's time.
const TIMEOUT: u32 = 120;

/// Longest time between two looks at the lease (`take_poll`).
const LOOK_MILLIS: u64 = 250;

/// What the consumers' metrics say of each hand-off, ms.
fn hand_off_gaps(log: &str) -> Vec<u64> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    lines.filter_map(|line| line["HandOffGapMillis"].as_u64()).collect()
}

#[tokio::test]
async fn a_session_four_times_as_long_as_the_timeout_arrives_whole() {
    let parameters = vec![format!("ConsumerTimeoutSeconds={TIMEOUT}")];
    let cloud =
        Cloud::start(Options { time_scale: 10, parameters, ..Options::default() }).await.unwrap();
    let session = cloud.open("ana").await.unwrap();

    let speech = Packets::of(&testkit::recording()).repeated(14); // 513 s
    let file = cloud.scratch("long.mka");
    std::fs::write(&file, speech.file()).unwrap();
    session.say(&file).await.unwrap();
    session.end().await.unwrap();

    let journey = Journey::drained(&session, &speech).await.unwrap();
    assert!(journey.consumers() >= 4, "it took {} consumers", journey.consumers());
    journey.assert_whole();
    let gaps = hand_off_gaps(&cloud.log("kvs-stream-consumer"));
    println!("without a deliverer at hand-offs: {gaps:?} ms");
    assert!(gaps.len() >= 4, "the metric HandOffGapMillis is missing: {gaps:?}");
    // The wait between two looks at the lease is scaled and the work around it is not: with the whole of
    // that wait added, this bounds what an unscaled hand-off takes.
    let longest = *gaps.iter().max().unwrap();
    assert!(longest + LOOK_MILLIS < 1_000, "{gaps:?}");
    // Whoever reads a trace finds all of them in it.
    assert_eq!(journey.figures["traces"], 1, "{}", journey.figures);
}
