//! Sessions of one process share only its thread. Simulated time advances only when every session
//! waits, so a session that spins instead of waiting would block the clock of all.

use std::sync::Arc;
use std::time::Duration;

use relay::Outcome;
use session::ErrorKind;
use simulator::kvs::{Break, How, open_error};
use simulator::processor::Script;
use simulator::{FaultRates, LONG, State, World, config, request, speech};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// More than any session requests.
const EVERY: usize = 10_000;
const HOUR: Duration = Duration::from_secs(3_600);

type Trouble = fn(&mut State);

const PROCESSOR_DOWN: [Trouble; 5] = [
    |state| state.processor.scripts = [Script::Hang; EVERY].into(),
    |state| state.processor.scripts = [Script::Fail; EVERY].into(),
    |state| state.processor.scripts = [Script::Forget; EVERY].into(),
    |state| state.processor.scripts = [Script::Invalid; EVERY].into(),
    |state| state.processor.takes = Duration::from_secs(50),
];

const STREAM_DOWN: [Trouble; 5] = [
    |state| {
        state.kvs.open_errors = vec![open_error(ErrorKind::Denied, "AccessDenied"); EVERY].into()
    },
    |state| state.kvs.breaks = [Break::cut(500); EVERY].into(),
    |state| state.kvs.breaks = [Break { after: 500, how: How::Stall(HOUR) }; EVERY].into(),
    |state| state.kvs.breaks = [Break { after: 0, how: How::Tag(5000) }; EVERY].into(),
    |state| state.kvs.deleted = true,
];

const TABLE_DOWN: [Trouble; 2] = [
    |state| state.table.fault_rates = FaultRates::DOWN,
    |state| state.table.fault_rates = FaultRates { refused: 0, answer_lost: 0, unanswered: 1_000 },
];

/// When the processor received a chunk, since its session began, and the chunk's end.
type Delivery = (Duration, u64);

/// Runs a healthy session from its first fragment to its last.
async fn healthy(packets: &[Vec<u8>], expected: &[i16]) -> Vec<Delivery> {
    let begun = Instant::now();
    let world = World::live(packets, 1_000);
    let side = world.host();
    let stop = async {
        tokio::time::sleep(Duration::from_secs(13)).await;
        world.stop();
    };
    let config = config();
    let (report, ()) = tokio::join!(side.relay(&config).start(request("a", LONG)), stop);
    assert_eq!(report.unwrap().outcome, Outcome::Ended);
    let state = world.state();
    assert_eq!(state.processor.accepted, expected);
    state.processor.deliveries.iter().map(|(at, end)| (*at - begun, *end)).collect()
}

/// Checks that a healthy session next to sessions with these faults delivers every chunk at the
/// same time as when it runs alone.
async fn check(troubles: &[Trouble]) {
    let (packets, expected) = speech(12);
    let alone = healthy(&packets, &expected).await;
    let mut runs = JoinSet::new();
    let mut failing: Vec<Arc<World>> = Vec::new();
    for trouble in troubles {
        let world = World::live(&packets, 1_000);
        trouble(&mut world.state());
        let side = world.host();
        runs.spawn(async move { side.relay(&config()).start(request("a", LONG)).await });
        failing.push(world);
    }
    let beside = healthy(&packets, &expected).await;
    assert_eq!(beside, alone);
    for (number, world) in failing.iter().enumerate() {
        let taken = world.state().processor.taken;
        assert!(taken < expected.len() as u64 / 2, "number {number} was well: {taken} samples");
    }
}

#[tokio::test(start_paused = true)]
async fn a_processor_that_is_down_slows_no_other_session() {
    check(&PROCESSOR_DOWN).await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_cannot_be_read_slows_no_other_session() {
    check(&STREAM_DOWN).await;
}

#[tokio::test(start_paused = true)]
async fn a_table_that_is_down_for_some_slows_no_other_session() {
    check(&TABLE_DOWN).await;
}

#[tokio::test(start_paused = true)]
async fn a_hundred_sick_sessions_slow_no_healthy_one() {
    let all = [&PROCESSOR_DOWN[..], &STREAM_DOWN, &TABLE_DOWN].concat();
    check(&all.iter().cycle().take(100).copied().collect::<Vec<_>>()).await;
}
