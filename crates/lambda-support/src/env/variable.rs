//! Rows of a function's configuration: name, default, range and meaning of a variable.

use std::ops::RangeInclusive;

/// An environment variable of type `K`: [`Required`], [`Optional`], [`Text`], [`Number`] or
/// [`Flag`]. Defined by [`variables!`](crate::variables).
#[derive(Debug, Clone)]
pub struct Variable<K> {
    /// The variable's name.
    pub name: &'static str,
    /// Its meaning, in one sentence with the unit.
    pub meaning: &'static str,
    /// Its type, with default and range.
    pub kind: K,
}

/// A text without a default.
#[derive(Debug, Clone)]
pub struct Required;

/// A text that may be absent.
#[derive(Debug, Clone)]
pub struct Optional;

/// A text with a default.
#[derive(Debug, Clone)]
pub struct Text(pub &'static str);

/// A whole number with a default and the range of allowed values.
#[derive(Debug, Clone)]
pub struct Number(pub u64, pub RangeInclusive<u64>);

/// `true` or `false`, with a default.
#[derive(Debug, Clone)]
pub struct Flag(pub bool);

/// The type of a variable, for the documentation.
pub trait VariableKind {
    /// Returns default and range as text.
    fn default_and_range(&self) -> [String; 2];
}

impl VariableKind for Required {
    fn default_and_range(&self) -> [String; 2] {
        ["required".to_owned(), String::new()]
    }
}

impl VariableKind for Optional {
    fn default_and_range(&self) -> [String; 2] {
        ["none".to_owned(), String::new()]
    }
}

impl VariableKind for Text {
    fn default_and_range(&self) -> [String; 2] {
        [format!("`{}`", self.0), String::new()]
    }
}

impl VariableKind for Number {
    fn default_and_range(&self) -> [String; 2] {
        [self.0.to_string(), format!("{}–{}", self.1.start(), self.1.end())]
    }
}

impl VariableKind for Flag {
    fn default_and_range(&self) -> [String; 2] {
        [format!("`{}`", self.0), "`true`, `false`".to_owned()]
    }
}

impl<K: VariableKind> Variable<K> {
    /// Returns name, default, range and meaning as text.
    pub fn row(&self) -> [String; 4] {
        let [default, range] = self.kind.default_and_range();
        [format!("`{}`", self.name), default, range, self.meaning.to_owned()]
    }
}

/// Defines the variables of a function as constants, each with its meaning as a doc comment, and
/// for its test `rows()`, which `docs/configuration.md` is compared with.
///
/// ```
/// lambda_support::variables! {
///     /// The environment.
///     ENVIRONMENT: Required;
///     /// Length of a chunk, in ms.
///     CHUNK_MS: Number(500, 100..=4_000);
/// }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! variables {
    ($($(#[doc = $meaning:literal])+ $name:ident: $kind:ident $(($($value:expr),*))?;)*) => {
        $(
            $(#[doc = $meaning])+
            const $name: $crate::env::Variable<$crate::env::$kind> = $crate::env::Variable {
                name: stringify!($name),
                meaning: concat!($($meaning),+).trim_ascii(),
                kind: $crate::env::$kind $(($($value),*))?,
            };
        )*

        /// Returns the row of every variable of this function.
        #[cfg(test)]
        fn rows() -> Vec<[String; 4]> {
            vec![$($name.row()),*]
        }
    };
}
