//! A recording inside a payload is not a document, for any bytes after it and in any pieces.

use crate::harness::{decode, fragments, packets, reference};
use testkit::ebml::{self, Lacing, Size, id};
use testkit::getmedia::{self, Framing};

/// A recording like that of a browser, with Segment and Cluster of `size`.
fn recording(size: Size) -> Vec<u8> {
    let entry =
        [ebml::unsigned(b"\xD7", 1), ebml::unsigned(b"\x83", 2), ebml::element(b"\x86", b"A_OPUS")];
    let tracks = ebml::master(id::TRACKS, &[ebml::element(id::TRACK_ENTRY, &entry.concat())]);
    let mut children = ebml::unsigned(id::TIMESTAMP, 77_000);
    for (at, packet) in (0..).step_by(20).zip(&packets(9, 1)) {
        let block = ebml::block(1, at, 0x80, Lacing::None, &[packet]);
        children.extend(ebml::element(id::SIMPLE_BLOCK, &block));
    }
    let cluster = ebml::sized(id::CLUSTER, size, &children);
    let segment = ebml::sized(id::SEGMENT, size, &[tracks, cluster].concat());
    [ebml::header(b"webm"), segment].concat()
}

fn block(track: u64, data: &[u8]) -> Vec<u8> {
    ebml::element(id::SIMPLE_BLOCK, &ebml::block(track, 0, 0x80, Lacing::None, &[data]))
}

/// The fragments' documents, the second with `what` after one of its audio blocks.
fn with(what: &[u8], packets: &[Vec<u8>]) -> Vec<u8> {
    let framing = Framing { video: Some(40), cluster: Size::Unknown(8), ..Framing::default() };
    let all = fragments(packets);
    let mut documents: Vec<_> = all.iter().map(|f| getmedia::document(&framing, f)).collect();
    let packet = &packets[120];
    let at = documents[1].windows(packet.len()).position(|window| window == packet).unwrap();
    let place = at + packet.len();
    documents[1].splice(place..place, what.iter().copied());
    documents.concat()
}

#[test]
fn a_recording_in_a_block_is_not_a_document() {
    let packets = packets(1, 6);
    let expected = reference(&packets);
    let live = recording(Size::Unknown(8));
    let header = [&ebml::header(b"webm")[..], id::SEGMENT, &[0xFF]].concat();
    let inner = [&recording(Size::Short)[..], &live, &live[..live.len() / 2], &header];
    let follow = [
        Vec::new(),
        ebml::element(b"\xEC", &[0; 20]),
        ebml::element(b"\xBF", &[1, 2, 3, 4]),
        ebml::element(b"\x55\xFE", &[7; 20]),
        ebml::element(b"\xAF", &[7; 20]),
        block(7, &[7; 20]),
        ebml::unsigned(b"\xAB", 1000),
    ];
    for (inner, follow) in inner.iter().flat_map(|inner| follow.iter().map(move |f| (inner, f))) {
        let bytes = with(&[block(1, inner), follow.clone()].concat(), &packets);
        let (outputs, tail, stream) = decode(&bytes, 1460);
        let about = format!("{} bytes, then {follow:x?}: {:?}", inner.len(), outputs.reports);
        assert!(!tail.cut && stream.counters().skipped_bytes == 0, "{about}");
        assert_eq!(outputs.completed.len(), 3, "{about}");
        assert!(outputs.joined(0) == expected, "{about}");
        for piece in [1, 509] {
            assert!(decode(&bytes, piece).0 == outputs, "{about}, in pieces of {piece}");
        }
    }
}

#[test]
fn a_recording_at_the_end_of_a_cluster_is_not_a_document() {
    let packets = packets(2, 6);
    let live = recording(Size::Unknown(8));
    let cluster = ebml::master(id::CLUSTER, &[ebml::unsigned(id::TIMESTAMP, 0)]);
    let attachments = ebml::element(b"\x19\x41\xA4\x69", &live);
    for what in [[block(1, &live), cluster].concat(), attachments] {
        let framing = Framing { video: Some(40), cluster: Size::Unknown(8), ..Framing::default() };
        let all = fragments(&packets);
        let mut documents: Vec<_> = all.iter().map(|f| getmedia::document(&framing, f)).collect();
        // After the last block of the second Cluster.
        let packet = &packets[199];
        let at = documents[1].windows(packet.len()).position(|window| window == packet).unwrap();
        documents[1].splice(at + packet.len()..at + packet.len(), what.iter().copied());
        let (outputs, tail, _) = decode(&documents.concat(), 1460);
        assert!(!tail.cut && outputs.completed.len() == 3, "{:?}", outputs.reports);
        assert!(outputs.joined(0) == reference(&packets));
    }
}

#[test]
fn a_possible_header_is_decided_the_same_in_any_pieces() {
    let packets = packets(3, 6);
    // Bytes after the block decide whether the first is a header; the second is of a later
    // fragment.
    let later = getmedia::document(&Framing::default(), &fragments(&packets)[2]);
    for packet in &packets[210..240] {
        let at = later.windows(packet.len()).position(|window| window == packet).unwrap();
        let later = &later[..at + packet.len()];
        let size = 0x4000 + later.len() as u16 + 4 + 60;
        let may_be = [&b"\x1A\x45\xDF\xA3"[..], &size.to_be_bytes(), b"\x42\x86\x81\x01"].concat();
        let inner = [&may_be[..], later].concat();
        let bytes = with(&block(1, &inner), &packets);
        let (whole, ..) = decode(&bytes, bytes.len());
        for piece in [1, 64, 509] {
            assert!(decode(&bytes, piece).0 == whole, "{at}, in pieces of {piece}");
        }
    }
}
