//! Elements of unknown size at every level, and sizes that end several masters.

use crate::harness::{self, decode, fragments, packets};
use testkit::ebml::{self, Lacing, Size, id};
use testkit::getmedia::{self, Framing};

const UNKNOWN: Size = Size::Unknown(1);

fn entry(children: &[Vec<u8>]) -> Vec<u8> {
    let common =
        [ebml::unsigned(b"\xD7", 1), ebml::unsigned(b"\x83", 2), ebml::element(b"\x86", b"A_OPUS")];
    [common.concat(), children.concat()].concat()
}

fn tracks() -> Vec<u8> {
    ebml::master(id::TRACKS, &[ebml::element(id::TRACK_ENTRY, &entry(&[]))])
}

fn simple_blocks(packets: &[Vec<u8>]) -> Vec<u8> {
    let block = |(index, packet): (usize, &Vec<u8>)| {
        let body = ebml::block(1, 20 * index as i16, 0x80, Lacing::None, &[packet]);
        ebml::element(id::SIMPLE_BLOCK, &body)
    };
    packets.iter().enumerate().flat_map(block).collect()
}

fn cluster(size: Size, packets: &[Vec<u8>]) -> Vec<u8> {
    let children = [ebml::unsigned(id::TIMESTAMP, 0), simple_blocks(packets)];
    ebml::sized(id::CLUSTER, size, &children.concat())
}

fn document(size: Size, children: &[Vec<u8>]) -> Vec<u8> {
    [ebml::header(b"webm"), ebml::sized(id::SEGMENT, size, &children.concat())].concat()
}

/// Asserts that the bytes are one complete document and that all packets are decoded.
fn check(bytes: &[u8], packets: &[Vec<u8>]) {
    let (outputs, tail, stream) = decode(bytes, 100);
    let counters = stream.counters();
    assert_eq!((counters.fragments, counters.resyncs, tail.cut), (1, 0, false));
    assert!(outputs.joined(0) == testkit::opus::decode(packets));
}

#[test]
fn skipped_masters_may_be_of_unknown_size() {
    let packets = packets(1, 1);
    let void = ebml::element(id::VOID, b"1234");
    let seek = [ebml::element(b"\x53\xAB", id::CUES), ebml::unsigned(b"\x53\xAC", 9)].concat();
    let point =
        [ebml::unsigned(b"\xB3", 1), ebml::sized(b"\xB7", UNKNOWN, &ebml::unsigned(b"\xF7", 1))];
    for master in [
        ebml::sized(id::SEEK_HEAD, UNKNOWN, &void),
        ebml::sized(id::SEEK_HEAD, UNKNOWN, &ebml::sized(b"\x4D\xBB", UNKNOWN, &seek)),
        ebml::sized(id::CUES, UNKNOWN, &ebml::sized(b"\xBB", UNKNOWN, &point.concat())),
        ebml::sized(id::ATTACHMENTS, UNKNOWN, &ebml::element(b"\x61\xA7", &[7; 3000])),
        ebml::sized(id::CHAPTERS, UNKNOWN, &ebml::sized(b"\x45\xB9", UNKNOWN, &void)),
    ] {
        for size in [Size::Short, UNKNOWN] {
            let children = [master.clone(), tracks(), cluster(UNKNOWN, &packets)];
            check(&document(size, &children), &packets);
        }
    }
}

#[test]
fn the_codec_id_determines_a_missing_track_type() {
    let packets = packets(1, 1);
    let without = [ebml::unsigned(b"\xD7", 1), ebml::element(b"\x86", b"A_OPUS")].concat();
    let entry = ebml::element(id::TRACK_ENTRY, &without);
    let tracks = ebml::master(id::TRACKS, &[entry]);
    check(&document(UNKNOWN, &[tracks, cluster(UNKNOWN, &packets)]), &packets);
}

#[test]
fn elements_after_a_master_of_unknown_size_are_not_lost() {
    let packets = packets(2, 1);
    let audio = ebml::sized(id::AUDIO, UNKNOWN, &ebml::unsigned(b"\x9F", 1));
    let video = ebml::sized(id::VIDEO, UNKNOWN, &ebml::unsigned(b"\xB0", 640));
    let private = ebml::element(id::CODEC_PRIVATE, &testkit::opus::head(1, 312, 0));
    for entry in [entry(&[audio.clone(), private.clone()]), entry(&[video, audio, private])] {
        let tracks =
            ebml::sized(id::TRACKS, UNKNOWN, &ebml::sized(id::TRACK_ENTRY, UNKNOWN, &entry));
        let bytes = document(UNKNOWN, &[tracks, cluster(Size::Short, &packets)]);
        let (outputs, ..) = decode(&bytes, 100);
        // Only CodecPrivate contains the pre-skip.
        assert!(outputs.joined(0) == harness::reference(&packets));
    }
}

#[test]
fn blocks_in_block_groups_of_unknown_size_are_emitted() {
    let packets = packets(3, 1);
    let group = |(index, packet): (usize, &Vec<u8>)| {
        let body = ebml::block(1, 20 * index as i16, 0, Lacing::None, &[packet]);
        ebml::sized(id::BLOCK_GROUP, UNKNOWN, &ebml::element(id::BLOCK, &body))
    };
    let groups: Vec<u8> = packets.iter().enumerate().flat_map(group).collect();
    let children = [ebml::unsigned(id::TIMESTAMP, 0), groups];
    for size in [Size::Short, UNKNOWN] {
        let cluster = ebml::sized(id::CLUSTER, size, &children.concat());
        let cues = ebml::element(id::CUES, &[]);
        check(&document(UNKNOWN, &[tracks(), cluster, cues]), &packets);
    }
}

