//! Reads the properties of one resource and rejects the unknown ones.

use std::time::Duration;

use serde_json::{Map, Value};

use super::TemplateError;

/// The resolved properties of one resource, or of a part of one. Readers take them one by one.
#[derive(Debug)]
pub(super) struct Properties {
    place: String,
    left: Map<String, Value>,
}

impl Properties {
    /// Creates the properties at `place` (a logical id, then property names).
    ///
    /// # Errors
    /// The value is not a map.
    pub(super) fn new(place: impl Into<String>, value: Value) -> Result<Self, TemplateError> {
        let place = place.into();
        match value {
            Value::Object(left) => Ok(Self { place, left }),
            Value::Null => Ok(Self { place, left: Map::new() }),
            other => Err(at(&place, format!("not a map: {other}"))),
        }
    }

    /// Returns the place of this map, for errors.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Returns an error at a property of this map.
    pub(super) fn wrong(&self, name: &str, reason: impl std::fmt::Display) -> TemplateError {
        at(&format!("{}.{name}", self.place), reason)
    }

    /// Takes a property unchanged.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.left.remove(name)
    }

    /// Takes an optional text.
    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, TemplateError> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(Value::Bool(value)) => Ok(Some(value.to_string())),
            Some(other) => Err(self.wrong(name, format!("not text: {other}"))),
        }
    }

    /// Takes a required text.
    pub(super) fn needed(&mut self, name: &str) -> Result<String, TemplateError> {
        self.text(name)?.ok_or_else(|| self.wrong(name, "missing"))
    }

    /// Takes an optional whole number within a range. CloudFormation accepts digits as text too.
    pub(super) fn number(
        &mut self,
        name: &str,
        range: std::ops::RangeInclusive<u64>,
    ) -> Result<Option<u64>, TemplateError> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let number = match &value {
            Value::String(text) => text.parse().ok(),
            other => other.as_u64(),
        };
        match number.filter(|number| range.contains(number)) {
            Some(number) => Ok(Some(number)),
            None => {
                let reason =
                    format!("{value} is not a number within {}..={}", range.start(), range.end());
                Err(self.wrong(name, reason))
            }
        }
    }

    /// Takes optional whole seconds within a range.
    pub(super) fn seconds(
        &mut self,
        name: &str,
        range: std::ops::RangeInclusive<u64>,
    ) -> Result<Option<Duration>, TemplateError> {
        Ok(self.number(name, range)?.map(Duration::from_secs))
    }

    /// Takes an optional boolean.
    pub(super) fn boolean(&mut self, name: &str) -> Result<Option<bool>, TemplateError> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(value)),
            Some(Value::String(text)) if text == "true" => Ok(Some(true)),
            Some(Value::String(text)) if text == "false" => Ok(Some(false)),
            Some(other) => Err(self.wrong(name, format!("not true or false: {other}"))),
        }
    }

    /// Takes a list of texts; empty if it is absent.
    pub(super) fn texts(&mut self, name: &str) -> Result<Vec<String>, TemplateError> {
        let Some(value) = self.take(name) else { return Ok(Vec::new()) };
        let items = match value {
            Value::Array(items) => items,
            one => vec![one],
        };
        items
            .into_iter()
            .map(|item| match item {
                Value::String(text) => Ok(text),
                other => Err(self.wrong(name, format!("not text: {other}"))),
            })
            .collect()
    }

    /// Takes a list of texts or numbers, as text; empty if it is absent.
    pub(super) fn texts_or_numbers(&mut self, name: &str) -> Result<Vec<String>, TemplateError> {
        let Some(Value::Array(items)) = self.take(name) else { return Ok(Vec::new()) };
        let text = |item: Value| match item {
            Value::String(text) => Ok(text),
            Value::Number(number) => Ok(number.to_string()),
            Value::Bool(value) => Ok(value.to_string()),
            other => Err(self.wrong(name, format!("not text: {other}"))),
        };
        items.into_iter().map(text).collect()
    }

    /// Takes a list of maps; empty if it is absent.
    pub(super) fn parts(&mut self, name: &str) -> Result<Vec<Self>, TemplateError> {
        match self.take(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => items
                .into_iter()
                .enumerate()
                .map(|(index, item)| Self::new(format!("{}.{name}[{index}]", self.place), item))
                .collect(),
            Some(other) => Err(self.wrong(name, format!("not a list: {other}"))),
        }
    }

    /// Takes a map of maps, by name; empty if it is absent.
    pub(super) fn named_parts(&mut self, name: &str) -> Result<Vec<(String, Self)>, TemplateError> {
        let Some(part) = self.part(name)? else { return Ok(Vec::new()) };
        part.left
            .into_iter()
            .map(|(key, value)| {
                let place = format!("{}.{key}", part.place);
                Self::new(place, value).map(|properties| (key, properties))
            })
            .collect()
    }

    /// Takes an optional map.
    pub(super) fn part(&mut self, name: &str) -> Result<Option<Self>, TemplateError> {
        self.take(name).map(|value| Self::new(format!("{}.{name}", self.place), value)).transpose()
    }

    /// Returns the names of the remaining properties.
    pub(super) fn names(&self) -> Vec<String> {
        self.left.keys().cloned().collect()
    }

    /// Returns the remaining properties as one map.
    pub(super) fn rest(self) -> Map<String, Value> {
        self.left
    }

    /// Rejects the remaining properties, except the named ones, which have no effect here.
    ///
    /// # Errors
    /// A property is unknown; the error names the first one.
    pub(super) fn finish(self, without_effect: &[&str]) -> Result<(), TemplateError> {
        match self.left.keys().find(|name| !without_effect.contains(&name.as_str())) {
            None => Ok(()),
            Some(name) => Err(self.wrong(name, "local-cloud does not support this property")),
        }
    }
}

/// Returns an error at a place.
pub(super) fn at(place: &str, reason: impl std::fmt::Display) -> TemplateError {
    TemplateError::At { place: place.to_owned(), reason: reason.to_string() }
}
