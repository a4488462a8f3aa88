//! The name KVS gives a fragment, and the order it stands in.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use crate::Error;

/// Most digits of a fragment number (API model of GetMedia: `AfterFragmentNumber`, length 1 to
/// 128).
const MAX_DIGITS: usize = 128;

/// A KVS fragment number: a decimal of about 47 digits, so too long for any machine integer.
///
/// Ordered as the number it is: leading zeros aside, the longer one is the greater, and among equal
/// lengths the text order decides. Numbers that differ in leading zeros only are equal.
#[derive(Debug, Clone)]
pub struct FragmentNumber(String);

impl FragmentNumber {
    /// The digits as KVS wrote them, leading zeros included; what GetMedia wants back.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn significant(&self) -> &str {
        self.0.trim_start_matches('0')
    }
}

impl FromStr for FragmentNumber {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let well_formed =
            (1..=MAX_DIGITS).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        if !well_formed {
            return Err(Error::FragmentNumber { found: text.chars().take(32).collect() });
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for FragmentNumber {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<FragmentNumber> for String {
    fn from(number: FragmentNumber) -> Self {
        number.0
    }
}

impl fmt::Display for FragmentNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Ord for FragmentNumber {
    fn cmp(&self, other: &Self) -> Ordering {
        let (a, b) = (self.significant(), other.significant());
        a.len().cmp(&b.len()).then_with(|| a.cmp(b))
    }
}

impl PartialOrd for FragmentNumber {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for FragmentNumber {
    fn eq(&self, other: &Self) -> bool {
        self.significant() == other.significant()
    }
}

impl Eq for FragmentNumber {}

impl std::hash::Hash for FragmentNumber {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.significant().hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> FragmentNumber {
        text.parse().unwrap()
    }

    #[test]
    fn order_is_that_of_the_number_not_of_the_text() {
        assert!(number("9") < number("10"));
        assert!(number("0099") < number("100"));
        assert_eq!(number("007"), number("7"));
        assert!(
            number("91343852333181432392682062607743920146159169392")
                < number("91343852333181432397633822764885441725874549018")
        );
    }

    #[test]
    fn anything_but_digits_is_refused() {
        for bad in ["", "12a", "-1", "1.5", " 1", &"1".repeat(129)] {
            assert!(bad.parse::<FragmentNumber>().is_err(), "{bad}");
        }
        assert_eq!(number(&"1".repeat(128)).as_str().len(), 128);
    }
}
