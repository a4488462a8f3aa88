use super::*;
use crate::SAMPLE_RATE;

const T0: i64 = 1_700_000_000_000;

fn timeline() -> Timeline {
    let mut timeline = Timeline::new(2000);
    timeline.begin_fragment(Some(T0 + 300));
    timeline.set_session(T0);
    timeline
}

fn at(ms: i64) -> MediaTime {
    MediaTime::from_ms(T0 + ms)
}

fn packet() -> Length {
    Length::samples(320)
}

/// Places a packet that is contiguous.
fn contiguous(timeline: &mut Timeline, ms: i64) -> Placement {
    timeline.place(at(ms), packet(), Missing::Nothing, false, false).0
}

/// Places a packet at the start of a Cluster; the packets after it confirm its stamp.
fn at_head(timeline: &mut Timeline, ms: i64) -> (Placement, bool) {
    let lateness = timeline.lateness(at(ms), 0);
    let waiting = [DeferredStamp { lateness, length: packet(), begins_block: true }; 6];
    let (missing, head) = match timeline.judge(&waiting, true, false) {
        Verdict::Late(missing) => (missing, true),
        _ => (Missing::Nothing, false),
    };
    timeline.place(at(ms), packet(), missing, head, false)
}

#[test]
fn the_first_block_starts_before_zero_by_pre_skip() {
    let mut timeline = timeline();
    let first = at(0).plus_nanos(-6_500_000);
    timeline.start_at(first, Length { frames: 312, rate: 48_000 }, SAMPLE_RATE, 0);
    assert_eq!(timeline.origin_ms(), Some(T0));
    let placed = timeline.place(first, packet(), Missing::Nothing, true, false).0;
    assert_eq!(placed.start, -104);
    assert_eq!(contiguous(&mut timeline, 20).start, 216);
}

#[test]
fn a_pre_skip_at_the_codecs_rate_is_kept_to_the_fraction() {
    let mut timeline = timeline();
    let frame = Length { frames: 1024, rate: 48_000 };
    timeline.start_at(at(0), frame, frame.rate, 0);
    // −341⅓, 0, 341⅓, 682⅔: floors and remainders in 1/48000.
    for (block, (start, fraction)) in
        [(-342, 32_000), (0, 0), (341, 16_000), (682, 32_000), (1024, 0)].into_iter().enumerate()
    {
        let time = at(block as i64 * 64 / 3);
        let placed = timeline.place(time, frame, Missing::Nothing, false, false).0;
        assert_eq!((placed.start, placed.fraction), (start, fraction), "{block}");
    }
}

#[test]
fn missing_time_is_filled_up_to_the_limit_and_skipped_beyond() {
    let mut timeline = timeline();
    contiguous(&mut timeline, 0);
    let place = |timeline: &mut Timeline, ms, missing| {
        timeline.place(at(ms), packet(), missing, false, false).0
    };
    let placed = place(&mut timeline, 2020, Missing::Samples(32_000));
    assert_eq!((placed.fill, placed.gap, placed.start), (32_000, 0, 32_320));
    let placed = place(&mut timeline, 4041, Missing::Samples(32_016));
    assert_eq!((placed.fill, placed.gap, placed.start), (0, 32_016, 64_656));
    let placed = place(&mut timeline, 4101, Missing::Packets(2));
    assert_eq!((placed.fill, placed.gap, placed.start), (640, 0, 65_616));
    assert_eq!(timeline.next(), 65_936);
}

#[test]
fn lost_packets_keep_the_fraction() {
    let mut timeline = timeline();
    let frame = Length { frames: 1024, rate: 48_000 };
    timeline.place(at(0), frame, Missing::Nothing, false, false);
    let placed = timeline.place(at(85), frame, Missing::Packets(3), false, false).0;
    // Four frames are 1365 and a third.
    assert_eq!((placed.start, placed.fraction, placed.fill), (1365, 16_000, 1024));
}

#[test]
fn the_stamp_after_a_damaged_packet_determines_the_lost_time() {
    let mut timeline = timeline();
    contiguous(&mut timeline, 0);
    for (lateness, missing) in [
        (320, Missing::Packets(1)),
        (330, Missing::Packets(1)),
        (100, Missing::Samples(100)),
        (-300, Missing::Samples(0)),
        (50_000, Missing::Packets(7)),
    ] {
        assert_eq!(timeline.damaged(1, lateness, packet()), missing, "{lateness}");
    }
}

#[test]
fn a_clock_that_jumps_back_is_re_anchored_by_the_next_cluster() {
    let mut timeline = timeline();
    for block in 0..200 {
        contiguous(&mut timeline, 20 * block);
    }
    // Within a Cluster it is contiguous.
    assert_eq!(contiguous(&mut timeline, 0).start, 64_000);
    let (placed, reanchored) = at_head(&mut timeline, 20);
    assert_eq!((reanchored, placed.start), (true, 64_320));
    assert_eq!(contiguous(&mut timeline, 40).start, 64_640);
    assert_eq!(timeline.lateness(at(60), 0), 0);
}

#[test]
fn another_producer_session_is_placed_by_the_server_clock() {
    let mut timeline = timeline();
    timeline.place(at(0), Length::samples(16_000), Missing::Nothing, true, false);
    timeline.begin_fragment(Some(T0 + 300 + 1500));
    timeline.set_session(T0 + 90_000);
    let (placed, reanchored) = at_head(&mut timeline, 90_000);
    assert_eq!((reanchored, placed.fill, placed.start), (true, 8000, 24_000));
    // The server's clock never moves the session back.
    timeline.begin_fragment(Some(T0));
    timeline.set_session(T0);
    let (placed, reanchored) = at_head(&mut timeline, 0);
    assert_eq!((reanchored, placed.start), (true, 24_320));
}

#[test]
fn absurd_clocks_change_no_position() {
    let mut timeline = timeline();
    contiguous(&mut timeline, 0);
    for wild in [i64::MAX, i64::MIN, 0] {
        timeline.begin_fragment(Some(wild));
        timeline.set_session(wild);
        let (placed, _) = at_head(&mut timeline, wild.saturating_sub(T0));
        assert_eq!((placed.gap, placed.fill), (0, 0), "{wild}");
    }
    assert_eq!(timeline.next(), 4 * 320);
}

#[test]
fn lasting_absurd_clocks_change_no_position() {
    let mut timeline = timeline();
    for block in 0..200 {
        let ms = if block < 3 { 20 * block } else { 1 << 50 };
        let placed = contiguous(&mut timeline, ms);
        assert_eq!((placed.gap, placed.fill), (0, 0), "{block}");
    }
}

#[test]
fn a_resumed_timeline_repeats_the_positions() {
    let mut first = timeline();
    contiguous(&mut first, 0);
    first.lost = 77;
    let point = first.resume_point("12".parse().unwrap());
    let mut second = Timeline::from_resume_point(&point, 2000);
    for run in [&mut first, &mut second] {
        run.begin_fragment(Some(T0 + 5000));
        run.set_session(T0 + 4000);
    }
    for ms in [4000, 4020, 4500, 4400] {
        assert_eq!(at_head(&mut first, ms), at_head(&mut second, ms), "{ms}");
    }
    assert_eq!(first, second);
}
