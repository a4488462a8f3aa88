//! The place in a session from which a new [`crate::Stream`] computes the same positions again.

use std::fmt::Write as _;

use crate::{Error, FragmentNumber};

/// First word of [`Anchor::to_text`] without a fraction; a reader refuses what it does not know.
const PLAIN: &str = "1";

/// First word with a fraction at the end. Written only where there is one, so that a build from before it can
/// still go on with what a later one left.
const WITH_FRACTION: &str = "2";

/// First word with a label behind the fraction, under the same rule.
const WITH_LABEL: &str = "3";

/// Longest label that is read; those written have at most 145 bytes.
const MAX_LABEL: usize = 256;

/// Everything the timeline knew when `fragment` began, so that a run resumed at that fragment gives
/// every sample the position it had in the first run.
///
/// Positions depend on nothing else than this and the bytes from that fragment on; decoder state is
/// not part of it (warm the decoder with the fragments before, and drop their PCM).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// The fragment at whose start this holds.
    pub fragment: FragmentNumber,
    /// Position of the next sample, in samples; negative while pre-skip is still to come.
    pub next: i64,
    /// How far the block before reached beyond `next`, in 1/rate of a sample; 0 for Opus.
    pub fraction: u32,
    /// Producer clock at position 0 before any re-anchoring, ms since the epoch. `None` only when
    /// no audio had been seen yet: resuming then is the same as starting fresh.
    pub origin_ms: Option<i64>,
    /// Samples added to the clock's answer by re-anchoring since the start.
    pub shift: i64,
    /// Identity of the producer session of the last block placed: its clock minus the Matroska timecode, ms.
    pub session_ms: Option<i64>,
    /// SERVER_TIMESTAMP of the last fragment with audio, ms since the epoch.
    pub server_ms: Option<i64>,
    /// Position at which that fragment began, in samples: its first block's, less how far into the fragment
    /// that block stands.
    pub server_position: i64,
    /// What was known of the tracks that they do not say themselves (an earlier MimeType tag), as one word.
    pub label: Option<String>,
}

impl Anchor {
    /// One line of ASCII that [`Anchor::from_text`] reads back: a version and the fields in order.
    pub fn to_text(&self) -> String {
        let version = match (&self.label, self.fraction) {
            (Some(_), _) => WITH_LABEL,
            (None, 0) => PLAIN,
            (None, _) => WITH_FRACTION,
        };
        let mut text = format!("{version} {} {}", self.fragment, self.next);
        for optional in [self.origin_ms, Some(self.shift), self.session_ms, self.server_ms] {
            // Writing to a String cannot fail.
            let _ = match optional {
                Some(value) => write!(text, " {value}"),
                None => write!(text, " -"),
            };
        }
        let _ = write!(text, " {}", self.server_position);
        if version != PLAIN {
            let _ = write!(text, " {}", self.fraction);
        }
        if let Some(label) = &self.label {
            let _ = write!(text, " {label}");
        }
        text
    }

    /// Reads what [`Anchor::to_text`] wrote.
    ///
    /// # Errors
    /// [`Error::Anchor`] for another version, a missing, malformed or surplus field.
    pub fn from_text(text: &str) -> Result<Self, Error> {
        let mut words = text.split(' ');
        let (has_fraction, has_label) = match words.next() {
            Some(WITH_LABEL) => (true, true),
            Some(WITH_FRACTION) => (true, false),
            Some(PLAIN) => (false, false),
            _ => return Err(Error::Anchor { reason: "unknown version" }),
        };
        let fragment = words.next().and_then(|word| word.parse().ok());
        let fragment = fragment.ok_or(Error::Anchor { reason: "fragment number" })?;
        let mut field = |reason| match words.next() {
            Some("-") => Ok(None),
            Some(word) => word.parse().map(Some).map_err(|_| Error::Anchor { reason }),
            None => Err(Error::Anchor { reason }),
        };
        let required = |value: Option<i64>, reason| value.ok_or(Error::Anchor { reason });
        let mut anchor = Self {
            fragment,
            fraction: 0,
            next: required(field("next")?, "next")?,
            origin_ms: field("origin")?,
            shift: required(field("shift")?, "shift")?,
            session_ms: field("session")?,
            server_ms: field("server time")?,
            server_position: required(field("server position")?, "server position")?,
            label: None,
        };
        if has_fraction {
            let fraction = words.next().and_then(|word| word.parse().ok());
            anchor.fraction = fraction.ok_or(Error::Anchor { reason: "fraction" })?;
        }
        if has_label {
            let label = words.next().filter(|word| (1..=MAX_LABEL).contains(&word.len()));
            anchor.label = Some(label.ok_or(Error::Anchor { reason: "label" })?.to_owned());
        }
        match words.next() {
            None => Ok(anchor),
            Some(_) => Err(Error::Anchor { reason: "surplus field" }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anchor() -> Anchor {
        Anchor {
            fragment: "91343852333181432392682062607743920146159169392".parse().unwrap(),
            next: -104,
            fraction: 0,
            origin_ms: Some(1_511_852_108_513),
            shift: 0,
            session_ms: None,
            server_ms: Some(1_511_852_109_126),
            server_position: 0,
            label: None,
        }
    }

    #[test]
    fn text_is_read_back() {
        for fraction in [0, 16_000] {
            for label in [None, Some("00ff:audio/l16".to_owned())] {
                let anchor = Anchor { fraction, label, ..anchor() };
                let text = anchor.to_text();
                let plain = fraction == 0 && anchor.label.is_none();
                assert_eq!(text.starts_with("1 "), plain, "{text}");
                assert_eq!(Anchor::from_text(&text), Ok(anchor), "{text}");
            }
        }
    }

    #[test]
    fn foreign_text_is_refused() {
        let text = anchor().to_text();
        let surplus = format!("{text} 1");
        let long = format!("3 1 2 3 4 5 6 7 8 {}", "x".repeat(257));
        for bad in [
            "",
            "4 1 2 3 4 5 6 7",
            "3 1 2 3 4 5 6 7 8",
            &long,
            "2 1 2 3 4 5 6 7",
            "1 x 2 3 4 5 6 7",
            "1 1 - 3 4 5 6 7",
            "1 1 2",
            &surplus,
        ] {
            assert!(Anchor::from_text(bad).is_err(), "{bad}");
        }
    }
}
