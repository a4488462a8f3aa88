//! The tags by which KVS names a fragment, places it in time and closes it, and the producers' that matter.

use super::track::set_text;
use crate::FragmentNumber;

/// Prefix of every tag that KVS adds.
const PREFIX: &str = "AWS_KINESISVIDEO_";

/// Latest time believed, ms since the epoch (year 2100): a later one counts as absent.
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
    /// `MimeType`, a producer's tag: what its audio really is, such as `audio/L16;rate=8000;channels=1`.
    pub mime_type: Option<String>,
    /// `sessionId`, a producer's tag: the session whose audio it stores.
    pub session_id: Option<String>,
}

impl AwsTags {
    /// Both trailing tags are there.
    pub fn is_complete(&self) -> bool {
        self.millis_behind_now.is_some() && self.continuation_token.is_some()
    }

    /// KVS reports an error.
    pub fn is_error(&self) -> bool {
        self.error_id.is_some() || self.error_code.is_some()
    }

    fn set(&mut self, name: &str, value: &str) {
        match name {
            "MimeType" => self.mime_type = Some(value.to_owned()),
            "sessionId" => self.session_id = Some(value.to_owned()),
            _ => {}
        }
        let Some(name) = name.strip_prefix(PREFIX) else { return };
        match name {
            "FRAGMENT_NUMBER" => self.fragment_number = value.parse().ok(),
            "SERVER_TIMESTAMP" => self.server_ms = seconds_to_ms(value),
            "PRODUCER_TIMESTAMP" => self.producer_ms = seconds_to_ms(value),
            "MILLIS_BEHIND_NOW" => self.millis_behind_now = value.parse().ok(),
            "CONTINUATION_TOKEN" => self.continuation_token = Some(value.to_owned()),
            "ERROR_ID" => self.error_id = value.parse().ok(),
            "ERROR_CODE" => self.error_code = Some(value.to_owned()),
            _ => {}
        }
    }
}

/// Seconds with up to three decimals, as text, to milliseconds; further decimals are cut off.
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

/// Pairs TagName with TagString as they pass; holds one pair at a time, however many tags there are.
#[derive(Debug, Default)]
pub(super) struct TagReader {
    name: String,
    value: String,
    has_name: bool,
    has_value: bool,
}

impl TagReader {
    /// A SimpleTag begins.
    pub(super) fn open(&mut self) {
        self.has_name = false;
        self.has_value = false;
    }

    pub(super) fn name(&mut self, body: &[u8], tags: &mut AwsTags) {
        set_text(&mut self.name, body);
        self.has_name = true;
        self.pair(tags);
    }

    pub(super) fn value(&mut self, body: &[u8], tags: &mut AwsTags) {
        set_text(&mut self.value, body);
        self.has_value = true;
        self.pair(tags);
    }

    fn pair(&mut self, tags: &mut AwsTags) {
        if self.has_name && self.has_value {
            tags.set(&self.name, &self.value);
            self.open();
        }
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
    fn names_and_values_pair_in_either_order() {
        let (mut reader, mut tags) = (TagReader::default(), AwsTags::default());
        reader.open();
        reader.value(b"4000\0\0", &mut tags);
        reader.name(b"AWS_KINESISVIDEO_ERROR_ID\0", &mut tags);
        reader.open();
        reader.name(b"AWS_KINESISVIDEO_ERROR_CODE", &mut tags);
        reader.open();
        reader.value(b"not its value", &mut tags);
        assert_eq!(tags, AwsTags { error_id: Some(4000), ..AwsTags::default() });
    }
}
