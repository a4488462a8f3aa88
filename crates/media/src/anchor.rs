//! The place in a session from which a new [`crate::Stream`] computes the same positions again.

use std::fmt::Write as _;

use crate::{Error, FragmentNumber};

/// First word of [`Anchor::to_text`].
const VERSION: &str = "4";

/// First words of anchors from before lateness was kept: without a fraction, with one, and with a
/// label behind it. They are read, and lateness begins anew.
const BEFORE: [&str; 3] = ["1", "2", "3"];

/// Stands for a field that has no value.
const NONE: &str = "-";

/// Most numbers of [`Anchor::stamps`].
const MAX_STAMPS: usize = 32;

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
    /// Samples behind `next` that damaged packets left missing.
    pub lost: i64,
    /// Producer clock at position 0 before any re-anchoring, ms since the epoch. `None` only when
    /// no audio had been seen yet: resuming then is the same as starting fresh.
    pub origin_ms: Option<i64>,
    /// Samples added to the clock's answer by re-anchoring since the start.
    pub shift: i64,
    /// How the producer's time stamps have stood to the samples lately, as
    /// [`Timeline`](crate::timeline::Timeline) wrote it; empty when nothing is known.
    pub stamps: Vec<i64>,
    /// Identity of the producer session of the last block placed: its clock minus the Matroska
    /// timecode, ms.
    pub session_ms: Option<i64>,
    /// SERVER_TIMESTAMP of the last fragment with audio, ms since the epoch.
    pub server_ms: Option<i64>,
    /// Position at which that fragment began, in samples: its first block's, less how far into the
    /// fragment that block stands.
    pub server_position: i64,
    /// What was known of the tracks that they do not say themselves (an earlier MimeType tag), as
    /// one word.
    pub label: Option<String>,
}

impl Anchor {
    /// One line of ASCII that [`Anchor::from_text`] reads back: a version and the fields in order.
    pub fn to_text(&self) -> String {
        let mut text = format!("{VERSION} {} {}", self.fragment, self.next);
        for optional in [self.origin_ms, Some(self.shift), self.session_ms, self.server_ms] {
            // Writing to a String cannot fail.
            let _ = match optional {
                Some(value) => write!(text, " {value}"),
                None => write!(text, " {NONE}"),
            };
        }
        let label = self.label.as_deref().unwrap_or(NONE);
        let _ = write!(text, " {} {} {label} {}", self.server_position, self.fraction, self.lost);
        for (index, number) in self.stamps.iter().enumerate() {
            let _ = write!(text, "{}{number}", if index == 0 { ' ' } else { ',' });
        }
        text
    }

    /// Reads what [`Anchor::to_text`] wrote.
    ///
    /// # Errors
    /// [`Error::Anchor`] for another version, a missing, malformed or surplus field.
    pub fn from_text(text: &str) -> Result<Self, Error> {
        let mut words = Words(text.split(' '));
        let version = words.0.next().unwrap_or_default();
        let age = BEFORE.iter().position(|before| *before == version);
        if age.is_none() && version != VERSION {
            return Err(Error::Anchor { reason: "unknown version" });
        }
        let mut anchor = Self {
            fragment: words.parsed("fragment number")?,
            next: words.parsed("next")?,
            origin_ms: words.optional("origin")?,
            shift: words.parsed("shift")?,
            session_ms: words.optional("session")?,
            server_ms: words.optional("server time")?,
            server_position: words.parsed("server position")?,
            fraction: if age == Some(0) { 0 } else { words.parsed("fraction")? },
            label: None,
            lost: 0,
            stamps: Vec::new(),
        };
        if age.is_none_or(|age| age > 1) {
            let label = words.0.next().filter(|word| (1..=MAX_LABEL).contains(&word.len()));
            let label = label.ok_or(Error::Anchor { reason: "label" })?;
            anchor.label = (age.is_some() || label != NONE).then(|| label.to_owned());
        }
        if age.is_none() {
            anchor.lost = words.parsed("lost")?;
            anchor.stamps = words.numbers()?;
        }
        match words.0.next() {
            None => Ok(anchor),
            Some(_) => Err(Error::Anchor { reason: "surplus field" }),
        }
    }
}

/// The fields of an anchor's text, read in order.
struct Words<'a>(std::str::Split<'a, char>);

impl Words<'_> {
    fn parsed<T: std::str::FromStr>(&mut self, reason: &'static str) -> Result<T, Error> {
        self.0.next().and_then(|word| word.parse().ok()).ok_or(Error::Anchor { reason })
    }

    fn optional(&mut self, reason: &'static str) -> Result<Option<i64>, Error> {
        match self.0.next() {
            Some(NONE) => Ok(None),
            Some(word) => word.parse().map(Some).map_err(|_| Error::Anchor { reason }),
            None => Err(Error::Anchor { reason }),
        }
    }

    /// The last field, which may be missing: numbers with commas between them.
    fn numbers(&mut self) -> Result<Vec<i64>, Error> {
        let Some(word) = self.0.next() else { return Ok(Vec::new()) };
        let numbers = word.split(',').map(str::parse).take(MAX_STAMPS + 1);
        let numbers: Result<Vec<i64>, _> = numbers.collect();
        let within = |numbers: &Vec<i64>| numbers.len() <= MAX_STAMPS;
        numbers.ok().filter(within).ok_or(Error::Anchor { reason: "stamps" })
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
            lost: 0,
            origin_ms: Some(1_511_852_108_513),
            shift: 0,
            stamps: vec![0, 3, -16, 16, 0, 0, 0],
            session_ms: None,
            server_ms: Some(1_511_852_109_126),
            server_position: 0,
            label: None,
        }
    }

    #[test]
    fn text_is_read_back() {
        for (fraction, lost) in [(0, 0), (16_000, 320)] {
            for label in [None, Some("00ff:audio/l16".to_owned())] {
                for stamps in [vec![], vec![-1], anchor().stamps] {
                    let anchor =
                        Anchor { fraction, lost, label: label.clone(), stamps, ..anchor() };
                    let text = anchor.to_text();
                    assert_eq!(Anchor::from_text(&text), Ok(anchor), "{text}");
                }
            }
        }
    }

    #[test]
    fn text_from_before_is_read() {
        let known =
            Anchor { next: 2, origin_ms: Some(3), shift: 4, session_ms: Some(5), ..anchor() };
        let known = Anchor { server_ms: Some(6), server_position: 7, stamps: vec![], ..known };
        for (text, fraction, label) in [
            ("1 9 2 3 4 5 6 7", 0, None),
            ("2 9 2 3 4 5 6 7 8", 8, None),
            ("3 9 2 3 4 5 6 7 8 l", 8, Some("l")),
        ] {
            let label = label.map(str::to_owned);
            let expected =
                Anchor { fragment: "9".parse().unwrap(), fraction, label, ..known.clone() };
            assert_eq!(Anchor::from_text(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn foreign_text_is_refused() {
        let text = anchor().to_text();
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
            assert!(Anchor::from_text(bad).is_err(), "{bad}");
        }
    }
}
