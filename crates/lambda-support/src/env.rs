//! Typed access to environment variables. A missing, malformed or out-of-range value stops the
//! function at init with an error that names the variable, so that a bad deployment never serves a
//! request.

use std::collections::BTreeMap;
use std::time::Duration;

mod variable;
pub use variable::{Flag, Number, Optional, Required, Text, Variable, VariableKind};

/// An invalid configuration. Every variant is fatal at init.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A variable without a default is absent or empty.
    #[error("environment variable {name} is not set; set it in the function's Environment")]
    Missing {
        /// The variable's name.
        name: String,
    },
    /// The value cannot be parsed as the variable's type.
    #[error("environment variable {name}={value:?} is not {wanted}")]
    Malformed {
        /// The variable's name.
        name: String,
        /// Its value.
        value: String,
        /// The expected value, e.g. `a whole number`.
        wanted: String,
    },
    /// The number is outside its documented range.
    #[error("environment variable {name}={value} is outside {min}..={max}")]
    OutOfRange {
        /// The variable's name.
        name: String,
        /// Its value.
        value: u64,
        /// Smallest value allowed.
        min: u64,
        /// Largest value allowed.
        max: u64,
    },
}

impl ConfigError {
    /// Creates a [`ConfigError::Malformed`].
    pub fn malformed(name: &str, value: impl Into<String>, wanted: &str) -> Self {
        Self::Malformed { name: name.to_owned(), value: value.into(), wanted: wanted.to_owned() }
    }
}

/// The environment variables of a function.
#[derive(Debug, Clone, Default)]
pub struct Env {
    variables: BTreeMap<String, String>,
}

impl Env {
    /// Reads the environment of this process. Values that are not UTF-8 count as absent.
    pub fn from_process() -> Self {
        let utf8 = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        Self { variables: utf8.collect() }
    }

    /// Creates an environment from the given pairs, for tests.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let owned = pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self { variables: owned.collect() }
    }

    /// Returns the value of `name`, or `None` if it is absent or empty.
    pub fn get(&self, name: &str) -> Option<String> {
        self.variables.get(name).filter(|value| !value.is_empty()).cloned()
    }

    /// Returns the value of a variable that may be absent.
    pub fn optional(&self, variable: &Variable<Optional>) -> Option<String> {
        self.get(variable.name)
    }

    /// Returns the value of a required variable.
    ///
    /// # Errors
    /// [`ConfigError::Missing`] if it is absent or empty.
    pub fn required(&self, variable: &Variable<Required>) -> Result<String, ConfigError> {
        let missing = || ConfigError::Missing { name: variable.name.to_owned() };
        self.get(variable.name).ok_or_else(missing)
    }

    /// Returns a text, or its default.
    pub fn text(&self, variable: &Variable<Text>) -> String {
        self.get(variable.name).unwrap_or_else(|| variable.kind.0.to_owned())
    }

    /// Returns a whole number, or its default.
    ///
    /// # Errors
    /// [`ConfigError::Malformed`] or [`ConfigError::OutOfRange`].
    pub fn number(&self, variable: &Variable<Number>) -> Result<u64, ConfigError> {
        let Variable { name, kind: Number(default, range), .. } = variable;
        let Some(text) = self.get(name) else { return Ok(*default) };
        let value =
            text.parse().map_err(|_| ConfigError::malformed(name, text, "a whole number"))?;
        if range.contains(&value) {
            return Ok(value);
        }
        Err(ConfigError::OutOfRange {
            name: (*name).to_owned(),
            value,
            min: *range.start(),
            max: *range.end(),
        })
    }

    /// Returns a boolean, or its default.
    ///
    /// # Errors
    /// [`ConfigError::Malformed`] for any value other than `true` and `false`, so that a typing
    /// error never changes access.
    pub fn flag(&self, variable: &Variable<Flag>) -> Result<bool, ConfigError> {
        match self.get(variable.name).as_deref() {
            None => Ok(variable.kind.0),
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            Some(value) => Err(ConfigError::malformed(variable.name, value, "true or false")),
        }
    }

    /// Returns a wall-clock duration given in milliseconds, divided by the [`TimeScale`].
    ///
    /// # Errors
    /// Those of [`Env::number`] and [`Env::time_scale`].
    pub fn wall_millis(&self, variable: &Variable<Number>) -> Result<Duration, ConfigError> {
        let millis = self.number(variable)?;
        Ok(self.time_scale()?.wall(Duration::from_millis(millis)))
    }

    /// Returns `TIME_SCALE`, 1 to 1000, default 1. Only the local cloud sets it.
    ///
    /// # Errors
    /// [`ConfigError::Malformed`] if it is not a number within that range.
    pub fn time_scale(&self) -> Result<TimeScale, ConfigError> {
        let Some(text) = self.get("TIME_SCALE") else { return Ok(TimeScale::default()) };
        match text.parse::<f64>() {
            Ok(factor) if (1.0..=1000.0).contains(&factor) => Ok(TimeScale(factor)),
            _ => Err(ConfigError::malformed("TIME_SCALE", text, "a number from 1 to 1000")),
        }
    }
}

