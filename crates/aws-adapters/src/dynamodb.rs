//! The DynamoDB tables. Items are converted from and to the JSON form of their records.

use std::collections::HashMap;

use aws_sdk_dynamodb::{Client, config::Builder, types::AttributeValue};
use serde::Serialize;

use crate::client::{Sdk, TraceHeader};

mod attributes;
mod table;

#[cfg(feature = "sessions")]
pub(crate) mod connections;

#[cfg(feature = "canary")]
mod progress;
#[cfg(feature = "canary")]
pub use progress::ProgressTables;

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

use attributes::to_attribute;
#[cfg(feature = "sessions")]
use table::KEY;

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
