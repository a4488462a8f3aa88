//! Promise: a session may be many times longer than the consumer's timeout. Each invocation hands
//! over to the next without a lost sample, without one accepted twice, and within a second.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use e2e::{Cloud, Options, Packets, SessionRun};

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
async fn a_session_many_times_as_long_as_the_timeout_arrives_whole() {
    // Fragments of AWS's producers, and of WebRTC ingestion.
    arrives_whole(2_000, 14, 4).await; // 513 s
    arrives_whole(10_000, 7, 2).await; // 257 s
}

/// Speaks the recording so many times, in fragments of so many ms, and expects so many hand-offs.
async fn arrives_whole(fragment_ms: u32, times: usize, hand_offs: u64) {
    let parameters = vec![format!("ConsumerTimeoutSeconds={TIMEOUT}")];
    let options = Options { time_scale: 10, fragment_ms, parameters, ..Options::default() };
    let cloud = Cloud::start(options).await.unwrap();
    let session = cloud.open("ana").await.unwrap();

    let speech = Packets::of(&testkit::recording()).repeated(times);
    let file = cloud.scratch("long.mka");
    std::fs::write(&file, speech.file()).unwrap();
    session.say(&file).await.unwrap();
    session.end().await.unwrap();

    let run = SessionRun::drained(&session, &speech).await.unwrap();
    assert!(run.consumers() >= hand_offs, "it took {} consumers", run.consumers());
    run.assert_whole();
    let gaps = hand_off_gaps(&cloud.log("kvs-stream-consumer"));
    println!("without a deliverer at hand-offs: {gaps:?} ms");
    let logged = gaps.len() as u64;
    assert!(logged >= hand_offs, "the metric HandOffGapMillis is missing: {gaps:?}");
    // The wait between two looks at the lease is scaled and the work around it is not: with the
    // whole of that wait added, this bounds what an unscaled hand-off takes.
    let longest = *gaps.iter().max().unwrap();
    assert!(longest + LOOK_MILLIS < 1_000, "{gaps:?}");
    // Whoever reads a trace finds all of them in it.
    assert_eq!(run.figures["traces"], 1, "{}", run.figures);
}
