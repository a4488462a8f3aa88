//! Filter patterns (CloudWatch Logs guide, "Filter pattern syntax for metric filters, subscription
//! filters, filter log events, and Live Tail").
//!
//! Supported: terms (`ERROR Exception`: all; `?A ?B`: any; `-C`: not), phrases in quotation marks,
//! and JSON patterns in braces. Not supported, and refused: regular expressions (`%…%`) and
//! patterns of space-delimited events (`[…]`).

use super::json_filter::JsonFilter;

/// Whether an event passes.
#[derive(Debug, Clone)]
pub(super) enum Filter {
    /// The whole event must not contain any of `none`, must contain each of `all`, and one of
    /// `any` if there are some.
    Terms { all: Vec<String>, any: Vec<String>, none: Vec<String> },
    /// The event is JSON to which a condition applies.
    Json(JsonFilter),
}

impl Filter {
    /// Reads a pattern. An empty one passes every event. `None` if it is not valid here.
    pub(super) fn read(pattern: &str) -> Option<Self> {
        let pattern = pattern.trim();
        if pattern.starts_with('{') {
            return JsonFilter::read(pattern).map(Self::Json);
        }
        if pattern.starts_with('[') {
            return None;
        }
        Self::terms(pattern)
    }

    fn terms(pattern: &str) -> Option<Self> {
        let (mut all, mut any, mut none) = (Vec::new(), Vec::new(), Vec::new());
        let mut rest = pattern.trim_start();
        while let Some(first) = rest.chars().next() {
            let (terms, from) = match first {
                '?' => (&mut any, 1),
                '-' => (&mut none, 1),
                _ => (&mut all, 0),
            };
            let (term, left) = term(&rest[from..])?;
            terms.push(term);
            rest = left.trim_start();
        }
        Some(Self::Terms { all, any, none })
    }

    /// Returns whether an event passes.
    pub(super) fn passes(&self, message: &str) -> bool {
        match self {
            Self::Terms { all, any, none } => {
                let has = |term: &String| message.contains(term.as_str());
                all.iter().all(has)
                    && (any.is_empty() || any.iter().any(has))
                    && !none.iter().any(has)
            }
            Self::Json(filter) => filter.passes(message),
        }
    }
}

/// Returns the first term and the rest. A term with anything but letters, digits and underscores
/// must be in quotation marks.
fn term(text: &str) -> Option<(String, &str)> {
    if let Some(quoted) = text.strip_prefix('"') {
        return quoted_text(quoted).filter(|(term, _)| !term.is_empty());
    }
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let (term, rest) = text.split_at(end);
    let is_plain = |letter: char| letter.is_alphanumeric() || letter == '_';
    (!term.is_empty() && term.chars().all(is_plain)).then(|| (term.to_owned(), rest))
}

/// Returns the text up to the closing quotation mark, `\"` and `\\` resolved, and the rest after
/// it.
pub(super) fn quoted_text(text: &str) -> Option<(String, &str)> {
    let mut found = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((found, &text[at + 1..])),
            '\\' => found.push(letters.next()?.1),
            other => found.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_must_be_there_or_must_not() {
        let event = "[ERROR] 404 Failed to emit EventBridge event: down";
        for (pattern, passes) in [
            ("", true),
            ("ERROR", true),
            ("error", false),
            ("ERROR 404", true),
            ("ERROR 500", false),
            ("?500 ?404", true),
            ("?500 ?501", false),
            ("ERROR -down", false),
            ("ERROR -up", true),
            ("\"Failed to emit EventBridge event\"", true),
            ("\"emit Failed\"", false),
            ("-\"Failed to\"", false),
        ] {
            assert_eq!(Filter::read(pattern).unwrap().passes(event), passes, "{pattern}");
        }
    }

    #[test]
    fn what_is_not_supported_is_refused() {
        for pattern in ["%reg.*%", "[a, b]", "a-b", "\"open", "-", "\"\"", "{ $.a = }"] {
            assert!(Filter::read(pattern).is_none(), "{pattern}");
        }
    }
}
