//! Variants of Matroska: sizes of every width, long ids, late tracks, documents that differ.

use crate::harness::{Outputs, T0, decode, fragments, packets, reference};
use media::mkv::{Event, Parser, Selected};
use media::{Stream, StreamOptions};
use testkit::ebml::{self, Lacing, Size, id};
use testkit::getmedia::{self, Fragment, Framing};

/// Tracks with one Opus track of this number.
fn tracks(number: u64, size: Size) -> Vec<u8> {
    let entry = [
        ebml::unsigned(b"\xD7", number),
        ebml::unsigned(b"\x83", 2),
        ebml::element(b"\x86", b"A_OPUS"),
    ];
    let entry = ebml::sized(id::TRACK_ENTRY, size, &entry.concat());
    ebml::sized(id::TRACKS, size, &entry)
}

/// A Cluster at `ms` with blocks of one packet each, 20 ms apart; the first is at `offset` ticks.
fn cluster(number: u64, ms: u64, offset: i16, packets: &[Vec<u8>], size: Size) -> Vec<u8> {
    let mut children = ebml::unsigned(id::TIMESTAMP, ms);
    for (index, packet) in packets.iter().enumerate() {
        let at = offset + 20 * index as i16;
        let block = ebml::block(number, at, 0x80, Lacing::None, &[packet]);
        children.extend(ebml::element(id::SIMPLE_BLOCK, &block));
    }
    ebml::sized(id::CLUSTER, size, &children)
}

fn document(header: &[u8], size: Size, children: &[Vec<u8>]) -> Vec<u8> {
    [header, &ebml::sized(id::SEGMENT, size, &children.concat())].concat()
}

fn pcm(bytes: &[u8]) -> Vec<i16> {
    let (outputs, tail, stream) = decode(bytes, 700);
    assert!(!tail.cut && outputs.reports.is_empty(), "{:?}", outputs.reports);
    assert_eq!(stream.counters().skipped_bytes, 0);
    outputs.joined(0)
}

/// The PCM of bare libopus: these tracks have no pre-skip.
fn whole(packets: &[Vec<u8>]) -> Vec<i16> {
    testkit::opus::decode(packets)
}

#[test]
fn known_and_unknown_sizes_of_every_width_at_every_level() {
    let packets = packets(1, 1);
    let header = ebml::header(b"matroska");
    for width in 1..=8 {
        for known in [true, false] {
            // A known size must be wide enough for its value.
            let size = match (known, width) {
                (true, 1..3) => Size::Short,
                (true, _) => Size::Bytes(width),
                (false, _) => Size::Unknown(width),
            };
            let children = [tracks(1, size), cluster(1, 0, 0, &packets, size)];
            let bytes = document(&header, size, &children);
            assert!(pcm(&bytes.repeat(1)) == whole(&packets), "{size:?}");
        }
    }
}

#[test]
fn blocks_before_the_timestamp_of_their_cluster() {
    let packets = packets(2, 1);
    let header = ebml::header(b"webm");
    let clusters = [
        cluster(1, 500, -500, &packets[..25], Size::Short),
        cluster(1, 1000, -500, &packets[25..], Size::Unknown(1)),
    ];
    let bytes = document(
        &header,
        Size::Unknown(8),
        &[vec![tracks(1, Size::Short)], clusters.to_vec()].concat(),
    );
    assert_eq!(pcm(&bytes), whole(&packets));
}

#[test]
fn the_header_limits_ids_and_sizes() {
    let packets = packets(3, 1);
    let limits = |id_length, size_length| {
        ebml::master(
            id::EBML,
            &[ebml::unsigned(b"\x42\xF2", id_length), ebml::unsigned(b"\x42\xF3", size_length)],
        )
    };
    // An id of eight bytes, as a future extension may have.
    let foreign = ebml::element(b"\x01\x02\x03\x04\x05\x06\x07\x08", b"whatever");
    let children = [tracks(1, Size::Short), foreign, cluster(1, 0, 0, &packets, Size::Short)];
    assert_eq!(pcm(&document(&limits(8, 8), Size::Unknown(1), &children)), whole(&packets));
    // Without EBMLMaxIDLength it is damage, as is a size longer than EBMLMaxSizeLength.
    for header in [limits(4, 8), limits(8, 1)] {
        let bytes = document(&header, Size::Unknown(1), &children);
        let (outputs, tail, stream) = decode(&bytes, 700);
        assert!(outputs.pcm.is_empty() && tail.cut, "{:?}", stream.counters());
    }
}

#[test]
fn until_late_tracks_those_of_the_previous_document_apply() {
    let packets = packets(4, 2);
    let header = ebml::header(b"matroska");
    let size = Size::Unknown(8);
    let first = [tracks(3, Size::Short), cluster(3, 0, 0, &packets[..50], Size::Short)];
    let second = [cluster(3, 1000, 0, &packets[50..], Size::Short), tracks(3, Size::Short)];
    let bytes = [document(&header, size, &first), document(&header, size, &second)].concat();
    assert_eq!(pcm(&bytes), whole(&packets));
    // Blocks before any Tracks are skipped and counted.
    let (outputs, _, stream) = decode(&document(&header, size, &second), 700);
    assert!(outputs.pcm.is_empty());
    assert_eq!(stream.counters().skipped_blocks, 50);
    // They are also reported.
    assert_eq!(stream.counters().unsupported_codecs, 1);
    assert!(outputs.reports[0].contains("blocks preceded their Tracks"), "{:?}", outputs.reports);
}

