//! Damaged and hostile bytes: no panic, no hang, bounded memory, and the next intact fragment is
//! decoded.

use crate::harness::{self, Outputs, body, decode, fragments, packets, reference};
use media::mkv::{Event, Parser, Selected, limits};
use media::{Stream, StreamOptions};
use proptest::prelude::*;
use testkit::ebml::{self, Size, id};
use testkit::getmedia::{self, Framing};

#[test]
fn after_damage_the_next_fragment_is_decoded_and_the_damaged_one_reported() {
    let packets = packets(1, 8);
    let all = fragments(&packets);
    let mut bytes = body(&all);
    let second = body(&all[..1]).len() + 4000;
    bytes[second..second + 600].fill(0);
    let (outputs, tail, stream) = decode(&bytes, 1460);
    assert_eq!(outputs.reports.len(), 1, "{:?}", outputs.reports);
    assert!(outputs.reports[0].contains(all[1].number.as_ref().unwrap()), "{:?}", outputs.reports);
    assert_eq!((outputs.completed.len(), tail.cut), (3, false));
    assert_eq!((stream.counters().resyncs, stream.counters().incomplete_fragments), (1, 1));
    let last = outputs.pcm.last().unwrap();
    assert_eq!(last.0 as usize + last.1.len(), reference(&packets).len());
}

#[test]
fn a_damaged_fragment_can_be_requested_again() {
    let packets = packets(2, 6);
    let all = fragments(&packets);
    let mut broken = body(&all[..2]);
    // From the header of a block on: a packet damaged inside would be decoded.
    let packet = &packets[130];
    let payload = broken.windows(packet.len()).position(|window| window == packet).unwrap();
    let head = 1 + ebml::encode_size(Size::Short, packet.len() as u64 + 4).len() + 4;
    broken[payload - head..payload + 600].fill(0);
    let mut stream = Stream::start(StreamOptions::default());
    let mut outputs = Outputs::default();
    outputs.push(&mut stream, &broken, 1460);
    let tail = stream.finish();
    assert_eq!((outputs.pcm.len(), outputs.reports.len()), (130, 0));
    assert_eq!(tail.incomplete.map(|number| number.to_string()), all[1].number);
    assert_eq!(stream.counters().incomplete_fragments, 1);
    outputs.push(&mut stream, &body(&all[1..]), 1460);
    assert!(outputs.joined(0) == reference(&packets));
}

#[test]
fn a_damaged_document_header_loses_no_bytes_without_a_report() {
    let all = fragments(&packets(4, 5));
    let sound = body(&all);
    let starts: Vec<usize> = (1..all.len()).map(|count| body(&all[..count]).len()).collect();
    let mut random = testkit::pcm::Random::new(5);
    for round in 0..1_000 {
        let mut broken = sound.clone();
        let start = starts[round % starts.len()];
        for byte in &mut broken[start..start + 4] {
            *byte ^= 1 + random.below(255) as u8;
        }
        // The parser alone: its view of the structure.
        let mut parser = Parser::new();
        let (mut numbers, mut skipped, mut rest) = (0, 0, &broken[..]);
        while !rest.is_empty() {
            rest = parser.push(rest);
            while let Some(event) = parser.poll() {
                numbers += usize::from(matches!(event, Event::FragmentStart(_)));
                skipped += usize::from(matches!(event, Event::Skipped { .. }));
            }
        }
        let lost = skipped > 0 || parser.finish().tail > 0;
        let header = &broken[start..start + 4];
        assert!(lost || numbers == all.len(), "{header:02x?} of document {start}: {numbers}");
    }
}

#[test]
fn garbage_between_fragments_damages_none_of_them() {
    let all = fragments(&packets(6, 6));
    let documents: Vec<Vec<u8>> = all.iter().map(|one| body(std::slice::from_ref(one))).collect();
    let mut random = testkit::pcm::Random::new(6);
    let mut noise: Vec<Vec<u8>> = (0..120)
        .map(|_| (0..1 + random.below(100)).map(|_| random.below(256) as u8).collect())
        .collect();
    noise.push(b"HTTP/1.1 200 OK\r\n\r\n".to_vec());
    // Elements that would contain the next document's header, or all of it.
    noise.push(b"\xEC\x40\x80".to_vec());
    noise.push(b"\x4F\xFE\xB0".to_vec());
    noise.push(b"\xD7\x88".to_vec());
    for garbage in noise {
        let bytes = [&documents[0][..], &garbage, &documents[1], &documents[2]].concat();
        let (outputs, tail, stream) = decode(&bytes, 1460);
        let completed = outputs.completed.len();
        assert_eq!(
            (completed, tail.cut),
            (all.len(), false),
            "{garbage:02x?}: {:?}",
            outputs.reports
        );
        assert_eq!(stream.counters().resyncs, 1, "{garbage:02x?}");
    }
}

