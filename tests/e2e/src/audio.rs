//! The expected audio, read from the recording without the product's code: packets by
//! matroska-demuxer, samples by libopus.

use std::path::Path;

use matroska_demuxer::{Frame, MatroskaFile};
use testkit::getmedia::Timed;

/// The Opus packets of a recorded file, and the pre-skip of its OpusHead.
pub struct Packets {
    /// One packet per block, in order.
    pub packets: Vec<Vec<u8>>,
    /// Samples at 16 kHz to skip at the start.
    pub pre_skip: usize,
}

impl Packets {
    /// Reads `file`.
    ///
    /// # Panics
    /// If `file` is not a Matroska file with an Opus track.
    #[allow(clippy::expect_used)]
    pub fn of(file: &Path) -> Self {
        let opened = std::fs::File::open(file).expect("the recording");
        let mut recorded = MatroskaFile::open(opened).expect("a Matroska file");
        let opus = |track: &&matroska_demuxer::TrackEntry| track.codec_id() == "A_OPUS";
        let track = recorded.tracks().iter().find(opus).expect("an Opus track");
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
        Self { packets, pre_skip }
    }

    /// Returns the same speech, repeated `times` in one session.
    #[must_use]
    pub fn repeated(&self, times: usize) -> Self {
        Self { packets: vec![self.packets.as_slice(); times].concat(), pre_skip: self.pre_skip }
    }

    /// Returns the samples that libopus decodes from the packets, without the pre-skip.
    pub fn samples(&self) -> Vec<i16> {
        testkit::opus::decode(&self.packets).split_off(self.pre_skip)
    }

    /// Returns a Matroska file of the packets, 20 ms each.
    pub fn file(&self) -> Vec<u8> {
        self.file_of(&testkit::recorded::timed(&self.packets, 200))
    }

    /// Returns a Matroska file of the packets with these times in ms, one per packet.
    pub fn file_at(&self, times: &[i64]) -> Vec<u8> {
        let timed = self.packets.iter().zip(times).map(|(data, time)| Timed {
            offset_ms: (*time).max(0),
            data: data.clone(),
            discard_padding: 0,
        });
        self.file_of(&timed.collect::<Vec<_>>())
    }

    fn file_of(&self, timed: &[Timed]) -> Vec<u8> {
        testkit::recorded::file(&testkit::getmedia::Framing::default(), timed)
    }
}
