//! What should have arrived, made from the recorded file by other means than the product's: its
//! packets by matroska-demuxer, its samples by bare libopus.

use std::path::Path;

use matroska_demuxer::{Frame, MatroskaFile};

/// The samples that libopus makes of the packets of `file` at 16 kHz mono, from the first after
/// pre-skip on.
///
/// # Panics
/// When `file` is no Matroska file with an Opus track: the test's own material is broken.
#[allow(clippy::expect_used)]
pub fn reference(file: &Path) -> Vec<i16> {
    let opened = std::fs::File::open(file).expect("the recording");
    let mut recorded = MatroskaFile::open(opened).expect("a Matroska file");
    let track =
        recorded.tracks().iter().find(|track| track.codec_id() == "A_OPUS").expect("an Opus track");
    let number = track.track_number().get();
    let head = track.codec_private().expect("an OpusHead");
    // RFC 7845 §5.1: pre-skip in 48 kHz samples at byte 10, little-endian.
    let pre_skip = usize::from(u16::from_le_bytes([head[10], head[11]])) / 3;
    let mut packets = Vec::new();
    let mut frame = Frame::default();
    while recorded.next_frame(&mut frame).expect("a whole file") {
        if frame.track == number {
            packets.push(frame.data.clone());
        }
    }
    testkit::opus::decode(&packets).split_off(pre_skip)
}
