//! An hour of speech with holes: the sample count never leaves the producer's clock by more than 10 ms.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use media::Anchor;
use media::timeline::{Length, MediaTime, SERVER_JITTER_MS, TOLERANCE, Timeline};
use proptest::prelude::*;

const T0: i64 = 1_700_000_000_000;
const HOUR_MS: i64 = 3_600_000;
const FRAGMENT_MS: i64 = 2000;
const BLOCK_MS: i64 = 100;
const TICK: u64 = 1_000_000;

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_hour_of_gaps_creeps_by_no_more_than_the_tolerance(
        (frames, rate) in prop_oneof![
            Just((320, 16_000)), Just((1024, 48_000)), Just((1024, 44_100)), Just((160, 8_000)),
        ],
        // How the producer's clock runs against its sample clock: up to 100 ppm.
        drift in -1e-4..1e-4_f64,
        pauses in proptest::collection::vec((1..20_000_u32, 0.0..30_000.0_f64), 1..50),
    ) {
        let mut timeline = Timeline::new(2000, 1000);
        timeline.begin_fragment(Some(T0));
        timeline.set_session(T0);
        let length = Length { frames, rate };
        let block_ms = f64::from(frames) * 1000.0 / f64::from(rate) * (1.0 + drift);
        let (mut ms, mut pauses) = (0.0, pauses.into_iter().cycle());
        let (mut blocks_left, mut pause_ms) = pauses.next().unwrap();
        while ms < HOUR_MS as f64 {
            // Producers write whole milliseconds.
            let stamp = T0 + ms.round() as i64;
            let placed = timeline.place(MediaTime::from_ms(stamp), length);
            prop_assert!(!placed.reanchored);
            let clock = (stamp - T0) * 16;
            let apart = (placed.start - placed.cut - clock).abs();
            prop_assert!(apart <= TOLERANCE, "{apart} samples apart at {ms} ms");
            ms += block_ms;
            blocks_left -= 1;
            if blocks_left == 0 {
                ms += pause_ms;
                (blocks_left, pause_ms) = pauses.next().unwrap();
            }
        }
    }

    #[test]
    fn an_hour_of_restarts_with_a_right_clock_creeps_by_no_more_than_the_tolerance(
        timecodes in timecodes(),
        jitter_ms in 0..900_i64,
        events in proptest::collection::vec((1..30_u32, pause(), Just(false)), 1..20),
        seed in any::<u64>(),
    ) {
        let apart = Hour { timecodes, jitter_ms, seed }.worst(events)?;
        prop_assert!(apart.right <= TOLERANCE, "{apart:?}");
    }

    #[test]
    fn a_clock_that_is_set_an_hour_wrong_and_right_again_leaves_nothing_behind(
        timecodes in timecodes(),
        jitter_ms in 0..100_i64,
        events in proptest::collection::vec((1..60_u32, pause(), any::<bool>()), 1..20),
        seed in any::<u64>(),
    ) {
        let apart = Hour { timecodes, jitter_ms, seed }.worst(events)?;
        prop_assert!(apart.right <= TOLERANCE, "{apart:?}");
        // Only the server's clock tells then, and it is no better than its jitter.
        let known = 16 * (SERVER_JITTER_MS + 2 * jitter_ms);
        prop_assert!(apart.wrong <= TOLERANCE + known, "{apart:?}");
    }
}

#[test]
fn a_restart_every_ten_seconds_and_timecodes_of_zero_add_up_to_nothing() {
    for (timecodes, jitter_ms, every) in
        [(Timecodes::Relative, 50, 5), (Timecodes::Equal, 20, 1), (Timecodes::Equal, 1000, 1)]
    {
        let hour = Hour { timecodes, jitter_ms, seed: 3 };
        assert_eq!(hour.worst(vec![(every, 0, false)]).unwrap().right, 0, "{timecodes:?}");
    }
}

/// What a producer writes into its Clusters.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Timecodes {
    /// Time since the producer started.
    Relative,
    /// Its clock.
    Absolute,
    /// Always the same.
    Equal,
}

fn timecodes() -> impl Strategy<Value = Timecodes> {
    prop_oneof![Just(Timecodes::Relative), Just(Timecodes::Absolute), Just(Timecodes::Equal)]
}

/// Milliseconds without a fragment: none, a little, two hours.
fn pause() -> impl Strategy<Value = i64> {
    prop_oneof![4 => Just(0), 2 => 1..5000_i64, 1 => Just(2 * HOUR_MS)]
}

struct Hour {
    timecodes: Timecodes,
    /// SERVER_TIMESTAMP is up to so much early or late.
    jitter_ms: i64,
    seed: u64,
}

/// How far blocks stood from where true time has them, at worst, in samples.
#[derive(Debug, Default)]
struct Apart {
    right: i64,
    wrong: i64,
}

impl Hour {
    /// An hour of speech in fragments. After so many of each event the producer starts again, a pause later; if
    /// the event says so, with its clock an hour off (or, if it was, right again).
    fn worst(&self, events: Vec<(u32, i64, bool)>) -> Result<Apart, TestCaseError> {
        let mut apart = Apart::default();
        let mut timeline = Timeline::new(2000, 1000);
        let (mut spoken, mut now, mut off, mut random) = (0, T0, 0, self.seed);
        let mut started = now;
        let mut events = events.into_iter().cycle();
        let (mut left, mut pause, mut step) = events.next().unwrap();
        while spoken < HOUR_MS {
            let clock = now + off;
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let jitter = (random >> 33) as i64 % (2 * self.jitter_ms + 1) - self.jitter_ms;
            let cluster = match self.timecodes {
                Timecodes::Relative => now - started,
                Timecodes::Absolute => clock,
                Timecodes::Equal => 0,
            };
            // A run that goes on from here knows as much as the one that came here.
            let anchor = timeline.anchor("1".parse().unwrap()).to_text();
            let anchor = Anchor::from_text(&anchor).unwrap();
            let mut resumed = Timeline::from_anchor(&anchor, 2000, 1000);
            for timeline in [&mut timeline, &mut resumed] {
                timeline.begin_fragment(Some(now + 300 + jitter));
                timeline.set_session(clock - cluster);
                timeline.begin_cluster(MediaTime::from_ms(clock), TICK);
            }
            for offset in (0..FRAGMENT_MS).step_by(BLOCK_MS as usize) {
                let (time, length) = (MediaTime::from_ms(clock + offset), Length::samples(1600));
                let placed = timeline.place(time, length);
                prop_assert_eq!(placed, resumed.place(time, length));
                if placed.cut < placed.len {
                    let true_position = (now + offset - T0) * 16;
                    let worst = if off == 0 { &mut apart.right } else { &mut apart.wrong };
                    *worst = (*worst).max((placed.start - placed.cut - true_position).abs());
                }
            }
            prop_assert_eq!(&timeline, &resumed);
            (spoken, now) = (spoken + FRAGMENT_MS, now + FRAGMENT_MS);
            left -= 1;
            if left == 0 {
                now += pause;
                started = now;
                off = if step { HOUR_MS - off } else { off };
                (left, pause, step) = events.next().unwrap();
            }
        }
        Ok(apart)
    }
}
