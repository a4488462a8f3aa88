//! The lines that a recogniser prints.

use serde::Deserialize;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _};

use super::timeline::Timeline;
use super::words::Line;

/// The longest line of output, in bytes.
const MAX_LINE: u64 = 16 * 1024;
/// The most characters of a recognised line.
const MAX_TEXT: usize = 2000;
/// The most characters of a wrong line that an error quotes.
const QUOTED: usize = 80;
/// Characters that terminals and pages must not get: they change the direction of other text.
const DIRECTIONS: [char; 9] = [
    '\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}', '\u{2066}', '\u{2067}', '\u{2068}',
    '\u{2069}',
];

/// A printed line: times in ms of the input.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Printed {
    start_ms: u64,
    end_ms: u64,
    text: String,
    #[serde(default = "yes")]
    is_final: bool,
}

fn yes() -> bool {
    true
}

impl Printed {
    /// Parses a line of output.
    ///
    /// # Errors
    /// It is no JSON object with these members; the error quotes it.
    pub(super) fn parse(line: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(line).map_err(|error| {
            let text = plain(&String::from_utf8_lossy(line), QUOTED);
            format!("it printed {text:?}, which is no recognised line: {error}")
        })
    }

    /// Returns the line at its place in the session.
    pub(super) fn placed(self, timeline: &Timeline) -> Line {
        let start = timeline.at_ms(self.start_ms);
        // A line that ends where a gap begins ends before the gap.
        let last = timeline.at_ms(self.end_ms.max(self.start_ms.saturating_add(1)) - 1);
        Line {
            number: 0,
            start_ms: start.position_ms(),
            end_ms: last.position_ms() + 1,
            spoken_at: start.spoken_ms,
            text: plain(&self.text, MAX_TEXT),
            is_final: self.is_final,
        }
    }
}

/// Returns a text in one line, without control characters and with at most `most` characters.
pub(super) fn plain(text: &str, most: usize) -> String {
    let is_unwanted = |sign: &char| sign.is_control() || DIRECTIONS.contains(sign);
    let signs = text.chars().map(|sign| if is_unwanted(&sign) { ' ' } else { sign });
    signs.collect::<String>().trim().chars().take(most).collect()
}

/// Returns the next line without its end; `None` after the last one.
///
/// # Errors
/// The output cannot be read, or the line is too long.
pub(super) async fn next_line(
    output: &mut (impl AsyncBufRead + Unpin),
) -> Result<Option<Vec<u8>>, String> {
    let mut line = Vec::new();
    let read = output.take(MAX_LINE).read_until(b'\n', &mut line).await;
    match read.map_err(|error| format!("its output cannot be read: {error}"))? {
        0 => Ok(None),
        _ if line.last() == Some(&b'\n') => {
            line.pop();
            Ok(Some(line))
        }
        length if length as u64 == MAX_LINE => {
            Err(format!("it printed a line of more than {MAX_LINE} bytes"))
        }
        _ => Ok(Some(line)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::timeline::AudioPoint;
    use super::*;

    #[test]
    fn a_line_has_times_and_a_text() {
        let line = br#"{"startMs": 1, "endMs": 2, "text": "good", "confidence": 0.5}"#;
        let expected = Printed { start_ms: 1, end_ms: 2, text: "good".into(), is_final: true };
        assert_eq!(Printed::parse(line), Ok(expected));
        for wrong in ["", "null", "loading the model", r#"{"text": "good"}"#, "\u{fffd}"] {
            let error = Printed::parse(wrong.as_bytes()).unwrap_err();
            assert!(error.contains("is no recognised line"), "{error}");
        }
        let long = Printed::parse(&[b'x'; 999]).unwrap_err();
        assert!(long.len() < 200, "{long}");
    }

    #[test]
    fn a_text_keeps_no_control_characters() {
        assert_eq!(plain(" \u{1b}[31mgood\nmorning\u{202e} ", 99), "[31mgood morning");
        assert_eq!(plain("schöner", 4), "schö");
    }

    #[test]
    fn a_line_ends_before_the_gap_that_follows_it() {
        let mut timeline = Timeline::new(AudioPoint { position: 0, spoken_ms: 7_000 });
        timeline.add(AudioPoint { position: 0, spoken_ms: 7_000 }, 16_000);
        timeline.add(AudioPoint { position: 1_600_000, spoken_ms: 107_000 }, 16_000);
        let printed = Printed { start_ms: 500, end_ms: 3_000, text: "a".into(), is_final: false };
        let line = printed.placed(&timeline);
        assert_eq!((line.start_ms, line.end_ms, line.spoken_at), (500, 3_000, 7_500));
        let printed = Printed { start_ms: 3_000, end_ms: 0, text: "a".into(), is_final: false };
        let line = printed.placed(&timeline);
        assert_eq!((line.start_ms, line.end_ms, line.spoken_at), (100_000, 100_001, 107_000));
    }

    #[test]
    fn a_line_after_the_input_lies_at_its_end() {
        let mut timeline = Timeline::new(AudioPoint { position: 0, spoken_ms: 7_000 });
        timeline.add(AudioPoint { position: 0, spoken_ms: 7_000 }, 16_000);
        let line = br#"{"startMs": 18446744073709551615, "endMs": 0, "text": "late"}"#;
        let line = Printed::parse(line).unwrap().placed(&timeline);
        assert_eq!((line.start_ms, line.end_ms, line.spoken_at), (1_000, 1_001, 8_000));
    }

    #[tokio::test]
    async fn lines_are_read_up_to_a_length() {
        let mut output = &b"one\n\ntwo"[..];
        let mut lines = Vec::new();
        while let Some(line) = next_line(&mut output).await.unwrap() {
            lines.push(line);
        }
        assert_eq!(lines, [&b"one"[..], b"", b"two"]);
        let endless = vec![b'x'; MAX_LINE as usize + 1];
        assert!(next_line(&mut &endless[..]).await.unwrap_err().contains("more than"));
    }
}