/// Ratio of the cloud's simulated time to real time.
///
/// It is 1 on AWS. The local cloud raises it so that a long session fits in a test: all wall-clock
/// durations (leases, back-off, deadlines, schedules) shrink by this factor. Media durations do
/// not.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimeScale(f64);

impl Default for TimeScale {
    fn default() -> Self {
        Self(1.0)
    }
}

impl TimeScale {
    /// Returns the real duration that corresponds to `duration` on AWS.
    pub fn wall(self, duration: Duration) -> Duration {
        duration.div_f64(self.0)
    }

    /// Returns the factor, 1 to 1000.
    pub fn factor(self) -> f64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable<K>(name: &'static str, kind: K) -> Variable<K> {
        Variable { name, meaning: "", kind }
    }

    #[test]
    fn a_missing_variable_is_named() {
        let error =
            Env::from_pairs([("EMPTY", "")]).required(&variable("EMPTY", Required)).unwrap_err();
        assert_eq!(error, ConfigError::Missing { name: "EMPTY".into() });
        assert!(error.to_string().contains("EMPTY"));
    }

    #[test]
    fn numbers_have_a_default_and_a_range() {
        let env = Env::from_pairs([("BIG", "9000"), ("WORD", "ten"), ("NEGATIVE", "-1")]);
        let read = |name, range| env.number(&variable(name, Number(500, range)));
        assert_eq!(read("CHUNK_MS", 100..=4000), Ok(500));
        assert_eq!(read("BIG", 1..=9000), Ok(9000));
        assert!(matches!(read("BIG", 1..=8999), Err(ConfigError::OutOfRange { .. })));
        assert!(matches!(read("WORD", 1..=9), Err(ConfigError::Malformed { .. })));
        assert!(matches!(read("NEGATIVE", 0..=9), Err(ConfigError::Malformed { .. })));
    }

    #[test]
    fn a_flag_is_either_true_or_false() {
        let env =
            Env::from_pairs([("YES", "true"), ("NO", "false"), ("EMPTY", ""), ("ODD", "True")]);
        let read = |name, default| env.flag(&variable(name, Flag(default)));
        assert_eq!((read("YES", false), read("NO", true)), (Ok(true), Ok(false)));
        assert_eq!((read("EMPTY", true), read("ABSENT", false)), (Ok(true), Ok(false)));
        let error = read("ODD", true).unwrap_err().to_string();
        assert!(error.contains("ODD") && error.contains("true or false"), "{error}");
    }

    #[test]
    fn wall_durations_shrink_with_the_time_scale() {
        let env = Env::from_pairs([("TIME_SCALE", "10")]);
        let lease = env.wall_millis(&variable("LEASE_MS", Number(12_000, 1..=60_000))).unwrap();
        assert_eq!(lease, Duration::from_millis(1200));
    }

    #[test]
    fn a_time_scale_outside_its_range_is_rejected() {
        for text in ["0", "0.5", "1001", "NaN", "fast"] {
            let env = Env::from_pairs([("TIME_SCALE", text)]);
            assert!(matches!(env.time_scale(), Err(ConfigError::Malformed { .. })), "{text}");
        }
    }
}
