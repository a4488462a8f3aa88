//! The tags of KVS, which state number, time and end of a fragment, and the producer tags that are
//! read.

use super::track::set_text;
use crate::FragmentNumber;

/// Prefix of the tags that KVS adds.
const PREFIX: &str = "AWS_KINESISVIDEO_";

/// Latest valid time, ms since the epoch (year 2100): a later one counts as absent.
const MAX_TIME_MS: u64 = 4_102_444_800_000;

/// AWS tags of the current document so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct AwsTags {
    /// FRAGMENT_NUMBER.
    pub fragment_number: Option<FragmentNumber>,
    /// SERVER_TIMESTAMP, ms since the epoch: when KVS began to ingest the fragment.
    pub server_ms: Option<i64>,
    /// PRODUCER_TIMESTAMP, ms since the epoch: the producer's clock at the fragment's start.
    pub producer_ms: Option<i64>,
    /// MILLIS_BEHIND_NOW.
    pub millis_behind_now: Option<u64>,
    /// CONTINUATION_TOKEN.
    pub continuation_token: Option<String>,
    /// ERROR_ID.
    pub error_id: Option<u32>,
    /// ERROR_CODE.
    pub error_code: Option<String>,
    /// `MimeType`, a producer's tag: the actual type of its audio, such as
    /// `audio/L16;rate=8000;channels=1`.
    pub mime_type: Option<String>,
    /// `sessionId`, a producer's tag: the session whose audio it stores.
    pub session_id: Option<String>,
    /// A second fragment number was read that differs from the first.
    pub(super) renamed: bool,
    /// MILLIS_BEHIND_NOW is present, even if it is no number.
    has_millis_behind: bool,
}

impl AwsTags {
    /// Returns whether both trailing tags are present.
    pub fn is_complete(&self) -> bool {
        self.has_millis_behind && self.continuation_token.is_some()
    }

    /// Returns whether KVS reports an error.
    pub fn is_error(&self) -> bool {
        self.error_id.is_some() || self.error_code.is_some()
    }

    fn set_number(&mut self, value: &str) {
        let Ok(number) = value.parse() else { return };
        self.renamed = self.fragment_number.as_ref().is_some_and(|first| *first != number);
        if !self.renamed {
            self.fragment_number = Some(number);
        }
    }

    fn set(&mut self, name: &str, value: &str) {
        match name {
            "MimeType" => self.mime_type = Some(value.to_owned()),
            "sessionId" => self.session_id = Some(value.to_owned()),
            _ => {}
        }
        let Some(name) = name.strip_prefix(PREFIX) else { return };
        match name {
            "FRAGMENT_NUMBER" => self.set_number(value),
            "SERVER_TIMESTAMP" => self.server_ms = seconds_to_ms(value),
            "PRODUCER_TIMESTAMP" => self.producer_ms = seconds_to_ms(value),
            "MILLIS_BEHIND_NOW" => {
                self.millis_behind_now = whole_millis(value);
                self.has_millis_behind = true;
            }
            "CONTINUATION_TOKEN" => self.continuation_token = Some(value.to_owned()),
            "ERROR_ID" => self.error_id = value.parse().ok(),
            "ERROR_CODE" => self.error_code = Some(value.to_owned()),
            _ => {}
        }
    }
}

/// Parses milliseconds, rounded up. The fragment is complete even if this fails.
fn whole_millis(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let more = fraction.bytes().any(|digit| digit != b'0');
    whole.parse::<u64>().ok()?.checked_add(u64::from(more))
}

/// Converts seconds, as text, to milliseconds; decimals beyond the third are cut off.
fn seconds_to_ms(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    let seconds: u64 = whole.parse().ok()?;
    let mut millis = 0;
    for place in 0..3 {
        let digit = fraction.as_bytes().get(place).map_or(0, |byte| byte - b'0');
        millis = millis * 10 + u64::from(digit);
    }
    let total = seconds.checked_mul(1000)?.checked_add(millis)?;
    i64::try_from(total).ok().filter(|_| total <= MAX_TIME_MS)
}

