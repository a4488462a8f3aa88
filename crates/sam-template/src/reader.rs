//! Reads the properties of one resource and rejects the unknown ones.

use std::time::Duration;

use serde_json::{Map, Value};

use super::TemplateError;

/// The resolved properties of one resource, or of a part of one, taken one by one.
#[derive(Debug)]
pub(super) struct Properties {
    place: String,
    left: Map<String, Value>,
}

impl Properties {
    /// The properties at `place` (a logical id, then property names).
    ///
    /// # Errors
    /// A value that is not a map.
    pub(super) fn new(place: impl Into<String>, value: Value) -> Result<Self, TemplateError> {
        let place = place.into();
        match value {
            Value::Object(left) => Ok(Self { place, left }),
            Value::Null => Ok(Self { place, left: Map::new() }),
            other => Err(at(&place, format!("not a map: {other}"))),
        }
    }

    /// The place of this map, for errors.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// An error at a property of this map.
    pub(super) fn wrong(&self, name: &str, reason: impl std::fmt::Display) -> TemplateError {
        at(&format!("{}.{name}", self.place), reason)
    }

    /// A property as it is.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.left.remove(name)
    }

    /// Text, when it is there.
    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, TemplateError> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(Value::Bool(value)) => Ok(Some(value.to_string())),
            Some(other) => Err(self.wrong(name, format!("not text: {other}"))),
        }
    }

    /// Text that must be there.
    pub(super) fn needed(&mut self, name: &str) -> Result<String, TemplateError> {
        self.text(name)?.ok_or_else(|| self.wrong(name, "missing"))
    }

    /// A whole number within a range, when it is there. CloudFormation takes digits as text too.
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

    /// Whole seconds within a range, when they are there.
    pub(super) fn seconds(
        &mut self,
        name: &str,
        range: std::ops::RangeInclusive<u64>,
    ) -> Result<Option<Duration>, TemplateError> {
        Ok(self.number(name, range)?.map(Duration::from_secs))
    }

    /// A truth value, when it is there.
    pub(super) fn boolean(&mut self, name: &str) -> Result<Option<bool>, TemplateError> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(value)),
            Some(Value::String(text)) if text == "true" => Ok(Some(true)),
            Some(Value::String(text)) if text == "false" => Ok(Some(false)),
            Some(other) => Err(self.wrong(name, format!("not true or false: {other}"))),
        }
    }

    /// A list of texts; empty when it is not there.
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

    /// A list of texts or numbers, as text; empty when it is not there.
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

    /// A list of maps; empty when it is not there.
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

    /// A map of maps, by name; empty when it is not there.
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

    /// A map, when it is there.
    pub(super) fn part(&mut self, name: &str) -> Result<Option<Self>, TemplateError> {
        self.take(name).map(|value| Self::new(format!("{}.{name}", self.place), value)).transpose()
    }

    /// The names of what is left.
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
    /// The first unknown property.
    pub(super) fn finish(self, without_effect: &[&str]) -> Result<(), TemplateError> {
        match self.left.keys().find(|name| !without_effect.contains(&name.as_str())) {
            None => Ok(()),
            Some(name) => {
                Err(self.wrong(name, "local-cloud does not know this property of what it runs"))
            }
        }
    }
}

/// An error at a place.
pub(super) fn at(place: &str, reason: impl std::fmt::Display) -> TemplateError {
    TemplateError::At { place: place.to_owned(), reason: reason.to_string() }
}
