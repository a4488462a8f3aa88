//! The DynamoDB tables. Items are converted from and to the JSON form of their records.

use std::collections::HashMap;

use aws_sdk_dynamodb::{Client, config::Builder, types::AttributeValue};
#[cfg(any(feature = "relay", feature = "watermarks"))]
use aws_sdk_dynamodb::{error::SdkError, operation::update_item::UpdateItemError};
use serde::Serialize;
#[cfg(any(feature = "relay", feature = "watermarks"))]
use session::PortError;

use crate::client::{Sdk, TraceHeader};
#[cfg(any(feature = "relay", feature = "watermarks"))]
use crate::sdk_error::table_error;

mod attributes;

#[cfg(feature = "sessions")]
pub(crate) mod connections;

#[cfg(feature = "sessions")]
mod sessions;
#[cfg(feature = "sessions")]
pub use sessions::SessionsTable;

#[cfg(feature = "relay")]
mod session_watch;
#[cfg(feature = "relay")]
pub use session_watch::SessionWatch;

#[cfg(feature = "relay")]
mod streams;
#[cfg(feature = "relay")]
pub use streams::StreamsTable;

#[cfg(feature = "watermarks")]
mod watermarks;
#[cfg(feature = "watermarks")]
pub use watermarks::ProcessedTable;

#[cfg(any(feature = "relay", feature = "watermarks"))]
use attributes::Item;
use attributes::to_attribute;

/// The partition key of the tables Sessions, Streams and Processed.
const KEY: &str = "sessionId";

const UPDATE: &str = "UpdateItem";

/// A client of DynamoDB. Clones share its connections.
#[derive(Clone, Debug)]
pub struct DynamoDb(Client);

impl DynamoDb {
    /// Creates a client with the process's settings.
    pub fn new(sdk: &Sdk) -> Self {
        Self(Client::from_conf(Builder::from(sdk.config()).interceptor(TraceHeader).build()))
    }
}

/// Attribute names that DynamoDB reserves. It rejects a placeholder that no expression uses, so
/// [`names`] defines those in use.
const RESERVED: [&str; 3] = ["status", "desired", "owner"];

/// Returns the placeholders `#name` of the reserved names that `expressions` use.
fn names(expressions: &[&str]) -> Option<HashMap<String, String>> {
    let placeholder = |name: &str| format!("#{name}");
    let used = |name: &&str| expressions.iter().any(|text| text.contains(&placeholder(name)));
    let names: HashMap<_, _> = RESERVED
        .into_iter()
        .filter(used)
        .map(|name| (placeholder(name), name.to_owned()))
        .collect();
    (!names.is_empty()).then_some(names)
}

/// Values of an expression by placeholder.
#[derive(Debug, Default)]
struct Values(HashMap<String, AttributeValue>);

impl Values {
    fn new() -> Self {
        Self::default()
    }

    fn with(mut self, name: &str, value: &impl Serialize) -> Self {
        self.0.insert(name.to_owned(), to_attribute(value));
        self
    }
}

/// Returns the stored item if the condition of an update was not met.
///
/// # Errors
/// Returns any other error of the update.
#[cfg(any(feature = "relay", feature = "watermarks"))]
fn unmet(error: &SdkError<UpdateItemError>) -> Result<Option<Item>, PortError> {
    match error.as_service_error() {
        Some(UpdateItemError::ConditionalCheckFailedException(unmet)) => Ok(unmet.item.clone()),
        _ => Err(table_error(UPDATE, error)),
    }
}

fn text(value: impl ToString) -> AttributeValue {
    AttributeValue::S(value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_names_in_use_have_a_placeholder() {
        assert_eq!(names(&["SET updatedAt = :now"]), None);
        let used = names(&["SET #status = :a", "#status = :b"]).unwrap();
        assert_eq!(used, HashMap::from([("#status".to_owned(), "status".to_owned())]));
    }
}