/// Pairs TagName with TagString; holds one pair for each SimpleTag that is open, and none of those
/// that are closed.
#[derive(Debug, Default)]
pub(super) struct TagReader {
    pairs: Vec<Pair>,
    /// SimpleTags that are open, one inside the other; their number meets
    /// [`super::limits::MAX_DEPTH`].
    open: usize,
}

#[derive(Debug, Default)]
struct Pair {
    name: String,
    value: String,
    has_name: bool,
    has_value: bool,
}

impl TagReader {
    /// Begins a document.
    pub(super) fn clear(&mut self) {
        self.open = 0;
    }

    /// Begins a SimpleTag.
    pub(super) fn open(&mut self) {
        match self.pairs.get_mut(self.open) {
            Some(pair) => (pair.has_name, pair.has_value) = (false, false),
            None => self.pairs.push(Pair::default()),
        }
        self.open += 1;
    }

    /// Ends a SimpleTag.
    pub(super) fn close(&mut self) {
        self.open = self.open.saturating_sub(1);
    }

    /// Takes a TagName, or a TagString.
    pub(super) fn take(&mut self, is_name: bool, body: &[u8], tags: &mut AwsTags) {
        let Some(pair) = self.current() else { return };
        if is_name {
            set_text(&mut pair.name, body);
            pair.has_name = true;
        } else {
            set_text(&mut pair.value, body);
            pair.has_value = true;
        }
        if pair.has_name && pair.has_value {
            tags.set(&pair.name, &pair.value);
            (pair.has_name, pair.has_value) = (false, false);
        }
    }

    fn current(&mut self) -> Option<&mut Pair> {
        self.pairs.get_mut(self.open.checked_sub(1)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_read_without_floating_point() {
        for (text, ms) in [
            ("1511852109.126", Some(1_511_852_109_126)),
            ("0.000", Some(0)),
            ("5", Some(5000)),
            ("5.1", Some(5100)),
            ("5.12345", Some(5123)),
            ("", None),
            ("-1.0", None),
            ("1e9", None),
            ("99999999999999999999", None),
            ("9999999999999", None),
        ] {
            assert_eq!(seconds_to_ms(text), ms, "{text}");
        }
    }

    #[test]
    fn how_far_behind_is_read_as_far_as_it_goes() {
        for (text, millis) in [
            ("0", Some(0)),
            ("1234", Some(1234)),
            ("12.5", Some(13)),
            ("12.000", Some(12)),
            ("", None),
            ("-1", None),
            ("soon", None),
        ] {
            let mut tags = AwsTags::default();
            tags.set("AWS_KINESISVIDEO_CONTINUATION_TOKEN", "1");
            tags.set("AWS_KINESISVIDEO_MILLIS_BEHIND_NOW", text);
            assert_eq!((tags.is_complete(), tags.millis_behind_now), (true, millis), "{text}");
        }
    }

    #[test]
    fn names_and_values_pair_in_either_order() {
        let (mut reader, mut tags) = (TagReader::default(), AwsTags::default());
        reader.open();
        reader.take(false, b"4000\0\0", &mut tags);
        reader.take(true, b"AWS_KINESISVIDEO_ERROR_ID\0", &mut tags);
        reader.close();
        reader.open();
        reader.take(true, b"AWS_KINESISVIDEO_ERROR_CODE", &mut tags);
        reader.close();
        reader.open();
        reader.take(false, b"not its value", &mut tags);
        assert_eq!(tags, AwsTags { error_id: Some(4000), ..AwsTags::default() });
    }

    #[test]
    fn a_tag_inside_a_tag_parts_no_name_from_its_value() {
        let (mut reader, mut tags) = (TagReader::default(), AwsTags::default());
        reader.open();
        reader.take(true, b"AWS_KINESISVIDEO_ERROR_ID", &mut tags);
        reader.open();
        reader.take(true, b"AWS_KINESISVIDEO_ERROR_CODE", &mut tags);
        reader.take(false, b"inner", &mut tags);
        reader.close();
        reader.take(false, b"4000", &mut tags);
        let code = Some("inner".to_owned());
        assert_eq!((tags.error_id, tags.error_code), (Some(4000), code));
    }
}
