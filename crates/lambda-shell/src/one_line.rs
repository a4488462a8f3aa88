//! JSON text that every reader takes for one line.
//!
//! JSON itself only escapes what is below U+0020. Some readers also break lines at U+0085, U+2028
//! and U+2029, terminals obey U+009B as they do ESC [, and bidirectional overrides make a line read
//! otherwise than it is. Whoever may choose a text that is logged could forge a line with those.

use std::borrow::Cow;

/// One line of JSON with the characters above as `\u` and four hexadecimal digits. Outside of its
/// strings JSON has none of them, and inside the escape means the same character: nothing that is
/// read changes.
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
