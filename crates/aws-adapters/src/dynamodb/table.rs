//! One table: reads, conditional writes and deletes of single items.

use aws_sdk_dynamodb::Client;
#[cfg(feature = "sessions")]
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure as OnFailure};
#[cfg(feature = "sessions")]
use serde::de::DeserializeOwned;
use session::PortError;

use super::attributes::Item;
#[cfg(feature = "sessions")]
use super::attributes::from_item;
use super::{DynamoDb, Values, names, text};
use crate::sdk_error::table_error;

/// The partition key of the tables Sessions, Streams and Processed.
pub(super) const KEY: &str = "sessionId";

pub(super) const UPDATE: &str = "UpdateItem";

/// A client of one table.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(super) client: Client,
    pub(super) name: String,
}

/// A change of an item: its expression, its condition if any, and the values of both.
pub(super) struct Update<'a> {
    pub(super) expression: &'a str,
    pub(super) condition: Option<&'a str>,
    pub(super) values: Values,
}

/// Outcome of an [`Update`].
#[cfg_attr(not(any(feature = "relay", feature = "watermarks")), expect(dead_code))]
pub(super) enum Written {
    /// It was applied. Contains the attributes that the call returns.
    Applied(Item),
    /// The condition was not met. Contains the item, if it exists.
    Unmet(Option<Item>),
}

impl Table {
    pub(super) fn new(dynamodb: &DynamoDb, name: String) -> Self {
        Self { client: dynamodb.0.clone(), name }
    }

    /// Updates an item, if the condition (if any) is met. Returns the attributes that `returned`
    /// selects.
    pub(super) async fn update(
        &self,
        key: impl ToString,
        update: Update<'_>,
        returned: ReturnValue,
    ) -> Result<Written, PortError> {
        let Update { expression, condition, values } = update;
        let output = self
            .client
            .update_item()
            .table_name(&self.name)
            .key(KEY, text(key))
            .update_expression(expression)
            .set_condition_expression(condition.map(ToOwned::to_owned))
            .set_expression_attribute_names(names(&[expression, condition.unwrap_or_default()]))
            .set_expression_attribute_values(Some(values.0))
            .return_values(returned)
            .return_values_on_condition_check_failure(OnFailure::AllOld)
            .send()
            .await;
        match output {
            Ok(output) => Ok(Written::Applied(output.attributes.unwrap_or_default())),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(unmet)) => {
                    Ok(Written::Unmet(unmet.item.clone()))
                }
                _ => Err(table_error(UPDATE, &error)),
            },
        }
    }

    /// Reads an item with a consistent read.
    #[cfg(feature = "sessions")]
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        key: impl ToString,
    ) -> Result<Option<T>, PortError> {
        let operation = "GetItem";
        let get = self.client.get_item().table_name(&self.name).consistent_read(true);
        let output = get.key(KEY, text(key)).send().await;
        let item = output.map_err(|error| table_error(operation, &error))?.item;
        item.map(|item| from_item(operation, item)).transpose()
    }

    /// Deletes the item whose `key` has this name and value. Does nothing if the condition is not
    /// met: another writer owns the item.
    #[cfg(feature = "sessions")]
    pub(super) async fn delete(
        &self,
        key: (&str, impl ToString),
        condition: &str,
        values: Values,
    ) -> Result<(), PortError> {
        let delete = self
            .client
            .delete_item()
            .table_name(&self.name)
            .key(key.0, text(key.1))
            .condition_expression(condition)
            .set_expression_attribute_names(names(&[condition]))
            .set_expression_attribute_values(Some(values.0));
        match delete.send().await {
            Err(error) if error.code() == Some("ConditionalCheckFailedException") => Ok(()),
            output => output.map(drop).map_err(|error| table_error("DeleteItem", &error)),
        }
    }
}
