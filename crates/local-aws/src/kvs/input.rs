//! The body of a rest-json request. Invalid members are rejected with AWS's errors.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use axum::extract::Request;
use serde_json::{Map, Value};

use crate::aws_error::AwsError;

use super::{arn, errors};

/// Maximum size of a body: more than any request of the control plane needs.
const BODY_BYTES: usize = 256 * 1024;
/// Tags that one resource can have.
const TAGS: usize = 50;

/// The members of one request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Input(Map<String, Value>);

impl Input {
    /// Reads a request's JSON object; an empty body is an empty object, as in AWS.
    pub(crate) async fn read(request: Request) -> Result<Self, AwsError> {
        let body = axum::body::to_bytes(request.into_body(), BODY_BYTES)
            .await
            .map_err(|_| errors::invalid("The body could not be read or is too large"))?;
        if body.is_empty() {
            return Ok(Self::default());
        }
        match serde_json::from_slice(&body) {
            Ok(Value::Object(members)) => Ok(Self(members)),
            _ => Err(AwsError::bad_request(
                "SerializationException",
                "The body is not a JSON object",
            )),
        }
    }

    /// Returns the target of the call for matching faults: the name or ARN of its stream or
    /// channel.
    pub(super) fn target(&self) -> &str {
        ["StreamName", "StreamARN", "ChannelName", "ChannelARN", "ResourceARN"]
            .iter()
            .find_map(|member| self.0.get(*member).and_then(Value::as_str))
            .unwrap_or_default()
    }

    /// Reads a text; null counts as absent.
    pub(crate) fn text(&self, member: &str) -> Result<Option<&str>, AwsError> {
        match self.0.get(member) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(errors::invalid(format!("{member} must be a string"))),
        }
    }

    /// Reads a required text.
    pub(crate) fn required_text(&self, member: &str) -> Result<&str, AwsError> {
        self.text(member)?.ok_or_else(|| missing(member))
    }

    /// Reads a required, valid stream or channel name.
    pub(super) fn required_name(&self, member: &str) -> Result<&str, AwsError> {
        let name = self.required_text(member)?;
        check_name(name, member)?;
        Ok(name)
    }

    /// Reads a valid stream or channel name.
    pub(super) fn name(&self, member: &str) -> Result<Option<&str>, AwsError> {
        self.text(member)?.map(|name| check_name(name, member).map(|()| name)).transpose()
    }

    /// Reads a whole number within a range.
    pub(super) fn number(
        &self,
        member: &str,
        range: RangeInclusive<i64>,
    ) -> Result<Option<i64>, AwsError> {
        match self.0.get(member) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match value.as_i64() {
                Some(number) if range.contains(&number) => Ok(Some(number)),
                _ => Err(errors::invalid(format!(
                    "{member} must be a number from {} to {}",
                    range.start(),
                    range.end()
                ))),
            },
        }
    }

    /// Reads a time in milliseconds since the epoch; on the wire it is seconds as a number.
    pub(super) fn timestamp_ms(&self, member: &str) -> Result<Option<i64>, AwsError> {
        match self.0.get(member) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value
                .as_f64()
                .filter(|seconds| (0.0..1e11).contains(seconds))
                .map(|seconds| Some((seconds * 1000.0).round() as i64))
                .ok_or_else(|| {
                    errors::invalid(format!("{member} must be a time in seconds since the epoch"))
                }),
        }
    }

    /// Reads a nested structure; an absent one is empty.
    pub(super) fn object(&self, member: &str) -> Result<Option<Self>, AwsError> {
        match self.0.get(member) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(members)) => Ok(Some(Self(members.clone()))),
            Some(_) => Err(errors::invalid(format!("{member} must be a structure"))),
        }
    }

    /// Reads a required nested structure.
    pub(super) fn required_object(&self, member: &str) -> Result<Self, AwsError> {
        self.object(member)?.ok_or_else(|| missing(member))
    }

    /// Reads a list of texts.
    pub(super) fn texts(&self, member: &str) -> Result<Option<Vec<&str>>, AwsError> {
        let Some(value) = self.0.get(member).filter(|value| !value.is_null()) else {
            return Ok(None);
        };
        value
            .as_array()
            .and_then(|items| items.iter().map(Value::as_str).collect::<Option<Vec<&str>>>())
            .map(Some)
            .ok_or_else(|| errors::invalid(format!("{member} must be a list of strings")))
    }

    /// Reads tags in either of the API's two shapes: a map (streams) or a list of Key and Value
    /// (channels).
    pub(super) fn tags(&self, member: &str) -> Result<BTreeMap<String, String>, AwsError> {
        let malformed = || {
            errors::invalid(format!(
                "{member} must be tags: keys of 1 to 128 and values of up to 256 characters"
            ))
        };
        let pairs: Vec<(&str, &str)> = match self.0.get(member) {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Object(map)) => map
                .iter()
                .map(|(key, value)| Some((key.as_str(), value.as_str()?)))
                .collect::<Option<_>>()
                .ok_or_else(malformed)?,
            Some(Value::Array(list)) => list
                .iter()
                .map(|tag| Some((tag.get("Key")?.as_str()?, tag.get("Value")?.as_str()?)))
                .collect::<Option<_>>()
                .ok_or_else(malformed)?,
            Some(_) => return Err(malformed()),
        };
        if pairs.len() > TAGS {
            return Err(errors::too_many_tags());
        }
        if pairs.iter().any(|(key, value)| {
            key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256
        }) {
            return Err(malformed());
        }
        Ok(pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
    }
}

/// Adds tags to those of a resource, within its limit.
pub(super) fn add_tags(
    tags: &mut BTreeMap<String, String>,
    more: BTreeMap<String, String>,
) -> Result<(), AwsError> {
    let fresh = more.keys().filter(|key| !tags.contains_key(*key)).count();
    if tags.len() + fresh > TAGS {
        return Err(errors::too_many_tags());
    }
    tags.extend(more);
    Ok(())
}

fn missing(member: &str) -> AwsError {
    errors::invalid(format!("{member} is required"))
}

fn check_name(name: &str, member: &str) -> Result<(), AwsError> {
    if arn::name_is_valid(name) {
        return Ok(());
    }
    Err(errors::invalid(format!(
        "{member} must have 1 to 256 characters of a-z, A-Z, 0-9, '_', '.' and '-'"
    )))
}
