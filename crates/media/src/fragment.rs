//! Fragment numbers of KVS and their order.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use crate::Error;

/// Most digits of a fragment number (API model of GetMedia: `AfterFragmentNumber`, length 1 to
/// 128).
const MAX_DIGITS: usize = 128;

/// A KVS fragment number: a decimal of about 47 digits, too long for a machine integer.
///
/// Ordered by value: without leading zeros, the longer one is greater; at equal length the text
/// order decides. Numbers that differ only in leading zeros are equal.
#[derive(Debug, Clone)]
pub struct FragmentNumber(String);

impl FragmentNumber {
    /// Returns the digits as received, including leading zeros, as GetMedia expects them.
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
    fn order_is_by_value_not_by_text() {
        assert!(number("9") < number("10"));
        assert!(number("0099") < number("100"));
        assert_eq!(number("007"), number("7"));
        assert!(
            number("91343852333181432392682062607743920146159169392")
                < number("91343852333181432397633822764885441725874549018")
        );
    }

    #[test]
    fn anything_but_digits_is_rejected() {
        for bad in ["", "12a", "-1", "1.5", " 1", &"1".repeat(129)] {
            assert!(bad.parse::<FragmentNumber>().is_err(), "{bad}");
        }
        assert_eq!(number(&"1".repeat(128)).as_str().len(), 128);
    }
}
