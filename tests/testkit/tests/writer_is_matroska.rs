//! An independent reader finds what the writer wrote, if it can open the bytes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::io::Cursor;

use matroska_demuxer::{Frame, MatroskaFile};
use testkit::ebml::{Lacing, Size};
use testkit::getmedia::{self, Framing};
use testkit::{opus, pcm, recorded};

/// Returns time and data of every frame of the audio track, read by matroska-demuxer.
fn frames(file: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let mut demuxer = MatroskaFile::open(Cursor::new(file)).unwrap();
    let track = demuxer.tracks().iter().find(|track| track.codec_id() == "A_OPUS").unwrap();
    let number = track.track_number().get();
    assert_eq!(track.codec_private(), Some(&opus::head(1, 312, 0)[..]));
    assert_eq!(track.codec_delay(), Some(6_500_000));
    let (mut found, mut frame) = (Vec::new(), Frame::default());
    while demuxer.next_frame(&mut frame).unwrap() {
        if frame.track == number {
            found.push((frame.timestamp, frame.data.clone()));
        }
    }
    found
}

fn packets() -> Vec<Vec<u8>> {
    opus::encode(&opus::Settings::default(), &pcm::speech_like(1, 12 * 48_000))
}

#[test]
fn recorded_files_are_read_frame_by_frame() {
    let packets = packets();
    let expected: Vec<_> =
        packets.iter().enumerate().map(|(at, data)| (20 * at as u64, data.clone())).collect();
    let plain = || Framing { segment: Size::Bytes(8), ..Framing::default() };
    for framing in [
        plain(),
        Framing { video: Some(100), ..plain() },
        Framing { void: true, ..plain() },
        Framing { block_groups: true, ..plain() },
    ] {
        let file = recorded::file(&framing, &recorded::timed(&packets, 200));
        assert!(frames(&file) == expected, "{framing:?}");
    }
}

#[test]
fn laces_are_read_in_all_three_kinds() {
    let mut packets = packets();
    for lacing in [Lacing::Xiph, Lacing::Ebml, Lacing::Fixed] {
        if lacing == Lacing::Fixed {
            packets = vec![packets[0].clone(); packets.len()];
        }
        let framing =
            Framing { segment: Size::Bytes(8), lacing: (lacing, 5), ..Framing::default() };
        let file = recorded::file(&framing, &recorded::timed(&packets, 200));
        let data: Vec<_> = frames(&file).into_iter().map(|(_, data)| data).collect();
        assert!(data == packets, "{lacing:?}");
    }
}

#[test]
fn a_fragment_is_a_whole_document() {
    let packets = packets();
    let fragments = getmedia::fragments(&packets, 200, 2000, 0);
    let read: Vec<_> = fragments
        .iter()
        .flat_map(|fragment| frames(&getmedia::document(&Framing::default(), fragment)))
        .map(|(_, data)| data)
        .collect();
    assert!(read == packets);
}

#[test]
fn fragment_numbers_rise_and_look_real() {
    let numbers: Vec<_> = (0..1000).map(getmedia::number).collect();
    assert!(numbers.iter().all(|number| number.len() == 47));
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]));
}
