//! Producers that start again, and Clusters whose timecodes say nothing, leave the timeline where
//! the clock has it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod harness;

use harness::{Heard, T0, body, fragments, listen, packets, reference};
use testkit::getmedia::{self, Fragment};

const HOUR_MS: i64 = 3_600_000;

/// Position after the last sample.
fn end(heard: &Heard) -> u64 {
    let (start, samples, ..) = heard.pcm.last().unwrap();
    start + samples.len() as u64
}

/// SERVER_TIMESTAMPs up to `ms` early or late, by a pattern that does not repeat soon.
fn jitter(all: &mut [Fragment], ms: i64) {
    for (index, fragment) in all.iter_mut().enumerate() {
        let off = (index as i64 * 7919) % (2 * ms + 1) - ms;
        fragment.server_ms = fragment.server_ms.map(|server| server + off);
    }
}

/// The producer starts again with `all[from]`, its clock `off_ms` from what it was.
fn restart(all: &mut [Fragment], from: usize, off_ms: i64) {
    for (index, fragment) in all[from..].iter_mut().enumerate() {
        fragment.cluster_ms = Some(2000 * index as i64);
        fragment.producer_ms = fragment.producer_ms.map(|ms| ms + off_ms);
    }
}

#[test]
fn timecodes_that_are_always_zero_move_nothing() {
    let packets = packets(1, 60);
    let mut all = fragments(&packets);
    jitter(&mut all, 100);
    for fragment in &mut all {
        fragment.cluster_ms = Some(0);
    }
    let (heard, _, stream) = listen(&body(&all), 1460);
    assert!(heard.joined(0) == reference(&packets));
    assert_eq!((stream.counters().filled_samples, stream.counters().reanchors), (0, 0));
}

#[test]
fn restarts_with_a_right_clock_move_nothing() {
    let packets = packets(1, 60);
    let mut all = fragments(&packets);
    jitter(&mut all, 400);
    for from in (0..all.len()).step_by(3) {
        restart(&mut all, from, 0);
    }
    // Between two sessions nobody spoke for two fragments: the clock says how long, not the server.
    all.drain(12..14);
    let (heard, _, stream) = listen(&body(&all), 1460);
    assert_eq!(end(&heard), reference(&packets).len() as u64);
    assert_eq!((stream.counters().gap_samples, stream.counters().reanchors), (64_000, 0));
}

#[test]
fn a_clock_set_an_hour_and_back_ends_where_it_would_have() {
    let packets = packets(1, 60);
    for absolute in [false, true] {
        let mut all = fragments(&packets);
        jitter(&mut all, 40);
        for (from, off_ms) in [(5, HOUR_MS), (10, -HOUR_MS), (15, -HOUR_MS), (20, HOUR_MS)] {
            restart(&mut all, from, off_ms);
        }
        if absolute {
            // Connect's Clusters carry the clock itself: the session never seems to change.
            for fragment in &mut all {
                fragment.cluster_ms = fragment.producer_ms;
            }
        }
        let (heard, _, stream) = listen(&body(&all), 1460);
        assert_eq!(stream.counters().reanchors, 4);
        assert!(heard.joined(0) == reference(&packets), "{absolute}");
    }
}

#[test]
fn a_restart_without_audio_at_first_is_still_a_restart() {
    let packets = packets(2, 14);
    let mut all = fragments(&packets);
    restart(&mut all, 3, HOUR_MS);
    all[3].packets.clear();
    let (heard, _, stream) = listen(&body(&all), 1460);
    assert_eq!((stream.counters().reanchors, stream.counters().filled_samples), (1, 32_000));
    assert_eq!(end(&heard), reference(&packets).len() as u64);
}

#[test]
fn the_servers_clock_holds_for_the_fragment_and_not_for_its_first_block() {
    let packets = packets(3, 12);
    // Audio only in the last half second of the fragment before the restart, or of the one after
    // it.
    for late in [2, 3] {
        let mut all = fragments(&packets);
        restart(&mut all, 3, HOUR_MS);
        all[late].packets.drain(..75);
        let (heard, _, stream) = listen(&body(&all), 1460);
        assert_eq!((stream.counters().reanchors, stream.counters().filled_samples), (1, 24_000));
        assert_eq!(heard.joined(0).len(), reference(&packets).len(), "{late}");
    }
}

#[test]
fn two_hours_of_silence_are_two_hours_however_the_session_goes_on() {
    let packets = packets(4, 8);
    for again in [false, true] {
        let mut all = fragments(&packets);
        for fragment in &mut all[2..] {
            fragment.producer_ms = fragment.producer_ms.map(|ms| ms + 2 * HOUR_MS);
            fragment.server_ms = fragment.server_ms.map(|ms| ms + 2 * HOUR_MS - 700);
            fragment.cluster_ms = fragment.cluster_ms.map(|ms| ms + 2 * HOUR_MS);
        }
        if again {
            restart(&mut all, 2, 0);
        }
        let (heard, _, stream) = listen(&body(&all), 1460);
        assert_eq!(heard.gaps, [(64_000 - 104, 2 * HOUR_MS.unsigned_abs() * 16)]);
        assert_eq!((stream.counters().reanchors, stream.counters().filled_samples), (0, 0));
    }
}

#[test]
fn what_a_producer_had_buffered_keeps_its_clock() {
    let packets = packets(5, 12);
    let mut all = fragments(&packets);
    // Cut off for a minute, it sends the last fragments when it is back; what did not fit its
    // buffer is gone.
    for fragment in &mut all[3..] {
        fragment.server_ms = Some(T0 + 66_000);
    }
    all.remove(3);
    let (heard, _, stream) = listen(&body(&all), 1460);
    assert_eq!((stream.counters().reanchors, stream.counters().filled_samples), (0, 32_000));
    assert_eq!(heard.joined(0).len(), reference(&packets).len());
}

#[test]
fn documents_that_each_count_from_zero_follow_each_other() {
    let packets = packets(6, 8);
    for fragment_ms in [200, 800, 2000] {
        let mut all = getmedia::fragments(&packets, 200, fragment_ms, T0);
        for fragment in &mut all {
            (fragment.number, fragment.server_ms, fragment.producer_ms) = (None, None, None);
            (fragment.cluster_ms, fragment.millis_behind_now) = (Some(0), None);
        }
        let (heard, _, stream) = listen(&body(&all), 1460);
        assert_eq!(stream.counters().packets, packets.len() as u64, "{fragment_ms}");
        assert!(heard.joined(0) == reference(&packets), "{fragment_ms}");
    }
}
