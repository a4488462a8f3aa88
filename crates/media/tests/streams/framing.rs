//! The division of the input into pieces, and elements between blocks, do not change the output.

use crate::harness::{self, Outputs, decode, fragments, packets, reference};
use media::mkv::{Event, Parser, Selected};
use proptest::prelude::*;
use testkit::ebml::{self, Lacing, Size, id};
use testkit::getmedia::{self, Framing};
use testkit::{opus, pcm, recorded};

fn pcm_of(framing: &Framing, packets: &[Vec<u8>]) -> (Outputs, u64) {
    let bytes = getmedia::body(framing, &fragments(packets));
    let (outputs, tail, stream) = decode(&bytes, 1460);
    assert!(!tail.cut, "{framing:?}");
    assert_eq!(outputs.reports, Vec::<String>::new(), "{framing:?}");
    (outputs, stream.counters().fragments)
}

#[test]
fn pcm_equals_bare_libopus() {
    let packets = packets(1, 5);
    let (outputs, fragments) = pcm_of(&Framing::default(), &packets);
    assert_eq!(fragments, 3);
    assert_eq!(outputs.joined(0), reference(&packets));
}

#[test]
fn every_chunking_gives_the_same() {
    let bytes = getmedia::body(&Framing::odd(), &fragments(&packets(2, 5)));
    let (whole, ..) = decode(&bytes, bytes.len());
    assert_eq!(whole.completed.len(), 3);
    for piece in [1, 2, 3, 7, 100, 1460, 16_384] {
        let (pieces, ..) = decode(&bytes, piece);
        assert!(pieces == whole, "pieces of {piece} bytes");
    }
}

#[test]
fn oddities_of_producers_do_not_change_the_output() {
    let packets = packets(3, 5);
    let plain = Framing::default;
    let expected = reference(&packets);
    for framing in [
        Framing::odd(),
        Framing { void: true, ..plain() },
        Framing { crc: true, ..plain() },
        Framing { stale_seek_head: true, ..plain() },
        Framing { nul_padding: true, ..plain() },
        Framing { producer_tags: true, ..plain() },
        Framing { info: false, ..plain() },
        Framing { block_groups: true, ..plain() },
        Framing { video: Some(40_000), ..plain() },
        Framing { codec_delay: None, ..plain() },
        Framing { codec_private: None, ..plain() },
        Framing { scale: 100_000, ..plain() },
        Framing { segment: Size::Bytes(8), cluster: Size::Unknown(1), ..plain() },
        Framing { segment: Size::Unknown(3), cluster: Size::Unknown(8), ..plain() },
        Framing { segment: Size::Short, cluster: Size::Bytes(3), ..plain() },
        Framing { cluster: Size::Unknown(1), block_groups: true, void: true, ..plain() },
    ] {
        let (outputs, _) = pcm_of(&framing, &packets);
        assert!(outputs.joined(0) == expected, "{framing:?}");
    }
}

#[test]
fn laced_packets_are_emitted_one_by_one() {
    let settings = opus::Settings { bitrate: 24_000, ..opus::Settings::default() };
    let packets = opus::encode(&settings, &pcm::speech_like(4, 5 * 48_000));
    let expected = reference(&packets);
    for lacing in [(Lacing::Xiph, 4), (Lacing::Ebml, 5), (Lacing::Xiph, 1), (Lacing::Ebml, 1)] {
        let (outputs, _) = pcm_of(&Framing { lacing, ..Framing::default() }, &packets);
        assert_eq!(outputs.pcm.len(), packets.len());
        assert!(outputs.joined(0) == expected, "{lacing:?}");
    }
    let same_size: Vec<_> = packets.iter().map(|_| packets[100].clone()).collect();
    let framing = Framing { lacing: (Lacing::Fixed, 10), ..Framing::default() };
    let (outputs, _) = pcm_of(&framing, &same_size);
    assert_eq!(outputs.joined(0), reference(&same_size));
}

#[test]
fn every_packet_length_keeps_its_position() {
    for frame in [25, 50, 100, 200, 400, 600] {
        for stereo in [false, true] {
            let settings = opus::Settings { frame, stereo, ..opus::Settings::default() };
            let mono = pcm::speech_like(5, 3 * 48_000);
            let sound = if stereo { pcm::interleave(&mono, &mono) } else { mono };
            let packets = opus::encode(&settings, &sound);
            let fragments = getmedia::fragments(&packets, frame, 1000, harness::T0);
            let (outputs, ..) = decode(&harness::body(&fragments), 1000);
            assert!(outputs.joined(0) == reference(&packets), "{frame} {stereo}");
        }
    }
}

