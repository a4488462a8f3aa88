//! Reads the events of a log file: one event a line.
//!
//! An event's time is the `timestamp` of its JSON, as Lambda takes it (Lambda guide, "Working with
//! structured JSON logs"), or that of its metrics. A line without a time has that of the line
//! before it; Lambda would take the time of its arrival.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Result, Seek, SeekFrom};
use std::path::Path;

use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The longest line, in bytes. The writer splits longer ones.
const MAX_LINE: u64 = 512 * 1024;

/// A place between two lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Position {
    /// The bytes before it.
    pub(super) offset: u64,
    /// The time of the line before it, Unix ms.
    pub(super) time: i64,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Event {
    /// Where it begins.
    pub(super) at: Position,
    /// Its time, Unix ms.
    pub(super) timestamp: i64,
    /// The line without its end.
    pub(super) message: String,
}

impl Event {
    /// Returns the id of the event: 56 digits, as CloudWatch Logs has them.
    pub(super) fn id(&self) -> String {
        format!("{:056}", self.at.offset)
    }
}

/// Reads a log file forward.
#[derive(Debug)]
pub(super) struct Reader {
    file: BufReader<File>,
    at: Position,
}

impl Reader {
    /// Opens a file at a position that an earlier reader returned. `None` if there is no file.
    pub(super) fn open(path: &Path, from: Position) -> Result<Option<Self>> {
        let mut file = match File::open(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        file.seek(SeekFrom::Start(from.offset))?;
        Ok(Some(Self { file: BufReader::new(file), at: from }))
    }

    /// Returns the place of the next event.
    pub(super) fn position(&self) -> Position {
        self.at
    }

    /// Returns the next complete line that is not empty; `None` at the end.
    pub(super) fn next_event(&mut self) -> Result<Option<Event>> {
        loop {
            let mut line = Vec::new();
            let read = (&mut self.file).take(MAX_LINE).read_until(b'\n', &mut line)? as u64;
            let is_whole = line.last() == Some(&b'\n') || read == MAX_LINE;
            if !is_whole {
                return Ok(None);
            }
            let at = self.at;
            let message = String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned();
            let timestamp = timestamp(&message).unwrap_or(at.time);
            self.at = Position { offset: at.offset + read, time: timestamp };
            if !message.is_empty() {
                return Ok(Some(Event { at, timestamp, message }));
            }
        }
    }
}

/// The members of a line that state its time.
#[derive(Deserialize)]
struct Times {
    timestamp: Option<serde_json::Value>,
    #[serde(rename = "_aws")]
    metrics: Option<Metrics>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Metrics {
    timestamp: i64,
}

/// Returns the time of a line, Unix ms.
fn timestamp(line: &str) -> Option<i64> {
    let times: Times = serde_json::from_str(line).ok()?;
    match times.timestamp.as_ref().and_then(serde_json::Value::as_str) {
        Some(text) => rfc3339_ms(text),
        None => times.metrics.map(|metrics| metrics.timestamp),
    }
}

/// Reads RFC 3339, and the form of Python's `logging`: `DATE TIME,123`, in UTC.
fn rfc3339_ms(text: &str) -> Option<i64> {
    let text = text.replacen(' ', "T", 1).replacen(',', ".", 1);
    let parsed = OffsetDateTime::parse(&text, &Rfc3339)
        .or_else(|_| OffsetDateTime::parse(&format!("{text}Z"), &Rfc3339));
    i64::try_from(parsed.ok()?.unix_timestamp_nanos() / 1_000_000).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_its_own_time_or_that_of_the_line_before() {
        let path = std::env::temp_dir().join(format!("reader-{}", uuid::Uuid::new_v4()));
        let lines = concat!(
            "start\n\n",
            r#"{"timestamp":"2024-11-25T13:17:00.007Z","message":"a"}"#,
            "\nplain\n",
            r#"{"_aws":{"Timestamp":1732540621000}}"#,
            "\n",
            r#"{"timestamp":"2024-11-25 13:17:02,5"}"#,
            "\nnot yet whole"
        );
        std::fs::write(&path, lines).unwrap();
        let mut reader = Reader::open(&path, Position::default()).unwrap().unwrap();
        let mut events = Vec::new();
        while let Some(event) = reader.next_event().unwrap() {
            events.push(event);
        }
        let times: Vec<i64> = events.iter().map(|event| event.timestamp).collect();
        let (first, second) = (1_732_540_620_007, 1_732_540_621_000);
        assert_eq!(times, [0, first, first, second, 1_732_540_622_500]);
        let mut again = Reader::open(&path, events[2].at).unwrap().unwrap();
        assert_eq!(again.next_event().unwrap().as_ref(), Some(&events[2]));
        assert_eq!(again.position(), events[3].at);
        std::fs::remove_file(&path).unwrap();
        assert!(Reader::open(&path, Position::default()).unwrap().is_none());
    }
}
