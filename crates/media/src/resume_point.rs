//! The state from which a new [`crate::Stream`] resumes a session with the same positions.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::{Error, FragmentNumber};

/// First word of [`ResumePoint::to_text`].
const VERSION: &str = "4";

/// First words of earlier versions: without a fraction, with one, and with a MIME hint after it.
/// They have no lateness, which starts empty.
const BEFORE: [&str; 3] = ["1", "2", "3"];

/// Text of a field without a value.
const NONE: &str = "-";

/// Most numbers of [`ResumePoint::stamps`].
const MAX_STAMPS: usize = 32;

/// Longest MIME hint that is accepted, in bytes; [`ResumePoint::to_text`] writes at most 145.
const MAX_MIME_HINT: usize = 256;

/// State of the timeline at the start of `fragment`. A run that resumes there gives every sample
/// the position that it had in the first run.
///
/// Positions depend only on this state and the bytes from that fragment on. Decoder state is not
/// included: decode some fragments before it first and drop their PCM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ResumePoint {
    /// The fragment to resume at.
    pub fragment: FragmentNumber,
    /// Position of the next sample, in samples; negative during pre-skip.
    pub next: i64,
    /// Part of the previous block after `next`, in 1/rate of a sample; 0 for Opus.
    pub fraction: u32,
    /// Samples lost after `next` by damaged packets.
    pub lost: i64,
    /// Producer's clock at position 0 before any re-anchoring, ms since the epoch. `None` only
    /// before any audio: resuming then equals a new session.
    pub origin_ms: Option<i64>,
    /// Samples that re-anchoring has added to the producer's clock since the start.
    pub clock_offset: i64,
    /// Recent lateness of the producer's time stamps, in the format of
    /// [`Timeline`](crate::timeline::Timeline); empty if none.
    pub stamps: Vec<i64>,
    /// Producer session of the last placed block: its clock minus the Matroska timecode, ms.
    pub session_ms: Option<i64>,
    /// SERVER_TIMESTAMP of the last fragment with audio, ms since the epoch.
    pub server_ms: Option<i64>,
    /// Position of the start of that fragment, in samples: that of its first block, minus the
    /// block's offset in the fragment.
    pub server_position: i64,
    /// The MimeType tag of an earlier document and the tracks it applies to, as one word.
    pub mime_hint: Option<String>,
}

impl ResumePoint {
    /// Formats the state as one ASCII line that [`ResumePoint::from_text`] parses: a version and
    /// the fields.
    pub fn to_text(&self) -> String {
        let mut text = format!("{VERSION} {} {}", self.fragment, self.next);
        for optional in [self.origin_ms, Some(self.clock_offset), self.session_ms, self.server_ms] {
            // Writing to a String cannot fail.
            let _ = match optional {
                Some(value) => write!(text, " {value}"),
                None => write!(text, " {NONE}"),
            };
        }
        let mime_hint = self.mime_hint.as_deref().unwrap_or(NONE);
        let _ =
            write!(text, " {} {} {mime_hint} {}", self.server_position, self.fraction, self.lost);
        for (index, number) in self.stamps.iter().enumerate() {
            let _ = write!(text, "{}{number}", if index == 0 { ' ' } else { ',' });
        }
        text
    }

    /// Parses the text of [`ResumePoint::to_text`].
    ///
    /// # Errors
    /// [`Error::ResumePoint`] for another version, or a missing, malformed or surplus field.
    pub fn from_text(text: &str) -> Result<Self, Error> {
        let mut words = Words(text.split(' '));
        let version = words.0.next().unwrap_or_default();
        let age = BEFORE.iter().position(|before| *before == version);
        if age.is_none() && version != VERSION {
            return Err(Error::ResumePoint { reason: "unknown version" });
        }
        let mut point = Self {
            fragment: words.parsed("fragment number")?,
            next: words.parsed("next")?,
            origin_ms: words.optional("origin")?,
            clock_offset: words.parsed("clock offset")?,
            session_ms: words.optional("session")?,
            server_ms: words.optional("server time")?,
            server_position: words.parsed("server position")?,
            fraction: if age == Some(0) { 0 } else { words.parsed("fraction")? },
            mime_hint: None,
            lost: 0,
            stamps: Vec::new(),
        };
        if age.is_none_or(|age| age > 1) {
            let mime_hint = words.0.next().filter(|word| (1..=MAX_MIME_HINT).contains(&word.len()));
            let mime_hint = mime_hint.ok_or(Error::ResumePoint { reason: "MIME hint" })?;
            point.mime_hint = (age.is_some() || mime_hint != NONE).then(|| mime_hint.to_owned());
        }
        if age.is_none() {
            point.lost = words.parsed("lost")?;
            point.stamps = words.numbers()?;
        }
        match words.0.next() {
            None => Ok(point),
            Some(_) => Err(Error::ResumePoint { reason: "surplus field" }),
        }
    }
}