#[test]
fn recorded_files_need_no_aws_tags() {
    let packets = packets(6, 12);
    let mut timed = recorded::timed(&packets, 200);
    let expected = reference(&packets);
    for segment in [Size::Bytes(8), Size::Unknown(8)] {
        let framing = Framing { segment, ..Framing::default() };
        let (outputs, tail, stream) = decode(&recorded::file(&framing, &timed), 1460);
        assert_eq!((tail.cut, stream.counters().fragments), (false, 1));
        assert_eq!(outputs.joined(0), expected);
    }
    // DiscardPadding trims the end, and only the end.
    timed[100].discard_padding = 5_000_000;
    timed.last_mut().unwrap().discard_padding = 13_500_000;
    let (outputs, ..) = decode(&recorded::file(&Framing::default(), &timed), 1460);
    assert_eq!(outputs.joined(0), expected[..expected.len() - 216]);
}

#[test]
fn padding_may_precede_its_block() {
    let packets = packets(6, 2);
    let mut timed = recorded::timed(&packets, 200);
    timed.last_mut().unwrap().discard_padding = 13_500_000;
    let mut bytes =
        recorded::file(&Framing { segment: Size::Bytes(8), ..Framing::default() }, &timed);
    // The last BlockGroup: Block, BlockDuration, DiscardPadding. GStreamer writes the last first.
    let padding = ebml::element(id::DISCARD_PADDING, &13_500_000_i64.to_be_bytes());
    let last = packets.last().unwrap().len() + 4;
    let block = 1 + ebml::encode_size(Size::Short, last as u64).len() + last + 3;
    let group = bytes.len() - padding.len() - block;
    bytes[group..].rotate_right(padding.len());
    let (outputs, tail, _) = decode(&bytes, 1460);
    let expected = reference(&packets);
    assert!(!tail.cut && outputs.joined(0) == expected[..expected.len() - 216]);
}

#[test]
fn a_bad_first_frame_of_a_lace_moves_no_other_frame() {
    let settings = opus::Settings { bitrate: 24_000, ..opus::Settings::default() };
    let packets = opus::encode(&settings, &pcm::speech_like(4, 3 * 48_000));
    let mut broken = packets.clone();
    broken[51].clear();
    let framing = Framing { lacing: (Lacing::Xiph, 3), ..Framing::default() };
    let (whole, ..) = decode(&getmedia::body(&framing, &fragments(&packets)), 1460);
    let (outputs, _, stream) = decode(&getmedia::body(&framing, &fragments(&broken)), 1460);
    assert_eq!(stream.counters().decode_errors, 1);
    assert_eq!(outputs.joined(0).len(), whole.joined(0).len());
    // All except the time of the bad packet.
    assert_eq!(stream.counters().filled_samples, 320);
}

#[test]
fn a_block_is_emitted_when_its_last_byte_is_pushed() {
    let bytes = getmedia::body(&Framing::default(), &fragments(&packets(7, 2)));
    let mut parser = Parser::new();
    let mut ends = Vec::new();
    for (index, byte) in bytes.iter().enumerate() {
        assert!(parser.push(&[*byte]).is_empty());
        while let Some(event) = parser.poll() {
            match event {
                Event::Tracks { .. } => parser.select(Some(Selected::any(1))),
                Event::Block(block) => ends.push((index + 1, block.data.to_vec())),
                _ => {}
            }
        }
    }
    assert_eq!(ends.len(), 100);
    for (end, data) in ends {
        assert_eq!(bytes[end - data.len()..end], data);
    }
}

/// Sums the bytes that the parser reports: documents, skipped bytes, tail.
fn accounted(bytes: &[u8], piece: usize) -> u64 {
    let mut parser = Parser::new();
    let mut sum = 0;
    let mut chunks = bytes.chunks(piece);
    let mut rest = &[][..];
    while let Some(chunk) = if rest.is_empty() { chunks.next() } else { Some(rest) } {
        rest = parser.push(chunk);
        while let Some(event) = parser.poll() {
            match event {
                Event::DocumentEnd { bytes, .. } | Event::Skipped { bytes } => sum += bytes,
                Event::Tracks { tracks, .. } => {
                    let track = tracks.last().map(|track| Selected::any(track.number));
                    parser.select(track);
                }
                _ => {}
            }
        }
    }
    let end = parser.finish();
    sum + end.document.unwrap_or(0) + end.tail
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bytes_are_conserved_whatever_is_cut_or_broken(
        cut in 0..40_000_usize,
        broken in proptest::collection::vec((0..40_000_usize, any::<u8>()), 0..6),
        piece in prop_oneof![Just(1), Just(7), Just(1460), Just(100_000)],
    ) {
        let framing = Framing { cluster: Size::Unknown(1), ..Framing::odd() };
        let framing = Framing { video: Some(50), ..framing };
        let mut bytes = getmedia::body(&framing, &fragments(&packets(8, 5)));
        bytes.truncate(cut);
        for (at, byte) in broken {
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
        }
        prop_assert_eq!(accounted(&bytes, piece), bytes.len() as u64);
    }
}
