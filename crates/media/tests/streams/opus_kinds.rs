//! Every kind of Opus packet is decoded as by bare libopus, after any other kind.

use crate::harness::{self, T0, decode};
use media::codec::opus::Toc;
use testkit::getmedia::{self, Fragment, Framing, Timed};
use testkit::opus_kinds::{self, Kind};
use testkit::pcm::Random;

/// Packets as consecutive fragments.
fn fragments(packets: &[Vec<u8>]) -> Vec<Fragment> {
    let mut at = 0_i64;
    let mut all = Vec::new();
    for (index, chunk) in packets.chunks(50).enumerate() {
        let start = at / 16;
        let mut timed = Vec::new();
        for packet in chunk {
            timed.push(Timed {
                offset_ms: at / 16 - start,
                data: packet.clone(),
                discard_padding: 0,
            });
            at += i64::from(Toc::read(packet).unwrap().samples());
        }
        all.push(Fragment {
            number: Some(getmedia::number(index as u64)),
            server_ms: Some(T0 + start + 500),
            producer_ms: Some(T0 + start),
            cluster_ms: Some(start),
            packets: timed,
            millis_behind_now: Some(0),
        });
    }
    all
}

fn assert_as_libopus(name: &str, packets: &[Vec<u8>]) {
    let (outputs, _, stream) =
        decode(&getmedia::body(&Framing::default(), &fragments(packets)), 997);
    let counters = stream.counters();
    assert_eq!(counters.packets, packets.len() as u64, "{name}");
    assert_eq!((counters.decode_errors, counters.filled_samples), (0, 0), "{name}");
    let expected = testkit::opus::decode(packets);
    assert!(outputs.joined(0) == expected[104..], "{name}");
}

/// Number of frames of this kind that fit into one packet: 120 ms.
fn most(kind: &Kind) -> usize {
    (1200 / kind.frame() as usize).min(12)
}

/// All ways to put a kind's frames into packets.
fn packed(kind: &Kind) -> Vec<Vec<u8>> {
    let mut packets: Vec<_> = (0..4).map(|frame| kind.one(frame)).collect();
    packets.extend([kind.two_equal(4), kind.two(5), kind.many(0, 1, 0), kind.many(2, 1, 600)]);
    packets.extend([kind.many(0, most(kind), 0), kind.many(0, most(kind), 3)]);
    packets
}

#[test]
fn all_configurations_codes_and_channels() {
    for kind in opus_kinds::all() {
        let name = format!("configuration {} stereo {}", kind.config, kind.stereo);
        assert_as_libopus(&name, &packed(&kind));
    }
}

#[test]
fn every_kind_after_every_other() {
    let packets: Vec<_> = opus_kinds::all().iter().flat_map(packed).collect();
    for seed in 0..6 {
        let mut random = Random::new(seed);
        let mixed: Vec<_> = (0..600)
            .map(|_| packets[random.below(packets.len() as u64) as usize].clone())
            .collect();
        assert_as_libopus(&format!("seed {seed}"), &mixed);
    }
}

#[test]
fn damaged_packets_are_concealed_between_intact_ones() {
    let packets: Vec<_> = opus_kinds::all().iter().flat_map(packed).collect();
    let mut broken = packets.clone();
    for packet in broken.iter_mut().skip(20).step_by(37) {
        // A code 3 packet with a count of no frames: its length is unknown.
        *packet = vec![packet[0] | 3, 0];
    }
    let (outputs, _, stream) =
        decode(&getmedia::body(&Framing::default(), &timed_as(&packets, &broken)), 997);
    let lost = packets.iter().skip(20).step_by(37).count() as u64;
    let counters = stream.counters();
    assert_eq!(counters.decode_errors, lost);
    // Stamps are whole milliseconds, so the time of each lost packet is rounded.
    let expected = testkit::opus::decode(&packets).len() - 104;
    assert!(outputs.joined(0).len().abs_diff(expected) <= 16 * lost as usize);
    assert!(counters.filled_samples > 0);
}

