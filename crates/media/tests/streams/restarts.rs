//! Producer restarts and constant Cluster timecodes keep the timeline at the producer's clock.

use crate::harness::{Outputs, T0, body, decode, fragments, packets, reference};
use testkit::getmedia::{self, Fragment};

const HOUR_MS: i64 = 3_600_000;

/// Position after the last sample.
fn end(outputs: &Outputs) -> u64 {
    let (start, samples, ..) = outputs.pcm.last().unwrap();
    start + samples.len() as u64
}

/// SERVER_TIMESTAMPs up to `ms` early or late, in a long pattern.
fn jitter(all: &mut [Fragment], ms: i64) {
    for (index, fragment) in all.iter_mut().enumerate() {
        let off = (index as i64 * 7919) % (2 * ms + 1) - ms;
        fragment.server_ms = fragment.server_ms.map(|server| server + off);
    }
}

/// The producer restarts at `all[from]` with its clock changed by `off_ms`.
fn restart(all: &mut [Fragment], from: usize, off_ms: i64) {
    for (index, fragment) in all[from..].iter_mut().enumerate() {
        fragment.cluster_ms = Some(2000 * index as i64);
        fragment.producer_ms = fragment.producer_ms.map(|ms| ms + off_ms);
    }
}

#[test]
fn timecodes_of_zero_change_no_position() {
    let packets = packets(1, 60);
    let mut all = fragments(&packets);
    jitter(&mut all, 100);
    for fragment in &mut all {
        fragment.cluster_ms = Some(0);
    }
    let (outputs, _, stream) = decode(&body(&all), 1460);
    assert!(outputs.joined(0) == reference(&packets));
    assert_eq!((stream.counters().filled_samples, stream.counters().reanchors), (0, 0));
}

#[test]
fn restarts_with_a_right_clock_change_no_position() {
    let packets = packets(1, 60);
    let mut all = fragments(&packets);
    jitter(&mut all, 400);
    for from in (0..all.len()).step_by(3) {
        restart(&mut all, from, 0);
    }
    // Two fragments are missing between two sessions: the producer's clock decides, not the
    // server's.
    all.drain(12..14);
    let (outputs, _, stream) = decode(&body(&all), 1460);
    assert_eq!(end(&outputs), reference(&packets).len() as u64);
    assert_eq!((stream.counters().gap_samples, stream.counters().reanchors), (64_000, 0));
}

#[test]
fn a_clock_set_by_an_hour_and_back_has_no_lasting_effect() {
    let packets = packets(1, 60);
    for absolute in [false, true] {
        let mut all = fragments(&packets);
        jitter(&mut all, 40);
        for (from, off_ms) in [(5, HOUR_MS), (10, -HOUR_MS), (15, -HOUR_MS), (20, HOUR_MS)] {
            restart(&mut all, from, off_ms);
        }
        if absolute {
            // The timecodes of Connect are the clock itself, so the session never changes.
            for fragment in &mut all {
                fragment.cluster_ms = fragment.producer_ms;
            }
        }
        let (outputs, _, stream) = decode(&body(&all), 1460);
        assert_eq!(stream.counters().reanchors, 4);
        assert!(outputs.joined(0) == reference(&packets), "{absolute}");
    }
}

#[test]
fn a_restart_is_detected_without_audio_at_its_start() {
    let packets = packets(2, 14);
    let mut all = fragments(&packets);
    restart(&mut all, 3, HOUR_MS);
    all[3].packets.clear();
    let (outputs, _, stream) = decode(&body(&all), 1460);
    assert_eq!((stream.counters().reanchors, stream.counters().filled_samples), (1, 32_000));
    assert_eq!(end(&outputs), reference(&packets).len() as u64);
}

#[test]
fn the_servers_clock_refers_to_the_start_of_the_fragment() {
    let packets = packets(3, 12);
    // Audio only in the last half second of the fragment before the restart, or of the one after
    // it.
    for late in [2, 3] {
        let mut all = fragments(&packets);
        restart(&mut all, 3, HOUR_MS);
        all[late].packets.drain(..75);
        let (outputs, _, stream) = decode(&body(&all), 1460);
        assert_eq!((stream.counters().reanchors, stream.counters().filled_samples), (1, 24_000));
        assert_eq!(outputs.joined(0).len(), reference(&packets).len(), "{late}");
    }
}

#[test]
fn two_hours_of_silence_keep_their_length_in_every_kind_of_restart() {
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
        let (outputs, _, stream) = decode(&body(&all), 1460);
        assert_eq!(outputs.gaps, [(64_000 - 104, 2 * HOUR_MS.unsigned_abs() * 16)]);
        assert_eq!((stream.counters().reanchors, stream.counters().filled_samples), (0, 0));
    }
}

#[test]
fn buffered_media_keeps_its_clock() {
    let packets = packets(5, 12);
    let mut all = fragments(&packets);
    // After a minute without connection it sends the buffered fragments; the older ones are lost.
    for fragment in &mut all[3..] {
        fragment.server_ms = Some(T0 + 66_000);
    }
    all.remove(3);
    let (outputs, _, stream) = decode(&body(&all), 1460);
    assert_eq!((stream.counters().reanchors, stream.counters().filled_samples), (0, 32_000));
    assert_eq!(outputs.joined(0).len(), reference(&packets).len());
}

#[test]
fn documents_that_each_start_at_zero_are_contiguous() {
    let packets = packets(6, 8);
    for fragment_ms in [200, 800, 2000] {
        let mut all = getmedia::fragments(&packets, 200, fragment_ms, T0);
        for fragment in &mut all {
            (fragment.number, fragment.server_ms, fragment.producer_ms) = (None, None, None);
            (fragment.cluster_ms, fragment.millis_behind_now) = (Some(0), None);
        }
        let (outputs, _, stream) = decode(&body(&all), 1460);
        assert_eq!(stream.counters().packets, packets.len() as u64, "{fragment_ms}");
        assert!(outputs.joined(0) == reference(&packets), "{fragment_ms}");
    }
}
