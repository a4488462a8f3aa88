//! The content of the streams: speech as sent by GetMedia, split into single network reads.

use std::time::Duration;

use bytes::Bytes;
use testkit::getmedia::{self, Fragment, Framing};
use testkit::{opus, pcm};

/// Bytes of a piece: the payload of one TCP segment.
const PIECE: usize = 1460;
/// WebRTC sends packets of 20 ms.
const PACKET_SAMPLES: u64 = 320;
/// Samples removed from the start by Opus's pre-skip.
const PRE_SKIP: u64 = 104;
/// Length of a fragment, ms.
const FRAGMENT_MS: u32 = 2_000;
/// Producer's clock at the start, ms.
const START_MS: i64 = 1_732_540_620_000;

/// Returns speech of `seconds` in packets of 20 ms at 32 kb/s.
pub fn packets(voice: u64, seconds: usize) -> Vec<Vec<u8>> {
    opus::encode(&opus::Settings::default(), &pcm::speech_like(voice, 48_000 * seconds))
}

/// A GetMedia body and the time at which each of its bytes arrives, relative to its start.
pub struct Broadcast {
    /// The pieces, in order.
    pub pieces: Vec<(Duration, Bytes)>,
    /// When the last byte of each packet arrives.
    packets: Vec<Duration>,
}

impl Broadcast {
    /// A live speaker: the pieces of a fragment are spread evenly over its duration.
    pub fn live(packets: &[Vec<u8>], framing: &Framing) -> Self {
        Self::paced(packets, framing, Duration::from_millis(FRAGMENT_MS.into()))
    }

    /// A stream whose audio is already stored.
    pub fn stored(packets: &[Vec<u8>], framing: &Framing) -> Self {
        Self::paced(packets, framing, Duration::ZERO)
    }

    /// Returns when the last sample before position `end` arrives.
    pub fn arrival(&self, end: u64) -> Duration {
        let packet = (end + PRE_SKIP).div_ceil(PACKET_SAMPLES) - 1;
        self.packets[usize::try_from(packet).unwrap()]
    }

    fn paced(packets: &[Vec<u8>], framing: &Framing, lasts: Duration) -> Self {
        let mut all = Self { pieces: Vec::new(), packets: Vec::new() };
        let fragments = getmedia::fragments(packets, 200, FRAGMENT_MS, START_MS);
        for (fragment, index) in fragments.iter().zip(0..) {
            all.add(&getmedia::document(framing, fragment).into(), fragment, lasts * index, lasts);
        }
        all
    }

    fn add(&mut self, document: &Bytes, fragment: &Fragment, begins: Duration, lasts: Duration) {
        let count = u32::try_from(document.len().div_ceil(PIECE)).unwrap();
        let due = |piece: u32| begins + lasts * (piece + 1) / count;
        let mut end = 0;
        for packet in &fragment.packets {
            end += find(&document[end..], &packet.data) + packet.data.len();
            self.packets.push(due(u32::try_from((end - 1) / PIECE).unwrap()));
        }
        let pieces = (0..document.len()).step_by(PIECE);
        let piece = |from: usize| document.slice(from..document.len().min(from + PIECE));
        self.pieces.extend(pieces.map(piece).zip(0..).map(|(piece, index)| (due(index), piece)));
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> usize {
    bytes.windows(wanted.len()).position(|window| window == wanted).expect("the packet is there")
}
