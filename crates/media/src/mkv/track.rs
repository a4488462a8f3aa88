//! What a TrackEntry says about a track.

use super::{ids, vint};

/// TrackType.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TrackKind {
    /// 1.
    Video,
    /// 2.
    Audio,
    /// Anything else, or not said.
    #[default]
    Other,
}

/// A track of the current document. Strings are cut at the first NUL (KVS SDKs pad with NUL) and read
/// as lossy UTF-8.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Track {
    /// TrackNumber, what blocks refer to.
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
        self.encoded = false;
    }

    /// Takes one child of TrackEntry.
    pub(super) fn set(&mut self, id: u32, body: &[u8]) {
        match id {
            ids::TRACK_NUMBER => self.number = vint::unsigned(body),
            ids::TRACK_TYPE => {
                self.kind = match vint::unsigned(body) {
                    1 => TrackKind::Video,
                    2 => TrackKind::Audio,
                    _ => TrackKind::Other,
                }
            }
            ids::CODEC_ID => set_text(&mut self.codec_id, body),
            ids::CODEC_PRIVATE => {
                self.codec_private.clear();
                self.codec_private.extend_from_slice(body);
            }
            ids::CODEC_DELAY => self.codec_delay = Some(vint::unsigned(body)),
            ids::TRACK_NAME => set_text(&mut self.name, body),
            _ => {}
        }
    }
}

/// Replaces `text` by what stands before the first NUL of `body`.
pub(super) fn set_text(text: &mut String, body: &[u8]) {
    let end = body.iter().position(|&byte| byte == 0).unwrap_or(body.len());
    text.clear();
    text.push_str(&String::from_utf8_lossy(&body[..end]));
}
