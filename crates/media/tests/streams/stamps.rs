//! Block times that are wrong, coarse or shared by several blocks lose no audio and change no later
//! position.

use crate::harness::{Outputs, T0, body, decode, encoded, fragments, packets, reference};
use media::{Stream, StreamOptions};
use testkit::aac;
use testkit::ebml::Lacing;
use testkit::getmedia::{self, Framing, Timed};

#[test]
fn a_single_wrong_stamp_changes_no_position() {
    let packets = packets(1, 12);
    for off_ms in [-3000, -1500, 700, 1500, 3000] {
        // In the middle of a fragment and at its start; at its end a late stamp cannot be
        // distinguished from a pause.
        for block in [50, 0, 99].into_iter().filter(|&block| block < 99 || off_ms < 0) {
            let mut all = fragments(&packets);
            all[2].packets[block].offset_ms += off_ms;
            let (outputs, _, stream) = decode(&body(&all), 1460);
            assert!(outputs.joined(0) == reference(&packets), "{off_ms} ms at {block}");
            let counters = stream.counters();
            assert_eq!(counters.reanchors, 0, "{off_ms} {block}");
            assert_eq!((counters.filled_samples, counters.gap_samples), (0, 0));
            for (start, _, _, producer_ms) in &outputs.pcm {
                assert!((producer_ms - T0 - *start as i64 / 16).abs() <= 1, "{producer_ms}");
            }
        }
    }
}

#[test]
fn a_stamp_that_the_next_block_confirms_is_accepted() {
    let packets = packets(2, 12);
    let mut all = fragments(&packets);
    // A second is missing inside a fragment, and more than three before a fragment's only block.
    all[1].packets.drain(30..80);
    all.remove(3);
    all[3].packets.drain(..80);
    all[3].packets.drain(1..);
    let (outputs, _, stream) = decode(&body(&all), 1460);
    let last = outputs.pcm.last().unwrap();
    assert_eq!(last.0 as usize + last.1.len(), reference(&packets).len());
    let filled = stream.counters().filled_samples + stream.counters().gap_samples;
    assert_eq!(filled as usize, (50 + 180 + 19) * 320);
}

#[test]
fn a_pause_before_the_last_block_of_a_fragment_keeps_the_clock() {
    let packets = packets(5, 12);
    for pause in [20, 30, 60] {
        let mut all = fragments(&packets);
        let last = all.len() - 1;
        for fragment in &mut all[..last] {
            fragment.packets.drain(99 - pause..99);
        }
        let (outputs, _, stream) = decode(&body(&all), 1460);
        assert_eq!(stream.counters().reanchors, 0);
        for (start, _, _, producer_ms) in &outputs.pcm {
            assert!((producer_ms - T0 - *start as i64 / 16).abs() <= 1, "{producer_ms}");
        }
        let last = outputs.pcm.last().unwrap();
        assert_eq!(last.0 as usize + last.1.len(), reference(&packets).len(), "{pause}");
    }
}

#[test]
fn a_deferred_block_is_not_lost_at_the_end_of_a_recording() {
    let packets = packets(3, 4);
    let mut all = fragments(&packets);
    all[1].packets.drain(20..99);
    for fragment in &mut all {
        (fragment.number, fragment.millis_behind_now) = (None, None);
        (fragment.server_ms, fragment.producer_ms) = (None, None);
    }
    let (mut outputs, _, mut stream) = decode(&body(&all), 1460);
    stream.flush();
    outputs.push(&mut stream, &[0], 1);
    assert_eq!(outputs.joined(0).len(), reference(&packets).len());
    assert_eq!(stream.counters().filled_samples, 79 * 320);
}

#[test]
fn a_deferred_block_of_a_truncated_fragment_is_sent_again_with_it() {
    let packets = packets(4, 8);
    let mut all = fragments(&packets);
    all[2].packets.drain(20..60);
    let (whole, ..) = decode(&body(&all), 1460);
    let bodies: Vec<_> = all.iter().map(|f| getmedia::document(&Framing::default(), f)).collect();
    let mut stream = Stream::start(StreamOptions::default());
    let mut outputs = Outputs::default();
    let [first, second, third, last] = &bodies[..] else { panic!() };
    // All places to truncate: before, in and after the deferred block.
    for cut in (600..2600).step_by(40) {
        let part = [&first[..], second, &third[..cut]].concat();
        outputs.push(&mut stream, if outputs.pcm.is_empty() { &part } else { &third[..cut] }, 100);
        stream.finish();
    }
    outputs.push(&mut stream, &[&third[..], last].concat(), 100);
    assert_eq!(outputs.from(0), whole.from(0));
}

