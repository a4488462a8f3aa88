//! Rows of a function's configuration: name, default, range and meaning of a variable.

use std::ops::RangeInclusive;

/// A text without a default.
#[derive(Debug, Clone, Copy)]
pub struct Required {
    /// The variable's name.
    pub name: &'static str,
    /// Its meaning, in one sentence.
    pub meaning: &'static str,
}

/// A text that may be absent.
#[derive(Debug, Clone, Copy)]
pub struct Optional {
    /// The variable's name.
    pub name: &'static str,
    /// Its meaning, in one sentence.
    pub meaning: &'static str,
}

/// A text with a default.
#[derive(Debug, Clone, Copy)]
pub struct Text {
    /// The variable's name.
    pub name: &'static str,
    /// The value if it is absent or empty.
    pub default: &'static str,
    /// Its meaning, in one sentence.
    pub meaning: &'static str,
}

/// A whole number with a default and a range.
#[derive(Debug, Clone)]
pub struct Number {
    /// The variable's name.
    pub name: &'static str,
    /// The value if it is absent or empty.
    pub default: u64,
    /// The values allowed.
    pub range: RangeInclusive<u64>,
    /// Its meaning, in one sentence with the unit.
    pub meaning: &'static str,
}

/// `true` or `false`, with a default.
#[derive(Debug, Clone, Copy)]
pub struct Flag {
    /// The variable's name.
    pub name: &'static str,
    /// The value if it is absent or empty.
    pub default: bool,
    /// Its meaning, in one sentence.
    pub meaning: &'static str,
}

/// Creates a row.
#[must_use]
pub const fn required(name: &'static str, meaning: &'static str) -> Required {
    Required { name, meaning }
}

/// Creates a row.
#[must_use]
pub const fn optional(name: &'static str, meaning: &'static str) -> Optional {
    Optional { name, meaning }
}

/// Creates a row.
#[must_use]
pub const fn text(name: &'static str, default: &'static str, meaning: &'static str) -> Text {
    Text { name, default, meaning }
}

/// Creates a row.
#[must_use]
pub const fn number(
    name: &'static str,
    default: u64,
    range: RangeInclusive<u64>,
    meaning: &'static str,
) -> Number {
    Number { name, default, range, meaning }
}

/// Creates a row.
#[must_use]
pub const fn flag(name: &'static str, default: bool, meaning: &'static str) -> Flag {
    Flag { name, default, meaning }
}

/// A row of any type, for the documentation.
pub trait Variable {
    /// Returns name, default, range and meaning as text.
    fn row(&self) -> [String; 4];
}

fn row(name: &str, default: String, range: String, meaning: &str) -> [String; 4] {
    [format!("`{name}`"), default, range, meaning.to_owned()]
}

impl Variable for Required {
    fn row(&self) -> [String; 4] {
        row(self.name, "required".to_owned(), String::new(), self.meaning)
    }
}

impl Variable for Optional {
    fn row(&self) -> [String; 4] {
        row(self.name, "none".to_owned(), String::new(), self.meaning)
    }
}

impl Variable for Text {
    fn row(&self) -> [String; 4] {
        row(self.name, format!("`{}`", self.default), String::new(), self.meaning)
    }
}

impl Variable for Number {
    fn row(&self) -> [String; 4] {
        let range = format!("{}–{}", self.range.start(), self.range.end());
        row(self.name, self.default.to_string(), range, self.meaning)
    }
}

impl Variable for Flag {
    fn row(&self) -> [String; 4] {
        row(self.name, format!("`{}`", self.default), "`true`, `false`".to_owned(), self.meaning)
    }
}

/// Defines the rows of a function as constants, and `VARIABLES` with all of them, which its test
/// compares with `docs/configuration.md`.
///
/// ```
/// lambda_support::variables! {
///     ENVIRONMENT: Required = required("ENVIRONMENT", "The environment.");
///     CHUNK_MS: Number = number("CHUNK_MS", 500, 100..=4_000, "Length of a chunk, in ms.");
/// }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! variables {
    ($($constant:ident: $kind:ident = $row:ident($($value:expr),* $(,)?);)*) => {
        $(const $constant: $crate::env::$kind = $crate::env::$row($($value),*);)*

        /// Every variable of this function.
        #[cfg(test)]
        const VARIABLES: &[&dyn $crate::env::Variable] = &[$(&$constant),*];
    };
}
