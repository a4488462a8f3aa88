//! An hour of speech with holes: the sample count never leaves the producer's clock by more than 10 ms.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use media::timeline::{Length, MediaTime, TOLERANCE, Timeline};
use proptest::prelude::*;

const T0: i64 = 1_700_000_000_000;
const HOUR_MS: f64 = 3_600_000.0;

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
        while ms < HOUR_MS {
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
}