#[test]
fn one_bit_in_the_size_of_a_block_damages_one_fragment() {
    let packets = packets(7, 20);
    let all = fragments(&packets);
    let framing = Framing { cluster: Size::Unknown(1), ..Framing::default() };
    let mut bytes = getmedia::body(&framing, &all);
    let packet = &packets[130];
    let payload = bytes.windows(packet.len()).position(|window| window == packet).unwrap();
    let size = payload - 4 - ebml::encode_size(Size::Short, packet.len() as u64 + 4).len();
    // Two bytes of size become four.
    bytes[size] = 0x10 | (bytes[size] & 0x0F);
    let (outputs, tail, stream) = decode(&bytes, 1460);
    assert_eq!((outputs.completed.len(), tail.cut), (all.len() - 1, false));
    assert_eq!(stream.counters().resyncs, 1);
}

#[test]
fn blocks_of_half_a_second_of_pcm_are_decoded_and_longer_ones_reported() {
    let audio = getmedia::AudioElement { rate: 48_000.0, channels: 2, bit_depth: Some(16) };
    let framing = Framing { audio: Some(audio), ..Framing::codec("A_PCM/INT/LIT", None) };
    let spoken = |block: usize, ms| {
        let blocks = vec![vec![0x55; block]; 4];
        getmedia::body(&framing, &getmedia::paced(&blocks, (ms, 1), 2000, harness::T0))
    };
    let (outputs, _, stream) = decode(&spoken(96_000, 500), 16_384);
    assert_eq!((outputs.joined(0).len() as u64, stream.counters().resyncs), (31_950, 0));
    let (outputs, tail, stream) = decode(&[spoken(192_000, 1000), spoken(0, 1)].concat(), 16_384);
    assert_eq!((outputs.pcm.len(), tail.cut, stream.counters().resyncs), (0, false, 2));
    assert!(outputs.reports[0].contains("Skipped"), "{:?}", outputs.reports);
}

#[test]
fn a_document_in_every_block_of_another_track_stays_within_the_memory_limit() {
    let packets = packets(8, 4);
    let inner = body(&fragments(&packets));
    let framing = Framing {
        name: "AUDIO_FROM_CUSTOMER".to_owned(),
        other: Some(("inner".to_owned(), inner.repeat(4))),
        cluster: Size::Unknown(1),
        ..Framing::default()
    };
    let bytes = getmedia::body(&framing, &fragments(&packets));
    let (outputs, _, stream) = decode(&bytes, 16_384);
    assert_eq!((outputs.completed.len(), stream.counters().resyncs), (2, 0));
    assert!(outputs.joined(0) == reference(&packets));
}

#[test]
fn a_fragment_without_its_trailing_tags_is_not_complete() {
    let packets = packets(3, 6);
    let mut all = fragments(&packets);
    all[1].millis_behind_now = None;
    let (outputs, ..) = decode(&body(&all), 1460);
    assert_eq!(outputs.completed.len(), 2);
    assert!(outputs.reports[0].contains("Skipped { bytes: 0"), "{:?}", outputs.reports);
    assert!(outputs.joined(0) == reference(&packets));
}

#[test]
fn the_ebml_id_inside_a_payload_is_not_a_document() {
    let packets = packets(4, 4);
    let mut all = fragments(&packets);
    let header = ebml::header(b"matroska");
    all[0].packets[10].data = [&[0xFC][..], &header, id::SEGMENT].concat();
    let (outputs, _, stream) = decode(&body(&all), 7);
    assert_eq!((outputs.completed.len(), stream.counters().resyncs), (2, 0));
    assert_eq!(stream.counters().packets, 200);
}

