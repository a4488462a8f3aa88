//! The MimeType tag of earlier documents, which identifies the codec of tracks with a wrong
//! CodecID. A document may contain the tag only after its audio, so the tag also applies to the
//! documents after it with the same tracks.

use crate::mkv::{Track, TrackKind};

/// Longest MIME type that is accepted, in bytes.
const MAX_LEN: usize = 128;

/// A MIME type and the audio tracks it applies to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MimeHint {
    mime_type: String,
    /// Hash of the descriptions of all audio tracks without their numbers.
    tracks: u64,
}

impl MimeHint {
    /// Returns the hint for `tracks`: the MIME type of their document, else `before` if it applies
    /// to the same tracks.
    pub(super) fn of(
        tracks: &[Track],
        mime_type: Option<&str>,
        before: Option<&Self>,
    ) -> Option<Self> {
        let tracks = fingerprint(tracks);
        match mime_type.and_then(normalized) {
            Some(mime_type) => Some(Self { mime_type, tracks }),
            None => before.filter(|hint| hint.tracks == tracks).cloned(),
        }
    }

    pub(super) fn mime_type(&self) -> &str {
        &self.mime_type
    }

    /// Formats the hint as one ASCII word that [`MimeHint::from_text`] parses.
    pub(super) fn to_text(&self) -> String {
        format!("{:016x}:{}", self.tracks, self.mime_type)
    }

    pub(super) fn from_text(text: &str) -> Option<Self> {
        let (tracks, mime_type) = text.split_once(':')?;
        let tracks = u64::from_str_radix(tracks, 16).ok()?;
        Some(Self { mime_type: normalized(mime_type)?, tracks })
    }
}

/// Returns the MIME type in lower case without spaces, which does not change its meaning.
fn normalized(mime_type: &str) -> Option<String> {
    let mut text: String = mime_type.chars().filter(|char| !char.is_whitespace()).collect();
    text.make_ascii_lowercase();
    let valid =
        (1..=MAX_LEN).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    valid.then_some(text)
}

/// Returns a hash of the audio tracks that does not depend on their order and numbers.
fn fingerprint(tracks: &[Track]) -> u64 {
    let audio = tracks.iter().filter(|track| track.kind == TrackKind::Audio);
    audio.map(hash_track).fold(0, u64::wrapping_add)
}

/// FNV-1a, because the hash is stored: it must not depend on the build.
fn hash_track(track: &Track) -> u64 {
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
    fn a_hint_applies_to_the_same_tracks_of_any_number_and_order() {
        let before = MimeHint::of(&tracks(&[1]), Some("Audio/L16; rate=8000"), None);
        assert_eq!(before.as_ref().unwrap().mime_type(), "audio/l16;rate=8000");
        let [mut one, mut other] = tracks(&[1]);
        (one.number, other.number) = (7, 3);
        assert_eq!(MimeHint::of(&[other, one], None, before.as_ref()), before);
        assert_eq!(MimeHint::of(&tracks(&[2]), None, before.as_ref()), None);
        assert_eq!(MimeHint::of(&tracks(&[1])[..1], None, before.as_ref()), None);
        let replaced = MimeHint::of(&tracks(&[1]), Some("audio/aac"), before.as_ref());
        assert_eq!(replaced.unwrap().mime_type(), "audio/aac");
    }

    #[test]
    fn text_is_one_short_word_that_is_parsed_again() {
        let hint = MimeHint::of(&tracks(&[1]), Some("audio/L16;\trate=8000"), None).unwrap();
        let text = hint.to_text();
        assert!(text.bytes().all(|byte| byte.is_ascii_graphic()), "{text}");
        assert_eq!(MimeHint::from_text(&text), Some(hint));
        for strange in ["", "audio/l16", "xyz:audio/l16", "12:", "12:\u{e4}"] {
            assert_eq!(MimeHint::from_text(strange), None, "{strange}");
        }
        assert_eq!(MimeHint::of(&tracks(&[1]), Some(&"x".repeat(129)), None), None);
    }
}
