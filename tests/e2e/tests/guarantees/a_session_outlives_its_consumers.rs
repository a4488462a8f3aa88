//! Guarantee: a session may be many times longer than the consumer's timeout. Each hand-off to the
//! next invocation loses no sample, repeats none, and takes less than a second.

use e2e::{Cloud, Options, Packets, SessionRun};

/// The consumer's timeout, s of the cloud's time.
const TIMEOUT: u32 = 120;

/// Longest interval between two reads of the lease (`take_poll`), ms.
const POLL_MILLIS: u64 = 250;

/// Returns the metric `HandOffGapMillis` of each hand-off.
fn hand_off_gaps(log: &str) -> Vec<u64> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    lines.filter_map(|line| line["HandOffGapMillis"].as_u64()).collect()
}

#[tokio::test]
async fn a_session_many_times_as_long_as_the_timeout_is_delivered_completely() {
    // Fragments of AWS's producers, and of WebRTC ingestion.
    arrives_whole(2_000, 14, 4).await; // 513 s
    arrives_whole(10_000, 7, 2).await; // 257 s
}

/// Sends the recording `times` in a row and expects at least `hand_offs` hand-offs.
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
    assert!(run.consumers() >= hand_offs, "only {} consumers", run.consumers());
    run.assert_whole();
    cloud.runs_finished("kvs-stream-consumer", run.consumers()).await.unwrap();
    let gaps = hand_off_gaps(&cloud.log("kvs-stream-consumer"));
    println!("gaps at hand-offs: {gaps:?} ms");
    let logged = gaps.len() as u64;
    assert!(logged >= hand_offs, "the metric HandOffGapMillis is missing: {gaps:?}");
    // The poll interval of the lease is scaled, but the work around it is not: the gap plus a full
    // unscaled interval bounds the duration of an unscaled hand-off.
    let longest = *gaps.iter().max().unwrap();
    assert!(longest + POLL_MILLIS < 1_000, "{gaps:?}");
    // All invocations of the session share one trace.
    assert_eq!(run.figures["traces"], 1, "{}", run.figures);
}
