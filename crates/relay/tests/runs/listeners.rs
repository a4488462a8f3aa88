//! The listeners of a stopped session are notified that it has ended: after its last chunk, or
//! after a minute; nothing waits for the notice.

use std::sync::Arc;
use std::time::Duration;

use relay::{Outcome, Report};
use simulator::{EndNotice, LONG, World, config, request, speech};

const GRACE: Duration = Duration::from_secs(60);

async fn run_to_end(world: &Arc<World>, owner: &str) -> Report {
    world.host().relay(&config()).start(request(owner, LONG)).await.unwrap()
}

fn end_notices(world: &World) -> Vec<EndNotice> {
    world.state().end_notices.clone()
}

#[tokio::test(start_paused = true)]
async fn listeners_are_notified_once_when_the_last_chunk_is_accepted() {
    let (packets, expected) = speech(10);
    let world = World::stored(&packets, 1_000);
    world.stop();
    assert_eq!(run_to_end(&world, "a").await.outcome, Outcome::Ended);
    let [notice] = end_notices(&world)[..] else { panic!("{:?}", end_notices(&world)) };
    assert_eq!(notice.accepted, expected.len() as u64);
    assert!(notice.ended && notice.at < GRACE, "{notice:?}");
}

#[tokio::test(start_paused = true)]
async fn a_session_that_cannot_be_drained_has_ended_for_them_after_a_minute() {
    let (packets, expected) = speech(10);
    let world = World::stored(&packets, 1_000);
    world.stop();
    world.state().processor.refuse_after = Some(8_000);
    let side = world.host();
    let mended = async {
        tokio::time::sleep(2 * GRACE).await;
        world.state().processor.refuse_after = None;
    };
    let config = config();
    let (report, ()) = tokio::join!(side.relay(&config).start(request("a", LONG)), mended);
    assert_eq!(report.unwrap().outcome, Outcome::Ended);
    let [first, last] = end_notices(&world)[..] else { panic!("{:?}", end_notices(&world)) };
    assert!(first.at >= GRACE && first.at < GRACE + Duration::from_secs(3), "{first:?}");
    assert!(!first.ended && first.accepted < expected.len() as u64, "{first:?}");
    // Listeners who connected since then are notified at the end.
    assert!(last.ended && last.accepted == expected.len() as u64, "{last:?}");
}

#[tokio::test(start_paused = true)]
async fn a_notice_that_hangs_delays_neither_the_audio_nor_the_end() {
    let mut ends = Vec::new();
    for hangs in [false, true] {
        let (packets, expected) = speech(10);
        let world = World::stored(&packets, 1_000);
        world.stop();
        world.state().listeners_hang = hangs;
        world.state().processor.refuse_after = Some(8_000);
        let side = world.host();
        // The notice starts at 60 s and hangs until 90 s.
        let mended = async {
            tokio::time::sleep(Duration::from_secs(65)).await;
            world.state().processor.refuse_after = None;
        };
        let config = config();
        let (report, ()) = tokio::join!(side.relay(&config).start(request("a", LONG)), mended);
        assert_eq!(report.unwrap().outcome, Outcome::Ended);
        assert_eq!(world.state().processor.accepted, expected);
        ends.push(end_notices(&world).last().unwrap().at);
    }
    let [without, with] = ends[..] else { unreachable!() };
    assert!(with < GRACE + config().end_notice, "{with:?}: it hung no more by then");
    assert!(with <= without + Duration::from_secs(1), "{with:?} against {without:?}");
}

#[tokio::test(start_paused = true)]
async fn a_run_ends_before_its_deadline_however_long_the_notice_takes() {
    let world = World::stored(&speech(4).0, 1_000);
    world.stop();
    world.state().listeners_hang = true;
    let remaining = Duration::from_secs(32);
    let side = world.host();
    side.relay(&config()).start(request("a", remaining)).await.unwrap();
    assert_eq!(end_notices(&world).len(), 1);
    assert!(world.elapsed() < remaining, "{:?}", world.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_run_that_finds_a_stopped_session_ended_sends_the_notice_again() {
    let world = World::stored(&speech(4).0, 1_000);
    world.stop();
    run_to_end(&world, "a").await;
    // The first run may have crashed before it notified anyone.
    assert_eq!(run_to_end(&world, "b").await.outcome, Outcome::Ended);
    assert_eq!(end_notices(&world).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn no_notice_is_sent_for_a_session_that_was_not_stopped() {
    let world = World::stored(&speech(4).0, 1_000);
    world.stop();
    run_to_end(&world, "a").await;
    world.state().end_notices.clear();
    // A stream that ends without a stop: the health check ends its session first.
    world.state().table.item.as_mut().unwrap().desired = session::Desired::Run;
    assert_eq!(run_to_end(&world, "b").await.outcome, Outcome::Ended);
    assert_eq!(end_notices(&world), []);
}

#[tokio::test(start_paused = true)]
async fn the_last_invocation_of_a_chain_sends_the_notice() {
    let world = World::live(&speech(30).0, 1_000);
    let side = world.host();
    let run = request("a", Duration::from_secs(70));
    let config = config();
    let first = side.relay(&config).start(run);
    let next = async {
        let link = loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let link = world.state().continuations.pop();
            if let Some(link) = link {
                break link;
            }
        };
        world.stop();
        world.host().relay(&config).resume(request("b", LONG), link.epoch).await.unwrap()
    };
    let (first, next) = tokio::join!(first, next);
    assert_eq!((first.unwrap().outcome, next.outcome), (Outcome::HandedOff, Outcome::Ended));
    assert_eq!(end_notices(&world).len(), 1);
}
