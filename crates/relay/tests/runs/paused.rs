//! Audio that is spoken while a session is paused is skipped and counted, also after a stop.

use std::sync::Arc;
use std::time::Duration;

use relay::{Checkpoint, Outcome};
use session::{Desired, Language, QualityTier, Settings};
use simulator::{LONG, World, config, request, speech};

/// Sets the desired state as a PATCH of the session does: with a new version of the settings.
fn set(world: &World, desired: Desired) {
    let mut state = world.state();
    let item = state.table.item.as_mut().unwrap();
    let settings = item.settings.get_or_insert_with(|| Settings {
        source_language: Language::ENGLISH,
        quality_tier: QualityTier::Standard,
        target_languages: Vec::new(),
        version: 1,
    });
    settings.version += 1;
    item.desired = desired;
    item.paused_version = (desired == Desired::Pause).then_some(settings.version);
}

/// Runs a session of 12 s that is paused after 4 s, then `next` happens at 8 s. Returns the gaps
/// that the payloads declared, and the samples that the checkpoint counts as paused.
async fn paused(next: impl Fn(&World)) -> (Arc<World>, Vec<(u64, u64)>, u64) {
    let (packets, expected) = speech(12);
    let world = World::live(&packets, 1_000);
    let host = world.host();
    let plan = async {
        tokio::time::sleep(Duration::from_secs(4)).await;
        set(&world, Desired::Pause);
        tokio::time::sleep(Duration::from_secs(4)).await;
        next(&world);
        tokio::time::sleep(Duration::from_secs(5)).await;
        world.stop();
    };
    let config = config();
    let (report, ()) = tokio::join!(host.relay(&config).start(request("a", LONG)), plan);
    assert_eq!(report.unwrap().outcome, Outcome::Ended);
    let (gaps, counted) = {
        let state = world.state();
        assert_eq!(state.processor.finals, 1);
        let mut delivered = expected;
        for (start, length) in &state.processor.gaps {
            let (start, end) = (*start as usize, (start + length) as usize);
            delivered[start..end].fill(0);
        }
        assert_eq!(state.processor.accepted, delivered);
        let checkpoint = state.table.item.as_ref().unwrap().checkpoint.clone().unwrap();
        let totals = Checkpoint::from_json(&checkpoint).unwrap().totals;
        assert_eq!(totals.delivered + totals.paused, delivered.len() as u64);
        (state.processor.gaps.clone(), totals.paused)
    };
    (world, gaps, counted)
}

#[tokio::test(start_paused = true)]
async fn a_pause_leaves_out_what_is_spoken_until_the_session_continues() {
    let (_, gaps, counted) = paused(|world| set(world, Desired::Run)).await;
    let [(start, length)] = gaps[..] else { panic!("{gaps:?}") };
    assert_eq!(length, counted);
    // Chunks of 500 ms, a read that returns the change after 1 s at most.
    assert!((3 * 16_000..=6 * 16_000).contains(&start), "{start}");
    assert!((3 * 16_000..=5 * 16_000).contains(&length), "{length}");
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_stopped_while_paused_delivers_nothing_more() {
    let (world, gaps, counted) = paused(World::stop).await;
    let [(start, length)] = gaps[..] else { panic!("{gaps:?}") };
    assert_eq!(length, counted);
    assert!((3 * 16_000..=6 * 16_000).contains(&start), "{start}");
    assert_eq!(start + length, world.state().processor.accepted.len() as u64);
}

#[tokio::test(start_paused = true)]
async fn a_build_that_leaves_the_paused_version_as_it_was_resumes_a_session() {
    let (_, gaps, counted) = paused(|world| {
        let before = world.state().table.item.as_ref().unwrap().paused_version;
        set(world, Desired::Run);
        world.state().table.item.as_mut().unwrap().paused_version = before;
    })
    .await;
    let [(start, length)] = gaps[..] else { panic!("{gaps:?}") };
    assert_eq!(length, counted);
    assert!(start + length <= 10 * 16_000, "delivery continued at {}", start + length);
}
