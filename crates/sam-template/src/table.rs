//! `AWS::DynamoDB::Table`: the properties of CreateTable, and the time to live.

use serde_json::{Map, Value, json};

use super::reader::Properties;
use super::{Table, Template, TemplateError};

/// Properties that CreateTable has under the same name and in the same form.
const CREATE: [&str; 7] = [
    "AttributeDefinitions",
    "BillingMode",
    "GlobalSecondaryIndexes",
    "KeySchema",
    "LocalSecondaryIndexes",
    "ProvisionedThroughput",
    "TableClass",
];

/// Properties that protect a deployed table and have no effect here.
const WITHOUT_EFFECT: [&str; 9] = [
    "ContributorInsightsSpecification",
    "DeletionProtectionEnabled",
    "KinesisStreamSpecification",
    "OnDemandThroughput",
    "PointInTimeRecoverySpecification",
    "SSESpecification",
    "TableName",
    "Tags",
    "WarmThroughput",
];

/// Adds a table.
///
/// # Errors
/// A property that is missing, wrong or unknown.
pub(super) fn read(
    template: &mut Template,
    id: &str,
    name: String,
    mut properties: Properties,
) -> Result<(), TemplateError> {
    let mut create = Map::from_iter([("TableName".to_owned(), json!(name))]);
    for property in CREATE {
        if let Some(value) = properties.take(property) {
            create.insert(property.to_owned(), numbers_as_numbers(value));
        }
    }
    for needed in ["AttributeDefinitions", "KeySchema"] {
        if !create.contains_key(needed) {
            return Err(properties.wrong(needed, "missing"));
        }
    }
    if let Some(mut stream) = properties.part("StreamSpecification")? {
        let view = stream.needed("StreamViewType")?;
        stream.finish(&[])?;
        create.insert(
            "StreamSpecification".to_owned(),
            json!({"StreamEnabled": true, "StreamViewType": view}),
        );
    }
    let mut ttl_attribute = None;
    if let Some(mut ttl) = properties.part("TimeToLiveSpecification")? {
        let attribute = ttl.text("AttributeName")?;
        if ttl.boolean("Enabled")?.unwrap_or_default() {
            ttl_attribute = attribute;
        }
        ttl.finish(&[])?;
    }
    template.tables.push(Table {
        logical_id: id.to_owned(),
        name,
        ttl_attribute,
        create: Value::Object(create),
    });
    properties.finish(&WITHOUT_EFFECT)
}

/// Throughput numbers may come as text, from parameters.
fn numbers_as_numbers(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(numbers_as_numbers).collect(),
        Value::Object(map) => {
            let number = |(key, value): (String, Value)| match value.as_str() {
                Some(text) if key.ends_with("CapacityUnits") => {
                    let number = text.parse::<u64>().map_or_else(|_| value.clone(), Value::from);
                    (key, number)
                }
                _ => (key, numbers_as_numbers(value)),
            };
            Value::Object(map.into_iter().map(number).collect())
        }
        plain => plain,
    }
}
