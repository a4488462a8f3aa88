//! How bytes are cut and what else stands between the blocks never changes what comes out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod harness;

use harness::{Heard, fragments, listen, packets, reference};
use media::mkv::{Event, Parser, Selected};
use proptest::prelude::*;
use testkit::ebml::{self, Lacing, Size, id};
use testkit::getmedia::{self, Framing};
use testkit::{opus, pcm, recorded};

fn pcm_of(framing: &Framing, packets: &[Vec<u8>]) -> (Heard, u64) {
    let bytes = getmedia::body(framing, &fragments(packets));
    let (heard, tail, stream) = listen(&bytes, 1460);
    assert!(!tail.cut, "{framing:?}");
    assert_eq!(heard.said, Vec::<String>::new(), "{framing:?}");
    (heard, stream.counters().fragments)
}

#[test]
fn pcm_is_that_of_bare_libopus() {
    let packets = packets(1, 5);
    let (heard, fragments) = pcm_of(&Framing::default(), &packets);
    assert_eq!(fragments, 3);
    assert_eq!(heard.joined(0), reference(&packets));
}

#[test]
fn every_chunking_gives_the_same() {
    let bytes = getmedia::body(&Framing::odd(), &fragments(&packets(2, 5)));
    let (whole, ..) = listen(&bytes, bytes.len());
    assert_eq!(whole.completed.len(), 3);
    for piece in [1, 2, 3, 7, 100, 1460, 16_384] {
        let (pieces, ..) = listen(&bytes, piece);
        assert!(pieces == whole, "pieces of {piece} bytes");
    }
}

#[test]
fn oddities_of_producers_change_nothing() {
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
        let (heard, _) = pcm_of(&framing, &packets);
        assert!(heard.joined(0) == expected, "{framing:?}");
    }
}

#[test]
fn laced_packets_come_out_one_by_one() {
    let settings = opus::Settings { bitrate: 24_000, ..opus::Settings::default() };
    let packets = opus::encode(&settings, &pcm::speech_like(4, 5 * 48_000));
    let expected = reference(&packets);
    for lacing in [(Lacing::Xiph, 4), (Lacing::Ebml, 5), (Lacing::Xiph, 1), (Lacing::Ebml, 1)] {
        let (heard, _) = pcm_of(&Framing { lacing, ..Framing::default() }, &packets);
        assert_eq!(heard.pcm.len(), packets.len());
        assert!(heard.joined(0) == expected, "{lacing:?}");
    }
    let same_size: Vec<_> = packets.iter().map(|_| packets[100].clone()).collect();
    let framing = Framing { lacing: (Lacing::Fixed, 10), ..Framing::default() };
    let (heard, _) = pcm_of(&framing, &same_size);
    assert_eq!(heard.joined(0), reference(&same_size));
}

#[test]
fn every_packet_length_keeps_its_place() {
    for frame in [25, 50, 100, 200, 400, 600] {
        for stereo in [false, true] {
            let settings = opus::Settings { frame, stereo, ..opus::Settings::default() };
            let mono = pcm::speech_like(5, 3 * 48_000);
            let sound = if stereo { pcm::interleave(&mono, &mono) } else { mono };
            let packets = opus::encode(&settings, &sound);
            let fragments = getmedia::fragments(&packets, frame, 1000, harness::T0);
            let (heard, ..) = listen(&harness::body(&fragments), 1000);
            assert!(heard.joined(0) == reference(&packets), "{frame} {stereo}");
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
        let (heard, tail, stream) = listen(&recorded::file(&framing, &timed), 1460);
        assert_eq!((tail.cut, stream.counters().fragments), (false, 1));
        assert_eq!(heard.joined(0), expected);
    }
    // DiscardPadding trims the end, and only the end.
    timed[100].discard_padding = 5_000_000;
    timed.last_mut().unwrap().discard_padding = 13_500_000;
    let (heard, ..) = listen(&recorded::file(&Framing::default(), &timed), 1460);
    assert_eq!(heard.joined(0), expected[..expected.len() - 216]);
}

#[test]
fn padding_may_be_told_before_its_block() {
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
    let (heard, tail, _) = listen(&bytes, 1460);
    let expected = reference(&packets);
    assert!(!tail.cut && heard.joined(0) == expected[..expected.len() - 216]);
}

#[test]
fn a_bad_first_frame_of_a_lace_moves_no_other() {
    let settings = opus::Settings { bitrate: 24_000, ..opus::Settings::default() };
    let packets = opus::encode(&settings, &pcm::speech_like(4, 3 * 48_000));
    let mut broken = packets.clone();
    broken[51].clear();
    let framing = Framing { lacing: (Lacing::Xiph, 3), ..Framing::default() };
    let (whole, ..) = listen(&getmedia::body(&framing, &fragments(&packets)), 1460);
    let (heard, _, stream) = listen(&getmedia::body(&framing, &fragments(&broken)), 1460);
    assert_eq!(stream.counters().decode_errors, 1);
    assert_eq!(heard.joined(0).len(), whole.joined(0).len());
    // All but the bad packet's own time.
    assert_eq!(stream.counters().filled_samples, 320);
}

#[test]
fn a_block_comes_out_as_its_last_byte_comes_in() {
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

/// Sums what the parser accounts for: documents, skipped bytes, tail.
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
