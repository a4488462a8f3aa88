//! A session from its first fragment to its last: every sample once, in order and bit-exact.

use std::time::Duration;

use relay::Outcome;
use session::{Language, QualityTier, Settings};
use simulator::{LONG, World, config, request, speech};

#[tokio::test(start_paused = true)]
async fn a_live_session_arrives_bit_exact_and_ends() {
    let (packets, expected) = speech(12);
    let world = World::live(&packets, 1_000);
    let side = world.host();
    let stop = async {
        tokio::time::sleep(Duration::from_secs(13)).await;
        world.stop();
    };
    let config = config();
    let (report, ()) = tokio::join!(side.relay(&config).start(request("a", LONG)), stop);
    let report = report.unwrap();
    assert_eq!(report.outcome, Outcome::Ended);
    assert_eq!(report.delivered_samples, expected.len() as u64);
    let state = world.state();
    assert_eq!(state.processor.accepted, expected);
    assert_eq!((state.processor.finals, state.processor.stale), (1, 0));
    assert!(state.table.item.as_ref().unwrap().ended);
    assert!(world.elapsed() < Duration::from_secs(20), "drained at {:?}", world.elapsed());
}

#[tokio::test(start_paused = true)]
async fn chunks_are_aligned_and_follow_the_contract() {
    let (packets, _) = speech(5);
    let world = World::live(&packets, 500);
    world.state().table.languages = vec!["fr".parse().unwrap(), "de".parse().unwrap()];
    let side = world.host();
    let stop = async {
        tokio::time::sleep(Duration::from_secs(6)).await;
        world.stop();
    };
    let config = config();
    let (report, ()) = tokio::join!(side.relay(&config).start(request("a", LONG)), stop);
    report.unwrap();
    let state = world.state();
    for payload in &state.processor.payloads {
        assert_eq!(payload.start_sample % 8_000, 0);
        assert_eq!(payload.sequence, payload.start_sample / 8_000);
        assert_eq!((payload.epoch, payload.gap_samples), (1, 0));
        assert!(!payload.fragment_number.is_empty());
    }
    let codes: Vec<_> = state.processor.payloads.last().unwrap().target_languages.clone();
    let codes: Vec<_> = codes.iter().map(|language| language.code()).collect();
    assert_eq!(codes, ["de", "fr"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_stored_is_caught_up_in_batches() {
    let (packets, expected) = speech(30);
    let world = World::stored(&packets, 2_000);
    world.stop();
    let side = world.host();
    let report = side.relay(&config()).start(request("a", LONG)).await.unwrap();
    assert_eq!(report.outcome, Outcome::Ended);
    let state = world.state();
    assert_eq!(state.processor.accepted, expected);
    assert!(state.processor.payloads.iter().any(|payload| payload.chunk_count == 8));
    assert!(state.processor.payloads.iter().all(|payload| payload.sample_count <= 64_000));
}

#[tokio::test(start_paused = true)]
async fn a_change_reaches_the_run_within_two_seconds() {
    let (packets, _) = speech(20);
    let world = World::live(&packets, 1_000);
    let side = world.host();
    let french: Language = "fr".parse().unwrap();
    let change = async {
        tokio::time::sleep(Duration::from_secs(8)).await;
        let since = world.elapsed();
        world.state().table.item.as_mut().unwrap().settings = Some(Settings {
            source_language: french,
            quality_tier: QualityTier::Standard,
            target_languages: Vec::new(),
            version: 2,
        });
        while world.state().processor.payloads.last().unwrap().source_language != french {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        world.stop();
        world.elapsed() - since
    };
    let config = config();
    let (report, took) = tokio::join!(side.relay(&config).start(request("a", LONG)), change);
    assert_eq!(report.unwrap().outcome, Outcome::Ended);
    assert!(took <= Duration::from_secs(2), "{took:?}");
}