#[test]
fn audio_is_found_after_any_number_of_other_tracks() {
    let packets = packets(4, 1);
    let video = |number| {
        let entry = [ebml::unsigned(b"\xD7", number), ebml::unsigned(b"\x83", 1)];
        ebml::element(id::TRACK_ENTRY, &entry.concat())
    };
    // Without the header of Tracks around it.
    let audio = &tracks(40, Size::Short)[5..];
    for place in [0, 15, 16, 17, 30] {
        let mut entries: Vec<Vec<u8>> = (1..=30).map(video).collect();
        entries.insert(place, audio.to_vec());
        let children =
            [ebml::master(id::TRACKS, &entries), cluster(40, 0, 0, &packets, Size::Short)];
        let bytes = document(&ebml::header(b"webm"), Size::Unknown(1), &children);
        assert!(pcm(&bytes) == whole(&packets), "{place}");
    }
}

#[test]
fn documents_may_change_their_tracks() {
    let packets = packets(5, 6);
    let all = fragments(&packets);
    let plain = Framing::default();
    let bodies = [
        getmedia::document(&plain, &all[0]),
        getmedia::document(&Framing { video: Some(100), ..plain.clone() }, &all[1]),
        getmedia::document(&plain, &all[2]),
    ];
    let (outputs, ..) = decode(&bodies.concat(), 700);
    assert_eq!(outputs.joined(0), reference(&packets));
}

#[test]
fn a_header_inside_a_payload_is_not_a_document() {
    let mut packets = packets(6, 3);
    // A whole fragment as a packet of another track, and the EBML id inside a selected packet.
    let inner = getmedia::body(&Framing::default(), &fragments(&packets));
    packets[70].extend([0x1A, 0x45, 0xDF, 0xA3, 0x9F, 0x42, 0x86, 0x81, 1]);
    let framing = Framing {
        name: "AUDIO_FROM_CUSTOMER".to_owned(),
        other: Some(("inner".to_owned(), inner)),
        ..Framing::default()
    };
    let (outputs, _, stream) = decode(&getmedia::body(&framing, &fragments(&packets)), 700);
    assert_eq!((outputs.completed.len(), stream.counters().resyncs), (2, 0));
    assert_eq!(stream.counters().packets, packets.len() as u64);
}

/// Sizes of pieces that do not coincide with element boundaries.
fn fibonacci() -> impl Iterator<Item = usize> {
    std::iter::successors(Some((1, 1)), |&(one, two)| {
        Some(if two > 20_000 { (1, 1) } else { (two, one + two) })
    })
    .map(|(one, _)| one)
}

#[test]
fn pieces_of_any_size_give_the_same() {
    let framing = Framing { video: Some(700), ..Framing::odd() };
    let mut all: Vec<Fragment> = fragments(&packets(7, 6));
    all.remove(1);
    let mut bytes = getmedia::body(&framing, &all);
    // Damage in the middle, so that pieces also divide the search.
    let middle = bytes.len() / 2;
    bytes[middle..middle + 40].fill(0xFF);
    let (whole, ..) = decode(&bytes, bytes.len());
    assert!(!whole.pcm.is_empty());
    for prime in [1, 2, 3, 5, 7, 11, 13, 509, 521, 4_093, 65_537] {
        assert!(decode(&bytes, prime).0 == whole, "pieces of {prime}");
    }
    let (mut stream, mut outputs) = (Stream::start(StreamOptions::default()), Outputs::default());
    let mut rest = &bytes[..];
    for piece in fibonacci() {
        let (now, later) = rest.split_at(piece.min(rest.len()));
        outputs.push(&mut stream, now, piece);
        rest = later;
        if rest.is_empty() {
            break;
        }
    }
    assert!(outputs == whole);
}

#[test]
fn one_push_of_everything_buffers_no_more_than_many() {
    let framing = Framing { video: Some(30_000), ..Framing::default() };
    let bytes = getmedia::body(&framing, &fragments(&packets(8, 6)));
    let mut parser = Parser::new();
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        rest = parser.push(rest);
        while let Some(event) = parser.poll() {
            if let Event::Tracks { tracks, .. } = event {
                let audio = tracks.last().map(|track| Selected::any(track.number));
                parser.select(audio);
            }
        }
        assert!(parser.held() < 2 * 1024, "{} bytes", parser.held());
    }
}

#[test]
fn any_scale_of_ticks() {
    let packets = packets(9, 3);
    for scale in [1_000, 22_675, 333_333, 1_000_000, 10_000_000] {
        // The i16 offset of a block limits the fragment's length at fine ticks.
        let reach = (32_000 * scale / 1_000_000).clamp(20, 2000) as u32;
        let all = getmedia::fragments(&packets, 200, reach, T0);
        let framing = Framing { scale, ..Framing::default() };
        let (outputs, _, stream) = decode(&getmedia::body(&framing, &all), 700);
        assert_eq!(outputs.joined(0), reference(&packets), "{scale}");
        assert_eq!(stream.counters().filled_samples, 0, "{scale}");
    }
}