#[test]
fn a_known_size_ends_the_open_masters_inside() {
    let packets = packets(4, 1);
    for size in [Size::Short, Size::Bytes(8)] {
        check(&document(size, &[tracks(), cluster(UNKNOWN, &packets)]), &packets);
        let tags = ebml::sized(id::TAGS, UNKNOWN, &ebml::sized(b"\x73\x73", UNKNOWN, &[]));
        check(&document(size, &[tracks(), cluster(UNKNOWN, &packets), tags]), &packets);
    }
}

#[test]
fn zeros_after_a_complete_document_are_not_part_of_it() {
    let packets = packets(5, 1);
    let whole = document(Size::Short, &[tracks(), cluster(UNKNOWN, &packets)]);
    for zeros in [1, 7, 5000] {
        let bytes = [&whole[..], &vec![0; zeros]].concat();
        let (outputs, tail, stream) = decode(&bytes, 100);
        assert_eq!((stream.counters().fragments, tail.bytes), (1, zeros as u64));
        assert!(outputs.joined(0) == testkit::opus::decode(&packets));
    }
}

#[test]
fn a_truncated_element_at_the_end_is_not_part_of_a_complete_fragment() {
    let framing = Framing::default();
    let all = fragments(&packets(6, 2));
    let bytes = getmedia::body(&framing, &all);
    for behind in [&b"\x1A\x45\xDF"[..], b"\xEC\x84ab", &ebml::header(b"matroska")[..20]] {
        let (outputs, tail, _) = decode(&[&bytes[..], behind].concat(), 100);
        assert_eq!((outputs.completed.len(), tail.bytes), (all.len(), behind.len() as u64));
        assert_eq!((tail.cut, tail.incomplete), (true, None));
    }
}

#[test]
fn a_second_segment_is_a_document_of_its_own() {
    let packets = packets(7, 1);
    let first = document(UNKNOWN, &[tracks(), cluster(UNKNOWN, &packets[..25])]);
    let later = [ebml::unsigned(id::TIMESTAMP, 500), simple_blocks(&packets[25..])];
    let children = [tracks(), ebml::master(id::CLUSTER, &later)];
    let second = ebml::sized(id::SEGMENT, UNKNOWN, &children.concat());
    let (outputs, tail, stream) = decode(&[first, second].concat(), 100);
    assert_eq!((stream.counters().fragments, tail.cut), (2, false));
    assert_eq!((stream.counters().packets, outputs.reports.len()), (50, 0));
}

#[test]
fn headers_may_be_long_and_begin_with_any_of_their_children() {
    let packets = packets(8, 1);
    let segment = document(UNKNOWN, &[tracks(), cluster(Size::Short, &packets)]);
    let segment = &segment[ebml::header(b"webm").len()..];
    let extension = ebml::element(b"\x42\x81", &ebml::element(b"\x42\x83", b"x"));
    for first in [extension, ebml::element(id::VOID, &[0; 2000]), ebml::element(b"\x42\x85", &[2])]
    {
        let rest = [ebml::element(b"\x42\x82", b"webm"), ebml::unsigned(b"\x42\xF3", 8)];
        let header = ebml::element(id::EBML, &[first, rest.concat()].concat());
        let bytes = [&header[..], segment].concat();
        check(&bytes, &packets);
        // After damage too.
        let (outputs, ..) = decode(&[&[0; 9][..], &bytes].concat(), 100);
        assert!(outputs.joined(0) == testkit::opus::decode(&packets));
    }
}

#[test]
fn a_header_does_not_limit_the_next_one() {
    let packets = packets(9, 1);
    let short = ebml::master(id::EBML, &[ebml::unsigned(b"\x42\xF3", 4)]);
    let children = [tracks(), cluster(Size::Short, &packets)].concat();
    let segment = ebml::sized(id::SEGMENT, UNKNOWN, &children);
    let long = ebml::sized(id::EBML, Size::Bytes(8), &ebml::unsigned(b"\x42\xF3", 8));
    let (_, tail, stream) = decode(&[&short[..], &segment, &long, &segment].concat(), 100);
    let counters = stream.counters();
    assert_eq!((counters.fragments, counters.resyncs, tail.cut), (2, 0, false));
}

#[test]
fn trailing_tags_of_unknown_size_complete_the_last_fragment() {
    let packets = packets(3, 1);
    let reports = |pairs: &[(&str, &str)]| {
        let simple = |(name, value): &(&str, &str)| {
            let name = format!("AWS_KINESISVIDEO_{name}");
            let pair = [
                ebml::element(b"\x45\xA3", name.as_bytes()),
                ebml::element(b"\x44\x87", value.as_bytes()),
            ];
            ebml::sized(b"\x67\xC8", UNKNOWN, &pair.concat())
        };
        let all: Vec<u8> = pairs.iter().flat_map(simple).collect();
        ebml::sized(id::TAGS, UNKNOWN, &ebml::sized(b"\x73\x73", UNKNOWN, &all))
    };
    let bytes = document(
        UNKNOWN,
        &[
            tracks(),
            reports(&[("FRAGMENT_NUMBER", "17"), ("PRODUCER_TIMESTAMP", "1600000000")]),
            cluster(UNKNOWN, &packets),
            reports(&[("MILLIS_BEHIND_NOW", "0"), ("CONTINUATION_TOKEN", "17")]),
        ],
    );
    for piece in [1, 700] {
        let (outputs, tail, _) = decode(&bytes, piece);
        assert!(!tail.cut, "{:?}", outputs.reports);
        assert_eq!(outputs.completed.len(), 1);
    }
}