impl From<ResumePoint> for String {
    fn from(point: ResumePoint) -> Self {
        point.to_text()
    }
}

impl TryFrom<String> for ResumePoint {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        Self::from_text(&text)
    }
}

/// The fields of the text, in order.
struct Words<'a>(std::str::Split<'a, char>);

impl Words<'_> {
    fn parsed<T: std::str::FromStr>(&mut self, reason: &'static str) -> Result<T, Error> {
        self.0.next().and_then(|word| word.parse().ok()).ok_or(Error::ResumePoint { reason })
    }

    fn optional(&mut self, reason: &'static str) -> Result<Option<i64>, Error> {
        match self.0.next() {
            Some(NONE) => Ok(None),
            Some(word) => word.parse().map(Some).map_err(|_| Error::ResumePoint { reason }),
            None => Err(Error::ResumePoint { reason }),
        }
    }

    /// Parses the last field, which may be missing: numbers separated by commas.
    fn numbers(&mut self) -> Result<Vec<i64>, Error> {
        let Some(word) = self.0.next() else { return Ok(Vec::new()) };
        let numbers = word.split(',').map(str::parse).take(MAX_STAMPS + 1);
        let numbers: Result<Vec<i64>, _> = numbers.collect();
        let within = |numbers: &Vec<i64>| numbers.len() <= MAX_STAMPS;
        numbers.ok().filter(within).ok_or(Error::ResumePoint { reason: "stamps" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point() -> ResumePoint {
        ResumePoint {
            fragment: "91343852333181432392682062607743920146159169392".parse().unwrap(),
            next: -104,
            fraction: 0,
            lost: 0,
            origin_ms: Some(1_511_852_108_513),
            clock_offset: 0,
            stamps: vec![0, 3, -16, 16, 0, 0, 0],
            session_ms: None,
            server_ms: Some(1_511_852_109_126),
            server_position: 0,
            mime_hint: None,
        }
    }

    #[test]
    fn text_is_parsed_again() {
        for (fraction, lost) in [(0, 0), (16_000, 320)] {
            for mime_hint in [None, Some("00ff:audio/l16".to_owned())] {
                for stamps in [vec![], vec![-1], point().stamps] {
                    let point = ResumePoint {
                        fraction,
                        lost,
                        mime_hint: mime_hint.clone(),
                        stamps,
                        ..point()
                    };
                    let text = point.to_text();
                    assert_eq!(ResumePoint::from_text(&text), Ok(point), "{text}");
                }
            }
        }
    }

    #[test]
    fn earlier_versions_are_parsed() {
        let known = ResumePoint {
            next: 2,
            origin_ms: Some(3),
            clock_offset: 4,
            session_ms: Some(5),
            ..point()
        };
        let known = ResumePoint { server_ms: Some(6), server_position: 7, stamps: vec![], ..known };
        for (text, fraction, mime_hint) in [
            ("1 9 2 3 4 5 6 7", 0, None),
            ("2 9 2 3 4 5 6 7 8", 8, None),
            ("3 9 2 3 4 5 6 7 8 l", 8, Some("l")),
        ] {
            let mime_hint = mime_hint.map(str::to_owned);
            let expected = ResumePoint {
                fragment: "9".parse().unwrap(),
                fraction,
                mime_hint,
                ..known.clone()
            };
            assert_eq!(ResumePoint::from_text(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn malformed_text_is_rejected() {
        let text = point().to_text();
        let surplus = format!("{text} 1");
        let long = format!("3 1 2 3 4 5 6 7 8 {}", "x".repeat(257));
        let too_many = format!("4 1 2 3 4 5 6 7 8 - 0 {}", ["1"; 33].join(","));
        for bad in [
            "",
            "5 1 2 3 4 5 6 7",
            "4 1 2 3 4 5 6 7 8 - ",
            "4 1 2 3 4 5 6 7 8 - 0 x",
            "4 1 2 3 4 5 6 7 8 - 0 1,",
            &too_many,
            "3 1 2 3 4 5 6 7 8",
            &long,
            "2 1 2 3 4 5 6 7",
            "1 x 2 3 4 5 6 7",
            "1 1 - 3 4 5 6 7",
            "1 1 2",
            &surplus,
        ] {
            assert!(ResumePoint::from_text(bad).is_err(), "{bad}");
        }
    }
}
