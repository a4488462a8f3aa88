//! Messages, and the MD5 digests that SDKs verify.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::aws_error::AwsError;

/// The longest message, body and attributes together, in bytes (SQS: 1 MiB).
pub(super) const MAX_MESSAGE: usize = 1024 * 1024;

/// A message attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Attribute {
    kind: String,
    value: Bytes,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Bytes {
    Text(String),
    Binary(Vec<u8>),
}

impl Attribute {
    pub(super) fn text(value: String) -> Self {
        Self { kind: "String".to_owned(), value: Bytes::Text(value) }
    }

    fn read(name: &str, given: &Value) -> Result<Self, AwsError> {
        let wrong = |reason: &str| {
            let message = format!("The message attribute '{name}' {reason}.");
            AwsError::bad_request("InvalidParameterValue", message)
        };
        let kind = given["DataType"].as_str().unwrap_or_default().to_owned();
        let base = kind.split('.').next().unwrap_or_default();
        let value = match (base, given["StringValue"].as_str(), given["BinaryValue"].as_str()) {
            ("String" | "Number", Some(text), None) if !text.is_empty() => {
                Bytes::Text(text.to_owned())
            }
            ("Binary", None, Some(text)) => {
                Bytes::Binary(STANDARD.decode(text).map_err(|_| wrong("is not base64"))?)
            }
            ("String" | "Number" | "Binary", ..) => return Err(wrong("has no value of its type")),
            _ => return Err(wrong("must contain a DataType of String, Number or Binary")),
        };
        Ok(Self { kind, value })
    }

    fn show(&self) -> Value {
        match &self.value {
            Bytes::Text(text) => json!({"DataType": self.kind, "StringValue": text}),
            Bytes::Binary(bytes) => {
                json!({"DataType": self.kind, "BinaryValue": STANDARD.encode(bytes)})
            }
        }
    }

    fn bytes(&self) -> (u8, &[u8]) {
        match &self.value {
            Bytes::Text(text) => (1, text.as_bytes()),
            Bytes::Binary(bytes) => (2, bytes),
        }
    }
}

pub(super) type Attributes = BTreeMap<String, Attribute>;

/// A message to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NewMessage {
    pub(super) body: String,
    pub(super) attributes: Attributes,
    pub(super) delay: Option<Duration>,
    /// The system attribute AWSTraceHeader.
    pub(super) trace: Option<String>,
}

impl NewMessage {
    /// Reads a SendMessage request or one entry of a batch.
    pub(super) fn read(request: &Value) -> Result<Self, AwsError> {
        let body = request["MessageBody"].as_str().unwrap_or_default().to_owned();
        if body.is_empty() {
            let message = "The request must contain the parameter MessageBody.";
            return Err(AwsError::bad_request("MissingParameter", message));
        }
        let given = request["MessageAttributes"].as_object();
        let attributes = given
            .into_iter()
            .flatten()
            .map(|(name, value)| Ok((name.clone(), Attribute::read(name, value)?)))
            .collect::<Result<Attributes, AwsError>>()?;
        let message = Self {
            body,
            attributes,
            delay: super::parameters::seconds(request, "DelaySeconds", 900)?,
            trace: request["MessageSystemAttributes"]["AWSTraceHeader"]["StringValue"]
                .as_str()
                .map(str::to_owned),
        };
        if message.attributes.len() > 10 || message.length() > MAX_MESSAGE {
            let reason = "One or more parameters are invalid. Reason: Message must be shorter \
                          than 1048576 bytes and have at most 10 attributes.";
            return Err(AwsError::bad_request("InvalidParameterValue", reason));
        }
        Ok(message)
    }

    pub(super) fn length(&self) -> usize {
        let attributes = self.attributes.iter();
        let attributes =
            attributes.map(|(name, it)| name.len() + it.kind.len() + it.bytes().1.len());
        self.body.len() + attributes.sum::<usize>()
    }
}

/// The result of a send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) id: String,
    pub(super) body_md5: String,
    pub(super) attributes_md5: Option<String>,
}

impl Sent {
    pub(super) fn show(&self) -> Map<String, Value> {
        let mut shown = Map::new();
        shown.insert("MessageId".to_owned(), self.id.clone().into());
        shown.insert("MD5OfMessageBody".to_owned(), self.body_md5.clone().into());
        if let Some(md5) = &self.attributes_md5 {
            shown.insert("MD5OfMessageAttributes".to_owned(), md5.clone().into());
        }
        shown
    }
}

pub(super) fn show(attributes: &Attributes) -> Value {
    Value::Object(attributes.iter().map(|(name, it)| (name.clone(), it.show())).collect())
}

pub(super) fn md5(text: &str) -> String {
    format!("{:x}", md5::compute(text.as_bytes()))
}

/// Returns the MD5 of attributes: name, type and value of each, sorted by name, each with its
/// length as four bytes big-endian, and a byte for the kind of value (SQS Developer Guide,
/// "Calculating the MD5 message digest for message attributes"). Returns `None` without attributes.
pub(super) fn attributes_md5(attributes: &Attributes) -> Option<String> {
    if attributes.is_empty() {
        return None;
    }
    let mut bytes = Vec::new();
    let mut put = |part: &[u8], transport: Option<u8>| {
        bytes.extend(transport);
        bytes.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend_from_slice(part);
    };
    for (name, attribute) in attributes {
        let (transport, value) = attribute.bytes();
        put(name.as_bytes(), None);
        put(attribute.kind.as_bytes(), None);
        put(value, Some(transport));
    }
    Some(format!("{:x}", md5::compute(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_md5s_are_those_of_sqs() {
        assert_eq!(md5("hello"), "5d41402abc4b2a76b9719d911017c592");
        assert_eq!(attributes_md5(&Attributes::new()), None);
        // From botocore's expectation for one String attribute: name "a", type String, value "b".
        let attributes = Attributes::from([("a".to_owned(), Attribute::text("b".to_owned()))]);
        let bytes = b"\0\0\0\x01a\0\0\0\x06String\x01\0\0\0\x01b";
        assert_eq!(attributes_md5(&attributes), Some(format!("{:x}", md5::compute(bytes))));
    }

    #[test]
    fn a_wrong_attribute_is_refused_by_name() {
        for value in [
            json!({"DataType": "String"}),
            json!({"DataType": "Odd", "StringValue": "x"}),
            json!({"DataType": "Binary", "BinaryValue": "*"}),
        ] {
            let request = json!({"MessageBody": "x", "MessageAttributes": {"colour": value}});
            let error = NewMessage::read(&request).unwrap_err();
            assert!(error.message.contains("colour"), "{error}");
        }
        assert_eq!(NewMessage::read(&json!({})).unwrap_err().code, "MissingParameter");
    }
}