#[test]
fn ticks_longer_than_a_packet_lose_no_audio() {
    let packets = packets(5, 10);
    for micros in [333, 7_000, 12_300, 20_000, 25_000, 50_000, 333_333, 1_000_000] {
        for tagged in [true, false] {
            let framing = Framing { scale: micros * 1000, ..Framing::default() };
            let mut all = fragments(&packets);
            if !tagged {
                // One document, like a recording.
                let rest = all.drain(1..).collect::<Vec<_>>();
                for (index, fragment) in rest.into_iter().enumerate() {
                    let later = 2000 * (index as i64 + 1);
                    all[0].packets.extend(
                        fragment
                            .packets
                            .into_iter()
                            .map(|packet| Timed { offset_ms: packet.offset_ms + later, ..packet }),
                    );
                }
                (all[0].number, all[0].server_ms, all[0].producer_ms) = (None, None, None);
            }
            let (outputs, _, stream) = decode(&getmedia::body(&framing, &all), 1460);
            assert_eq!(stream.counters().packets, packets.len() as u64, "{micros} {tagged}");
            assert!(outputs.joined(0) == reference(&packets), "{micros} µs, {tagged}");
        }
    }
}

#[test]
fn several_blocks_of_one_stamp_are_contiguous() {
    for (frame, together) in [(25, 6), (200, 5), (200, 100), (600, 2)] {
        let packets = encoded(6, 8, frame);
        let mut all = getmedia::fragments(&packets, frame, 2000, T0);
        for fragment in &mut all {
            let stamps: Vec<_> = fragment.packets.iter().map(|packet| packet.offset_ms).collect();
            for (index, packet) in fragment.packets.iter_mut().enumerate() {
                packet.offset_ms = stamps[index / together * together];
            }
        }
        let (outputs, ..) = decode(&body(&all), 1460);
        assert!(outputs.joined(0) == reference(&packets), "{frame} {together}");
    }
}

/// The same audio in blocks of one packet and of several: the time of one block is wrong by 5 s.
#[test]
fn the_wrong_stamp_of_one_block_changes_no_position_for_any_number_of_packets() {
    let pcm = |samples: usize| {
        let audio = getmedia::AudioElement { rate: 48_000.0, channels: 2, bit_depth: Some(16) };
        let framing = Framing { audio: Some(audio), ..Framing::codec("A_PCM/INT/LIT", None) };
        let block = vec![0x11; samples * 4];
        let blocks = vec![block; 12 * 48_000 / samples];
        (framing, getmedia::paced(&blocks, (samples as i64, 48), 2000, T0))
    };
    let adts = |row: usize| {
        let frames: Vec<_> =
            aac::tone(48_000, 1, 560).iter().map(|frame| aac::adts(frame, 48_000, 1)).collect();
        let rows: Vec<_> = frames.chunks_exact(row).map(<[_]>::concat).collect();
        let length = (1_024_000 * row as i64, 48_000);
        (Framing::codec("A_AAC", None), getmedia::paced(&rows, length, 2000, T0))
    };
    let laced = |frames: usize| {
        let lacing = if frames > 1 { (Lacing::Xiph, frames) } else { (Lacing::None, 1) };
        (Framing { lacing, ..Framing::default() }, fragments(&packets(1, 12)))
    };
    let streams =
        [pcm(960), pcm(1920), pcm(5760), adts(1), adts(2), adts(5), laced(1), laced(2), laced(6)];
    for (number, (framing, calm)) in streams.into_iter().enumerate() {
        let mut off = calm.clone();
        let block = off[1].packets.len() / 2 / 6 * 6;
        off[1].packets[block].offset_ms += 5000;
        let (expected, ..) = decode(&getmedia::body(&framing, &calm), 1460);
        let (outputs, _, stream) = decode(&getmedia::body(&framing, &off), 1460);
        assert_eq!(outputs.gaps, [], "{number}");
        assert_eq!(outputs.joined(0), expected.joined(0), "{number}");
        assert_eq!(stream.counters().filled_samples, 0, "{number}");
    }
}
