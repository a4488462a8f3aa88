//! The acknowledgements of PutMedia: JSON objects one after the other, which arrive in pieces of
//! any length (KVS developer guide, API_dataplane_PutMedia, "Response Syntax").

use serde_json::{Deserializer, Value};

/// Maximum length of an acknowledgement, in bytes. KVS's have about 100.
const MAX_BYTES: usize = 64 * 1024;

/// The kinds of acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AckKind {
    /// KVS started to receive a fragment.
    Buffering,
    /// KVS received a whole fragment.
    Received,
    /// KVS stored a fragment.
    Persisted,
    /// KVS rejected a fragment, and ends the connection.
    Error,
    /// KVS received nothing for a while.
    Idle,
}

/// One acknowledgement.
#[derive(Debug, Clone, PartialEq)]
pub struct Ack {
    /// Its kind, or `None` for a kind that this build does not know.
    pub kind: Option<AckKind>,
    /// As it was received.
    pub json: Value,
}

impl Ack {
    fn new(json: Value) -> Self {
        let kind = match field(&json, "EventType").and_then(Value::as_str) {
            Some("BUFFERING") => Some(AckKind::Buffering),
            Some("RECEIVED") => Some(AckKind::Received),
            Some("PERSISTED") => Some(AckKind::Persisted),
            Some("ERROR") => Some(AckKind::Error),
            Some("IDLE") => Some(AckKind::Idle),
            _ => None,
        };
        Self { kind, json }
    }

    /// Returns the number and the name of an error, for example `4004 FRAGMENT_TIMECODE_…`.
    pub(crate) fn error(&self) -> String {
        let part = |name| match field(&self.json, name) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        };
        format!("{} {}", part("ErrorId"), part("ErrorCode")).trim().to_owned()
    }
}

/// Returns a field. The guide has two forms: the fields alone, or within `Acknowledgement`.
fn field<'a>(json: &'a Value, name: &str) -> Option<&'a Value> {
    json.get("Acknowledgement").unwrap_or(json).get(name)
}

/// The received bytes that are not yet a whole acknowledgement.
#[derive(Debug, Default)]
pub(crate) struct AckParser(Vec<u8>);

impl AckParser {
    /// Adds received bytes, and returns the acknowledgements that are complete with them.
    ///
    /// # Errors
    /// The reason why the bytes are no acknowledgement.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<Vec<Ack>, String> {
        self.0.extend_from_slice(bytes);
        let mut values = Deserializer::from_slice(&self.0).into_iter::<Value>();
        let mut acks = Vec::new();
        loop {
            match values.next() {
                Some(Ok(value)) => acks.push(Ack::new(value)),
                Some(Err(error)) if !error.is_eof() => {
                    return Err(format!("not an acknowledgement: {error}"));
                }
                _ => break,
            }
        }
        let used = values.byte_offset();
        self.0.drain(..used);
        match self.0.len() {
            0..=MAX_BYTES => Ok(acks),
            _ => Err("an acknowledgement without end".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TEXT: &str = "{ \"Acknowledgement\" : { \"EventType\": \"RECEIVED\", \"FragmentNumber\": \"1\" } }\n\
        {\"EventType\":\"PERSISTED\",\"FragmentTimecode\":0}\r\n{\"EventType\":\"NEW\"}\
        {\"EventType\":\"ERROR\",\"ErrorId\":4004,\"ErrorCode\":\"X\"}\n";

    #[test]
    fn both_forms_are_read_however_they_are_cut() {
        for length in 1..TEXT.len() {
            let mut parser = AckParser::default();
            let pieces = TEXT.as_bytes().chunks(length);
            let acks: Vec<_> = pieces.flat_map(|piece| parser.push(piece).unwrap()).collect();
            let kinds: Vec<_> = acks.iter().map(|ack| ack.kind).collect();
            let expected =
                [Some(AckKind::Received), Some(AckKind::Persisted), None, Some(AckKind::Error)];
            assert_eq!(kinds, expected, "in pieces of {length}");
            assert_eq!(acks[1].json["FragmentTimecode"], json!(0));
            assert_eq!(acks[3].error(), "4004 X");
        }
    }

    #[test]
    fn what_is_no_acknowledgement_or_has_no_end_is_refused() {
        assert!(AckParser::default().push(b"<html>").unwrap_err().contains("not an ack"));
        let endless = [&b"{\"a\":\""[..], &[b'x'; MAX_BYTES]].concat();
        assert!(AckParser::default().push(&endless).unwrap_err().contains("without end"));
    }
}
