//! Pages of events, bounded in number and size, and the tokens that name where the next begins.

use std::collections::VecDeque;
use std::io::Result;

use super::reader::{Event, Position, Reader};

/// The most events of a page (quota of FilterLogEvents and GetLogEvents).
pub(super) const MAX_EVENTS: usize = 10_000;
/// The largest page, in bytes (the same quota).
const MAX_BYTES: usize = 1024 * 1024;
/// What CloudWatch Logs adds to the length of an event, in bytes.
const OVERHEAD: usize = 26;
/// How much of a log one call searches, in bytes. A page then ends early, as it may on AWS.
const MAX_SEARCHED: u64 = 8 * 1024 * 1024;

/// A page of events.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) events: Vec<Event>,
    /// Where the next page begins; `None` at the end of the log.
    pub(super) next: Option<Position>,
    /// Where this page ends.
    pub(super) end: Position,
}

/// Returns the next `limit` wanted events.
pub(super) fn forward(
    mut reader: Reader,
    limit: usize,
    wanted: impl Fn(&Event) -> bool,
) -> Result<Page> {
    let begin = reader.position().offset;
    let (mut events, mut bytes) = (Vec::new(), 0);
    while let Some(event) = reader.next_event()? {
        if wanted(&event) {
            bytes += event.message.len() + OVERHEAD;
            events.push(event);
        }
        let searched = reader.position().offset - begin;
        if events.len() >= limit || bytes >= MAX_BYTES || searched >= MAX_SEARCHED {
            let end = reader.position();
            return Ok(Page { events, next: Some(end), end });
        }
    }
    Ok(Page { events, next: None, end: reader.position() })
}

/// Returns the last `limit` wanted events that begin before the byte `until`.
pub(super) fn backward(
    mut reader: Reader,
    until: u64,
    limit: usize,
    wanted: impl Fn(&Event) -> bool,
) -> Result<Page> {
    let (mut last, mut bytes, mut end) = (VecDeque::new(), 0, Position::default());
    while let Some(event) = reader.next_event()?.filter(|event| event.at.offset < until) {
        end = reader.position();
        if !wanted(&event) {
            continue;
        }
        bytes += event.message.len() + OVERHEAD;
        last.push_back(event);
        while last.len() > limit || (bytes > MAX_BYTES && last.len() > 1) {
            bytes -= last.pop_front().map_or(0, |first: Event| first.message.len() + OVERHEAD);
        }
    }
    Ok(Page { events: last.into(), next: None, end })
}

/// Returns the token of a position. `kind` distinguishes the tokens of different calls.
pub(super) fn token(kind: char, position: Position) -> String {
    format!("{kind}/{:020}/{}", position.offset, position.time)
}

/// Reads a token; `None` if it is not one of this kind.
pub(super) fn read_token(kind: char, token: &str) -> Option<Position> {
    let (offset, time) = token.strip_prefix(kind)?.strip_prefix('/')?.split_once('/')?;
    Some(Position { offset: offset.parse().ok()?, time: time.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_names_its_position_and_its_kind() {
        let position = Position { offset: 42, time: -1 };
        assert_eq!(read_token('f', &token('f', position)), Some(position));
        for wrong in ["", "f", "f/1", "b/00000000000000000042/-1", "f/x/1", "f/1/x"] {
            assert_eq!(read_token('f', wrong), None, "{wrong}");
        }
    }
}
