//! Independent parsers find the same frames, if they can open the input.

use std::io::Cursor;

use crate::harness::{body, fragments, packets};
use matroska_demuxer::MatroskaFile;
use media::mkv::{Event, Parser, Selected, limits};
use testkit::ebml::{Lacing, Size};
use testkit::getmedia::{self, Framing};
use testkit::{recorded, shared_media};
use webm_iterable::WebmIterator;
use webm_iterable::matroska_spec::{Block, Master, MatroskaSpec, SimpleBlock};

/// A frame: its track, its block's time in ticks, its bytes.
type Found = (u64, i64, Vec<u8>);

/// Every frame of `track`, and all tracks.
fn ours_of(bytes: &[u8], track: u64) -> (Vec<Found>, Vec<u64>) {
    let mut parser = Parser::new();
    let (mut frames, mut tracks) = (Vec::new(), Vec::new());
    let mut rest = bytes;
    while !rest.is_empty() {
        rest = parser.push(rest);
        while let Some(event) = parser.poll() {
            match event {
                Event::Tracks { tracks: found, .. } => {
                    tracks = found.iter().map(|track| track.number).collect();
                    parser.select(Some(Selected::any(track)));
                }
                Event::Block(block) => frames.push((track, block.ticks, block.data.to_vec())),
                _ => {}
            }
        }
    }
    (frames, tracks)
}

fn ours(bytes: &[u8]) -> Vec<Found> {
    let (_, tracks) = ours_of(bytes, 0);
    let mut frames: Vec<_> = tracks.iter().flat_map(|track| ours_of(bytes, *track).0).collect();
    frames.sort();
    frames
}

/// Every frame that webm-iterable reads, up to its first error.
fn webm_iterable(bytes: &[u8]) -> Vec<Found> {
    let group = [MatroskaSpec::BlockGroup(Master::Start)];
    let (mut frames, mut cluster) = (Vec::new(), 0);
    for tag in WebmIterator::new(&mut Cursor::new(bytes), &group) {
        match tag {
            Ok(MatroskaSpec::Timestamp(ticks)) => cluster = ticks as i64,
            Ok(ref tag @ MatroskaSpec::SimpleBlock(_)) => {
                let block = SimpleBlock::try_from(tag).unwrap();
                let time = cluster + i64::from(block.timestamp);
                let read = block.read_frame_data().unwrap();
                frames.extend(read.iter().map(|frame| (block.track, time, frame.data.to_vec())));
            }
            Ok(MatroskaSpec::BlockGroup(Master::Full(children))) => {
                let found = children.iter().find(|tag| matches!(tag, MatroskaSpec::Block(_)));
                let block = Block::try_from(found.unwrap()).unwrap();
                let time = cluster + i64::from(block.timestamp);
                let read = block.read_frame_data().unwrap();
                frames.extend(read.iter().map(|frame| (block.track, time, frame.data.to_vec())));
            }
            Ok(_) => {}
            Err(_) => break,
        }
    }
    frames.sort();
    frames
}

/// Every frame that matroska-demuxer reads; `None` if it cannot open the file.
fn matroska_demuxer(bytes: &[u8]) -> Option<Vec<Found>> {
    let mut file = MatroskaFile::open(Cursor::new(bytes)).ok()?;
    let (mut frames, mut frame) = (Vec::new(), matroska_demuxer::Frame::default());
    while file.next_frame(&mut frame).ok()? {
        frames.push((frame.track, i64::try_from(frame.timestamp).unwrap(), frame.data.clone()));
    }
    frames.sort();
    Some(frames)
}

#[test]
fn live_bodies_equal_webm_iterable() {
    let all = fragments(&packets(1, 7));
    let plain = Framing::default();
    for framing in [
        plain.clone(),
        Framing { video: Some(300), ..Framing::odd() },
        Framing { cluster: Size::Unknown(1), segment: Size::Unknown(1), ..plain.clone() },
        Framing { block_groups: true, ..plain.clone() },
        Framing { lacing: (Lacing::Xiph, 5), ..plain.clone() },
        Framing { lacing: (Lacing::Ebml, 7), ..plain.clone() },
        Framing { scale: 500_000, ..plain },
    ] {
        let bytes = getmedia::body(&framing, &all);
        let frames = ours(&bytes);
        assert!(frames.len() >= 350, "{framing:?}");
        assert!(frames == webm_iterable(&bytes), "{framing:?}");
    }
}

#[test]
fn captures_equal_webm_iterable() {
    for (file, frames) in [
        ("getmedia/output_get_media.mkv", 300),
        ("getmedia/output_get_media_sparse_fragments.mkv", 180),
        ("getmedia/test_mixed_tags.mkv", 100),
        ("aac/vogels_330.mkv", 2334),
        ("opus/combined_h264.mkv", 1960),
        ("opus/muxed_opus.mkv", 1360),
        ("opus/bear-opus.mka", 137),
    ] {
        let Some(path) = shared_media(file) else { return };
        let bytes = std::fs::read(path).unwrap();
        let mut theirs = webm_iterable(&bytes);
        assert_eq!(theirs.len(), frames, "{file}");
        // Longer frames of a selected track are skipped like other blocks.
        theirs.retain(|(_, _, data)| data.len() as u64 + 4 <= limits::MAX_BLOCK);
        assert!(ours(&bytes) == theirs, "{file}");
    }
}

#[test]
fn files_equal_matroska_demuxer() {
    let packets = packets(2, 7);
    let file = recorded::file(
        &Framing { segment: Size::Bytes(8), ..Framing::default() },
        &recorded::timed(&packets, 200),
    );
    assert!(Some(ours(&file)) == matroska_demuxer(&file));
    for file in ["aac/vogels_330.mkv", "opus/bear-opus.mka"] {
        let Some(path) = shared_media(file) else { return };
        let bytes = std::fs::read(path).unwrap();
        let theirs =
            matroska_demuxer(&bytes).expect("it opened this one when the test was written");
        let mut theirs = theirs;
        theirs.retain(|(_, _, data)| data.len() as u64 + 4 <= limits::MAX_BLOCK);
        assert!(ours(&bytes) == theirs, "{file}");
    }
    // It cannot open GetMedia bodies. If a later version can, it can be an oracle here too.
    let live = body(&fragments(&packets));
    assert!(matroska_demuxer(&live).is_none_or(|theirs| theirs.len() < packets.len()));
}