/// `packets` at the times of those they replace.
fn timed_as(times: &[Vec<u8>], packets: &[Vec<u8>]) -> Vec<Fragment> {
    let mut all = fragments(times);
    let places = all.iter_mut().flat_map(|fragment| &mut fragment.packets);
    for (place, packet) in places.zip(packets) {
        place.data.clone_from(packet);
    }
    all
}

#[test]
fn a_damaged_last_packet_is_concealed_too() {
    let mut packets = harness::packets(3, 2);
    let whole = harness::reference(&packets).len();
    for broken in [1, 2] {
        let from = packets.len() - broken;
        packets[from] = vec![packets[from][0] | 3, 0];
        let body = getmedia::body(&Framing::default(), &fragments_of_20_ms(&packets));
        let (outputs, _, stream) = decode(&body, 997);
        assert_eq!(stream.counters().decode_errors, broken as u64);
        assert_eq!(harness::flushed(outputs, stream).len(), whole);
    }
}

fn fragments_of_20_ms(packets: &[Vec<u8>]) -> Vec<Fragment> {
    getmedia::fragments(packets, 200, 2000, T0)
}

#[test]
fn a_damaged_frame_of_a_lace_does_not_move_those_after_it() {
    let packets = harness::packets(4, 4);
    let framing = Framing { lacing: (testkit::ebml::Lacing::Xiph, 5), ..Framing::default() };
    for broken in [40, 42, 44] {
        let mut damaged = packets.clone();
        damaged[broken] = vec![packets[broken][0] | 3, 0];
        let body = getmedia::body(&framing, &fragments_of_20_ms(&damaged));
        let (outputs, _, stream) = decode(&body, 997);
        let counters = stream.counters();
        assert_eq!((counters.decode_errors, counters.filled_samples), (1, 320));
        let expected = harness::reference(&packets);
        let found = outputs.joined(0);
        assert_eq!(found.len(), expected.len());
        let behind = (broken + 20) * 320;
        assert!(testkit::snr::decibels(&expected[behind..], &found[behind..]) > 30.0);
    }
}

fn level(pcm: &[i16]) -> f64 {
    pcm.iter().map(|&sample| f64::from(sample).powi(2)).sum::<f64>().sqrt()
}

#[test]
fn the_gain_of_opus_head_is_applied_to_a_tenth_of_a_decibel() {
    let packets = harness::packets(5, 3);
    let heard_with = |gain: i16| {
        let private = Some(testkit::opus::head(2, 312, gain));
        let framing = Framing { codec_private: private, ..Framing::default() };
        decode(&getmedia::body(&framing, &fragments_of_20_ms(&packets)), 997).0.joined(0)
    };
    let plain = heard_with(0);
    for decibels in [-20_i16, -6, 3] {
        let found = 20.0 * (level(&heard_with(decibels * 256)) / level(&plain)).log10();
        assert!((found - f64::from(decibels)).abs() < 0.1, "{decibels} dB: {found:.2}");
    }
}

#[test]
fn more_than_two_channels_and_other_mappings_are_reported() {
    for (channels, family) in [(3, 0), (2, 1), (6, 1), (8, 1), (4, 2), (3, 255)] {
        let mut private = testkit::opus::head(channels, 312, 0);
        private.truncate(18);
        private.extend([family, channels, 0]);
        private.extend(0..channels);
        let framing = Framing { codec_private: Some(private), ..Framing::default() };
        let body = getmedia::body(&framing, &fragments_of_20_ms(&harness::packets(5, 1)));
        let (outputs, _, stream) = decode(&body, 997);
        assert_eq!(outputs.reports.len(), 1, "{:?}", outputs.reports);
        let reports = ["UnsupportedCodec", "A_OPUS", "channel"];
        assert!(
            reports.iter().all(|word| outputs.reports[0].contains(word)),
            "{:?}",
            outputs.reports
        );
        assert!(outputs.pcm.is_empty() && stream.counters().skipped_blocks == 50);
    }
}
