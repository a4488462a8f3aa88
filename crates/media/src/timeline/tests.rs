use super::*;
use crate::SAMPLE_RATE;

const T0: i64 = 1_700_000_000_000;

fn timeline() -> Timeline {
    let mut timeline = Timeline::new(2000, 1000);
    timeline.begin_fragment(Some(T0 + 300));
    timeline.set_session(T0);
    timeline
}

fn at(ms: i64) -> MediaTime {
    MediaTime::from_ms(T0 + ms)
}

#[test]
fn the_first_block_starts_before_zero_by_pre_skip() {
    let mut timeline = timeline();
    let first = at(0).plus_nanos(-6_500_000);
    timeline.start_at(first, Length { frames: 312, rate: 48_000 }, SAMPLE_RATE, 0);
    assert_eq!(timeline.origin_ms(), Some(T0));
    assert_eq!(timeline.place(first, Length::samples(320)).start, -104);
    assert_eq!(timeline.place(at(20).plus_nanos(-6_500_000), Length::samples(320)).start, 216);
}

#[test]
fn a_pre_skip_at_the_codecs_rate_is_kept_to_the_fraction() {
    let mut timeline = timeline();
    let frame = Length { frames: 1024, rate: 48_000 };
    timeline.start_at(at(0), frame, frame.rate, 0);
    // −341⅓, 0, 341⅓, 682⅔: floors and what is beyond them, in 1/48000.
    for (block, (start, fraction)) in
        [(-342, 32_000), (0, 0), (341, 16_000), (682, 32_000), (1024, 0)].into_iter().enumerate()
    {
        let placed = timeline.place(at(block as i64 * 64 / 3), frame);
        assert_eq!((placed.start, placed.fraction), (start, fraction), "{block}");
    }
}

#[test]
fn rounded_timestamps_never_move_the_sample_count() {
    let mut timeline = timeline();
    for (block, ms) in [0, 21, 41, 59, 81, 110, 111].into_iter().enumerate() {
        let placed = timeline.place(at(ms), Length::samples(320));
        assert_eq!(
            placed,
            Placement { start: 320 * block as i64, len: 320, ..Placement::default() }
        );
    }
}

#[test]
fn gaps_are_filled_up_to_the_limit_and_skipped_beyond() {
    let mut timeline = timeline();
    timeline.place(at(0), Length::samples(320));
    let placed = timeline.place(at(2020), Length::samples(320));
    assert_eq!((placed.fill, placed.gap, placed.start), (32_000, 0, 32_320));
    let placed = timeline.place(at(4041), Length::samples(320));
    assert_eq!((placed.fill, placed.gap, placed.start), (0, 32_016, 64_656));
    assert_eq!(timeline.next(), 64_976);
}

#[test]
fn overlap_within_the_session_is_dropped() {
    let mut timeline = timeline();
    timeline.place(at(0), Length::samples(1920));
    let placed = timeline.place(at(100), Length::samples(960));
    assert_eq!((placed.cut, placed.start, timeline.next()), (320, 1920, 2560));
    let whole = timeline.place(at(40), Length::samples(320));
    assert_eq!((whole.cut, timeline.next(), whole.reanchored), (320, 2560, false));
}

#[test]
fn a_clock_that_jumps_back_is_re_anchored_in_place_by_the_next_cluster() {
    let mut timeline = timeline();
    for block in 0..200 {
        timeline.place(at(20 * block), Length::samples(320));
    }
    let placed = timeline.place(at(0), Length::samples(320));
    assert_eq!((placed.reanchored, placed.start, placed.astray), (false, 64_000, -64_000));
    timeline.begin_cluster(at(20), 1_000_000);
    let placed = timeline.place(at(20), Length::samples(320));
    assert_eq!((placed.reanchored, placed.start, placed.cut), (true, 64_320, 0));
    assert_eq!(timeline.place(at(40), Length::samples(320)).start, 64_640);
}

#[test]
fn another_producer_session_stands_where_the_server_clock_puts_it() {
    let mut timeline = timeline();
    timeline.place(at(0), Length::samples(16_000));
    timeline.begin_fragment(Some(T0 + 300 + 1500));
    timeline.set_session(T0 + 90_000);
    let placed = timeline.place(at(90_000), Length::samples(320));
    assert_eq!((placed.reanchored, placed.fill, placed.start), (true, 8000, 24_000));
    // The server's clock cannot take the session back.
    timeline.begin_fragment(Some(T0));
    timeline.set_session(T0);
    let placed = timeline.place(at(0), Length::samples(320));
    assert_eq!((placed.reanchored, placed.start), (true, 24_320));
}

#[test]
fn absurd_clocks_move_nothing() {
    let mut timeline = timeline();
    timeline.place(at(0), Length::samples(320));
    for wild in [i64::MAX, i64::MIN, 0] {
        timeline.begin_fragment(Some(wild));
        timeline.set_session(wild);
        let placed = timeline.place(MediaTime::from_ms(wild), Length::samples(320));
        assert_eq!((placed.gap, placed.fill, placed.cut), (0, 0, 0), "{wild}");
    }
    assert_eq!(timeline.next(), 4 * 320);
}

#[test]
fn an_anchor_repeats_the_positions() {
    let mut first = timeline();
    first.place(at(0), Length::samples(320));
    let anchor = first.anchor("12".parse().unwrap());
    let mut second = Timeline::from_anchor(&anchor, 2000, 1000);
    for run in [&mut first, &mut second] {
        run.begin_fragment(Some(T0 + 5000));
        run.set_session(T0 + 4000);
    }
    for ms in [4000, 4020, 4500, 4400] {
        assert_eq!(
            first.place(at(ms), Length::samples(320)),
            second.place(at(ms), Length::samples(320)),
            "{ms}"
        );
    }
}
