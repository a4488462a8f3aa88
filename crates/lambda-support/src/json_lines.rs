//! Escapes JSON text so that every reader treats it as one line.
//!
//! JSON requires escapes only below U+0020. Some readers also break lines at U+0085, U+2028 and
//! U+2029, terminals interpret U+009B like ESC [, and bidirectional overrides change the displayed
//! order. A client that controls a logged text could use these characters to forge log lines.

use std::borrow::Cow;

/// Replaces the characters above in one line of JSON by `\u` and four hexadecimal digits. JSON
/// contains them only inside strings, where the escape has the same meaning, so the parsed value
/// does not change.
#[must_use]
pub fn escaped(line: &[u8]) -> Cow<'_, [u8]> {
    match std::str::from_utf8(line) {
        Ok(text) if text.contains(is_unsafe) => {
            let mut out = String::with_capacity(text.len() + 16);
            for one in text.chars() {
                match is_unsafe(one) {
                    true => out.push_str(&format!("\\u{:04x}", u32::from(one))),
                    false => out.push(one),
                }
            }
            Cow::Owned(out.into_bytes())
        }
        _ => Cow::Borrowed(line),
    }
}

const fn is_unsafe(one: char) -> bool {
    matches!(
        one,
        '\u{7f}'..='\u{9f}'
            | '\u{200e}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_plain_is_not_copied() {
        let line = "{\"a\":\"é – 日本\"}\n".as_bytes();
        assert!(matches!(escaped(line), Cow::Borrowed(same) if same == line));
    }

    #[test]
    fn every_character_reads_back_as_it_was() {
        for code in 0..0x3000 {
            let Some(one) = char::from_u32(code) else { continue };
            let value = serde_json::json!({ "a": one.to_string() });
            let line = value.to_string();
            let out = escaped(line.as_bytes()).into_owned();
            assert_eq!(serde_json::from_slice::<serde_json::Value>(&out).unwrap(), value);
        }
    }
}
