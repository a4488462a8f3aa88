//! The languages supported for speakers and listeners.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, de};

/// A language of the session API, identified by its ISO 639-1 code.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(into = "&'static str")]
pub struct Language(&'static str);

/// The code is not one of [`Language::ALL`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown language code")]
pub struct UnknownLanguage;

impl Language {
    /// English, the language used in the samples of documentation and tests.
    pub const ENGLISH: Self = Self("en");

    /// All languages of the session API, in the order of its documentation.
    pub const ALL: [Self; 19] = [
        Self("en"),
        Self("es"),
        Self("fr"),
        Self("de"),
        Self("it"),
        Self("pt"),
        Self("ru"),
        Self("ja"),
        Self("ko"),
        Self("zh"),
        Self("ar"),
        Self("hi"),
        Self("nl"),
        Self("pl"),
        Self("tr"),
        Self("sv"),
        Self("da"),
        Self("no"),
        Self("fi"),
    ];

    /// Returns the two-letter code, for example `en`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        self.0
    }
}

impl FromStr for Language {
    type Err = UnknownLanguage;

    fn from_str(code: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|language| language.0 == code).ok_or(UnknownLanguage)
    }
}

// Implemented by hand: the derived implementation would require a `'static` input.
impl<'de> Deserialize<'de> for Language {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl From<Language> for &'static str {
    fn from(language: Language) -> Self {
        language.0
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Debug for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Language({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_is_found_by_its_code() {
        for language in Language::ALL {
            assert_eq!(language.code().parse(), Ok(language));
            let json = serde_json::to_string(&language).unwrap();
            assert_eq!(serde_json::from_str::<Language>(&json).unwrap(), language);
        }
    }

    #[test]
    fn other_codes_are_rejected() {
        for code in ["", "EN", "en-US", "xx", "english", " en"] {
            assert_eq!(code.parse::<Language>(), Err(UnknownLanguage), "{code:?}");
        }
    }
}