#[test]
fn lengths_are_checked_before_bytes_are_buffered() {
    let huge = |id: &[u8]| [id, &ebml::encode_size(Size::Bytes(8), 1 << 40)].concat();
    let header = ebml::header(b"matroska");
    let segment = ebml::sized(id::SEGMENT, Size::Unknown(8), &[]);
    let track = [ebml::unsigned(b"\xD7", 1), ebml::unsigned(b"\x83", 2)].concat();
    let tracks = ebml::master(id::TRACKS, &[ebml::element(id::TRACK_ENTRY, &track)]);
    let cluster = ebml::sized(id::CLUSTER, Size::Unknown(1), &[]);
    let tags = ebml::sized(id::TAGS, Size::Unknown(1), b"\x73\x73\xFF\x67\xC8\xFF");
    for hostile in [
        [&header[..], &segment, &huge(id::VOID)].concat(),
        [&header[..], &segment, &huge(b"\x4D\xBB")].concat(),
        [&header[..], &segment, &tracks, &cluster, &huge(id::SIMPLE_BLOCK), b"\x81\0\0\0"].concat(),
        [&header[..], &segment, &tags, &huge(b"\x44\x87")].concat(),
        [&header[..], &segment, &tags, &b"\x67\xC8\xFF".repeat(100)].concat(),
        [&header[..], &header, &header].concat(),
        huge(id::EBML),
        b"\x1A".repeat(1000),
    ] {
        let mut parser = Parser::new();
        let flood = [hostile, vec![0x55; 2_000_000]].concat();
        let mut rest = &flood[..];
        while !rest.is_empty() {
            rest = parser.push(rest);
            while let Some(event) = parser.poll() {
                if matches!(event, Event::Tracks { .. }) {
                    parser.select(Some(Selected::any(1)));
                }
            }
            assert!(parser.held() <= limits::MAX_HELD, "{} bytes held", parser.held());
        }
    }
}

fn mutate(bytes: &mut Vec<u8>, edits: &[(usize, u8, u8)]) {
    for &(at, kind, value) in edits {
        let at = at % bytes.len().max(1);
        match kind % 5 {
            0 => bytes[at] = value,
            1 => bytes[at] ^= 1 << (value % 8),
            2 => drop(bytes.drain(at..(at + usize::from(value)).min(bytes.len()))),
            3 => drop(bytes.splice(at..at, vec![value; usize::from(value)])),
            _ => {
                let end = (at + 8 * usize::from(value)).min(bytes.len());
                let copied = bytes[at..end].to_vec();
                bytes.splice(at..at, copied);
            }
        }
        if bytes.is_empty() {
            bytes.push(value);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_mutation_breaks_the_stream(
        edits in proptest::collection::vec((any::<usize>(), any::<u8>(), any::<u8>()), 1..12),
        piece in prop_oneof![Just(1_usize), Just(13), Just(1460), Just(1 << 20)],
        lacing in prop_oneof![Just(ebml::Lacing::None), Just(ebml::Lacing::Xiph), Just(ebml::Lacing::Ebml)],
    ) {
        let framing = Framing { lacing: (lacing, 3), video: Some(30), ..Framing::odd() };
        let good = getmedia::body(&framing, &fragments(&packets(5, 5)));
        let mut bytes = good.clone();
        mutate(&mut bytes, &edits);
        let (whole, ..) = decode(&bytes, bytes.len());
        let (pieces, _, stream) = decode(&bytes, piece);
        // Pieces do not change the result.
        prop_assert!(pieces == whole);
        let mut next = 0;
        for (start, samples, ..) in &pieces.pcm {
            prop_assert!(*start >= next, "a sample twice or out of order");
            next = start + samples.len() as u64;
        }
        let counted: u64 = pieces.pcm.iter().map(|(_, samples, ..)| samples.len() as u64).sum();
        prop_assert_eq!(counted, stream.counters().samples);
    }

    #[test]
    fn random_bytes_give_no_output(bytes in proptest::collection::vec(any::<u8>(), 0..4000), piece in 1..500_usize) {
        let (outputs, tail, stream) = decode(&bytes, piece);
        prop_assert_eq!(outputs.pcm.len(), 0);
        prop_assert_eq!(tail.bytes + stream.counters().skipped_bytes, bytes.len() as u64);
    }
}
