//! A track, as its TrackEntry describes it.

use super::schema::Element;
use super::vint;

/// TrackType.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TrackKind {
    /// 1.
    Video,
    /// 2.
    Audio,
    /// Any other, or absent and not shown by the CodecID.
    #[default]
    Other,
}

/// A track of the current document. Strings are cut at the first NUL (KVS SDKs pad with NUL) and
/// read as lossy UTF-8.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Track {
    /// TrackNumber, by which blocks refer to it.
    pub number: u64,
    /// TrackType.
    pub kind: TrackKind,
    /// CodecID, such as `A_OPUS`.
    pub codec_id: String,
    /// CodecPrivate; empty when absent (or longer than [`super::limits::MAX_CODEC_PRIVATE`]).
    pub codec_private: Vec<u8>,
    /// CodecDelay, ns.
    pub codec_delay: Option<u64>,
    /// Name.
    pub name: String,
    /// SamplingFrequency of the Audio element, Hz; `None` if absent or not a positive number.
    pub rate: Option<u32>,
    /// OutputSamplingFrequency, Hz: the rate after spectral band replication.
    pub output_rate: Option<u32>,
    /// Channels.
    pub channels: Option<u64>,
    /// BitDepth.
    pub bit_depth: Option<u64>,
    /// The track's frames are encoded once more (ContentEncodings: compression, encryption).
    pub encoded: bool,
}

impl Track {
    /// Empties the entry and keeps its allocations: KVS repeats the tracks in every fragment.
    pub(super) fn clear(&mut self) {
        self.number = 0;
        self.kind = TrackKind::Other;
        self.codec_id.clear();
        self.codec_private.clear();
        self.codec_delay = None;
        self.name.clear();
        self.rate = None;
        self.output_rate = None;
        self.channels = None;
        self.bit_depth = None;
        self.encoded = false;
    }

    /// Without a usable TrackType, the prefix of the CodecID decides (RFC 9559 §27.1).
    pub(super) fn guess_kind(&mut self) {
        if self.kind == TrackKind::Other {
            self.kind = match self.codec_id.get(..2) {
                Some("A_") => TrackKind::Audio,
                Some("V_") => TrackKind::Video,
                _ => TrackKind::Other,
            };
        }
    }

    /// Stores one child of TrackEntry or Audio.
    pub(super) fn set(&mut self, element: Element, body: &[u8]) {
        match element {
            Element::TrackNumber => self.number = vint::unsigned(body),
            Element::TrackType => {
                self.kind = match vint::unsigned(body) {
                    1 => TrackKind::Video,
                    2 => TrackKind::Audio,
                    _ => TrackKind::Other,
                }
            }
            Element::CodecId => set_text(&mut self.codec_id, body),
            Element::CodecPrivate => {
                self.codec_private.clear();
                self.codec_private.extend_from_slice(body);
            }
            Element::CodecDelay => self.codec_delay = Some(vint::unsigned(body)),
            Element::Name => set_text(&mut self.name, body),
            Element::SamplingFrequency => self.rate = hertz(body),
            Element::OutputSamplingFrequency => self.output_rate = hertz(body),
            Element::Channels => self.channels = Some(vint::unsigned(body)),
            Element::BitDepth => self.bit_depth = Some(vint::unsigned(body)),
            _ => {}
        }
    }
}

/// A frequency, written as a float of 4 or 8 bytes.
fn hertz(body: &[u8]) -> Option<u32> {
    let value = match *body {
        [a, b, c, d] => f64::from(f32::from_be_bytes([a, b, c, d])),
        [a, b, c, d, e, f, g, h] => f64::from_be_bytes([a, b, c, d, e, f, g, h]),
        _ => return None,
    };
    // Beyond these bounds (or no number at all) it is no sampling rate.
    (1.0..1_000_000.0).contains(&value).then(|| value.round() as u32)
}

/// Replaces `text` by what stands before the first NUL of `body`.
pub(super) fn set_text(text: &mut String, body: &[u8]) {
    let end = body.iter().position(|&byte| byte == 0).unwrap_or(body.len());
    text.clear();
    text.push_str(&String::from_utf8_lossy(&body[..end]));
}
