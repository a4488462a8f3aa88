//! The wildcards of policies: `*` matches any text, also none, and `?` matches one character.

/// Returns whether `pattern` matches all of `text`. Compares bytes: actions and ARNs are ASCII.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&byte) if byte == b'?' || byte == text[t] => {
                p += 1;
                t += 1;
            }
            // The last star takes one more byte, and the rest is tried again.
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The reference: tries every way to divide the text between the wildcards.
    fn by_definition(pattern: &[u8], text: &[u8]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some((b'*', rest)) => (0..=text.len()).any(|taken| by_definition(rest, &text[taken..])),
            Some((one, rest)) => text.split_first().is_some_and(|(first, after)| {
                (*one == b'?' || one == first) && by_definition(rest, after)
            }),
        }
    }

    proptest! {
        #[test]
        fn a_pattern_matches_what_its_definition_says(
            pattern in "[ab/*?]{0,8}",
            text in "[ab/]{0,10}",
        ) {
            let wanted = by_definition(pattern.as_bytes(), text.as_bytes());
            prop_assert_eq!(matches(&pattern, &text), wanted);
        }
    }

    #[test]
    fn a_star_goes_past_every_separator() {
        let pattern = "arn:aws:kinesisvideo:us-east-1:1:stream/session-*/*";
        assert!(matches(
            pattern,
            "arn:aws:kinesisvideo:us-east-1:1:stream/session-a-1/1732540620000"
        ));
        assert!(!matches(pattern, "arn:aws:kinesisvideo:us-east-1:1:stream/session-a-1"));
        assert!(!matches(pattern, "arn:aws:kinesisvideo:us-east-1:1:channel/session-a-1/1"));
        assert!(matches("*", "") && !matches("?", "") && !matches("", "a"));
    }
}
