//! What a stream's MimeType tag says of tracks whose CodecID is wrong, remembered: a document may
//! bring the tag only behind its audio, so it tells of the next document's too, as long as the
//! tracks are the same.

use crate::mkv::{Track, TrackKind};

/// Longest MIME type that is believed.
const MAX_LEN: usize = 128;

/// A MIME type, and the audio tracks it was said of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Label {
    mime_type: String,
    /// What all audio tracks say of themselves but their numbers, as one number.
    tracks: u64,
}

impl Label {
    /// What is known of `tracks`: what their own document says, else what was said before of the
    /// same.
    pub(super) fn of(tracks: &[Track], said: Option<&str>, before: Option<&Self>) -> Option<Self> {
        let tracks = fingerprint(tracks);
        match said.and_then(normal) {
            Some(mime_type) => Some(Self { mime_type, tracks }),
            None => before.filter(|label| label.tracks == tracks).cloned(),
        }
    }

    pub(super) fn mime_type(&self) -> &str {
        &self.mime_type
    }

    /// One word of ASCII that [`Label::from_text`] reads back.
    pub(super) fn to_text(&self) -> String {
        format!("{:016x}:{}", self.tracks, self.mime_type)
    }

    pub(super) fn from_text(text: &str) -> Option<Self> {
        let (tracks, mime_type) = text.split_once(':')?;
        let tracks = u64::from_str_radix(tracks, 16).ok()?;
        Some(Self { mime_type: normal(mime_type)?, tracks })
    }
}

/// Without spaces and in lower case; nothing in a MIME type means another thing then.
fn normal(mime_type: &str) -> Option<String> {
    let mut text: String = mime_type.chars().filter(|char| !char.is_whitespace()).collect();
    text.make_ascii_lowercase();
    let believed =
        (1..=MAX_LEN).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    believed.then_some(text)
}

/// The order of tracks counts no more than their numbers do.
fn fingerprint(tracks: &[Track]) -> u64 {
    let audio = tracks.iter().filter(|track| track.kind == TrackKind::Audio);
    audio.map(described).fold(0, u64::wrapping_add)
}

/// FNV-1a: a number that any build of this crate computes alike.
fn described(track: &Track) -> u64 {
    let rate = track.rate.unwrap_or(0).to_be_bytes();
    let channels = track.channels.unwrap_or(0).to_be_bytes();
    let fields: [&[u8]; 5] =
        [track.codec_id.as_bytes(), &track.codec_private, track.name.as_bytes(), &rate, &channels];
    let hash = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
    fields.iter().fold(0xCBF2_9CE4_8422_2325, |all, field| {
        let length = (field.len() as u64).to_be_bytes();
        field.iter().chain(&length).fold(all, |all, byte| hash(all, *byte))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tracks(private: &[u8]) -> [Track; 2] {
        let audio = |number, name: &str| Track {
            number,
            kind: TrackKind::Audio,
            codec_id: "A_AAC".to_owned(),
            codec_private: private.to_vec(),
            name: name.to_owned(),
            ..Track::default()
        };
        [audio(1, "one"), audio(2, "other")]
    }

    #[test]
    fn it_holds_for_the_same_tracks_whatever_their_numbers_and_order() {
        let before = Label::of(&tracks(&[1]), Some("Audio/L16; rate=8000"), None);
        assert_eq!(before.as_ref().unwrap().mime_type(), "audio/l16;rate=8000");
        let [mut one, mut other] = tracks(&[1]);
        (one.number, other.number) = (7, 3);
        assert_eq!(Label::of(&[other, one], None, before.as_ref()), before);
        assert_eq!(Label::of(&tracks(&[2]), None, before.as_ref()), None);
        assert_eq!(Label::of(&tracks(&[1])[..1], None, before.as_ref()), None);
        let anew = Label::of(&tracks(&[1]), Some("audio/aac"), before.as_ref());
        assert_eq!(anew.unwrap().mime_type(), "audio/aac");
    }

    #[test]
    fn text_is_one_short_word_and_read_back() {
        let label = Label::of(&tracks(&[1]), Some("audio/L16;\trate=8000"), None).unwrap();
        let text = label.to_text();
        assert!(text.bytes().all(|byte| byte.is_ascii_graphic()), "{text}");
        assert_eq!(Label::from_text(&text), Some(label));
        for strange in ["", "audio/l16", "xyz:audio/l16", "12:", "12:\u{e4}"] {
            assert_eq!(Label::from_text(strange), None, "{strange}");
        }
        assert_eq!(Label::of(&tracks(&[1]), Some(&"x".repeat(129)), None), None);
    }
}
