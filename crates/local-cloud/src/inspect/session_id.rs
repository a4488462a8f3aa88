//! The form of a session's id, `adjective-noun-number`.

use crate::error::Error;

/// Longest id, in bytes.
const LONGEST: usize = 64;

/// Returns whether a text has the form of an id.
fn is_id(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let is_word = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    text.len() <= LONGEST
        && matches!(parts[..], [one, two, number] if is_word(one) && is_word(two) && is_number(number))
}

/// Checks that a text can be the id of a session.
///
/// # Errors
/// It has another form.
pub(crate) fn check(text: &str) -> Result<(), Error> {
    if is_id(text) {
        return Ok(());
    }
    let shown: String = text.chars().take(LONGEST).collect();
    Err(Error::Client(format!(
        "{shown:?} is not a session id like blessed-shepherd-123: `local-cloud sessions` lists them"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_two_words_and_a_number() {
        assert!(check("blessed-shepherd-123").is_ok());
        for other in ["", "e", "a-b", "a-b-c", "ü-ö-1", "a-b-1-2", &"a".repeat(5_000)] {
            let error = check(other).unwrap_err().to_string();
            assert!(error.contains("local-cloud sessions") && error.len() < 300, "{error}");
        }
    }
}
