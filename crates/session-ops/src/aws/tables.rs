//! Items of DynamoDB tables, one page at a time.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Number, Value, json};
use session::SessionId;

use super::{Aws, failed};
use crate::error::Error;

/// The items of a page. A page is also at most 1 MB.
const PAGE: i32 = 250;

type Key = HashMap<String, AttributeValue>;

/// The items of a table, or those of a status by the time of their last change, newest first.
#[derive(Debug)]
pub(crate) struct Items<'a> {
    aws: &'a Aws,
    client: Client,
    table: String,
    status: Option<String>,
    /// The last key of the page before; `None` after the last page.
    from: Option<Option<Key>>,
}

impl<'a> Items<'a> {
    /// Reads a whole table, in no particular order.
    pub(crate) fn of(aws: &'a Aws, table: String) -> Self {
        let client = Client::new(&aws.config);
        Self { aws, client, table, status: None, from: Some(None) }
    }

    /// Reads the sessions in a status.
    pub(crate) fn in_status(self, status: Option<String>) -> Self {
        Self { status, ..self }
    }

    /// Returns the next page, which may be empty; `None` after the last one.
    pub(crate) async fn next_page(&mut self) -> Result<Option<Vec<Value>>, Error> {
        let Some(from) = self.from.take() else { return Ok(None) };
        let (items, last) = match self.status.clone() {
            Some(status) => self.query(&status, from).await?,
            None => self.scan(from).await?,
        };
        self.from = last.filter(|key| !key.is_empty()).map(Some);
        Ok(Some(items.into_iter().map(plain).collect()))
    }

    async fn scan(&self, from: Option<Key>) -> Result<(Vec<Key>, Option<Key>), Error> {
        let operation = "dynamodb scan";
        let (limit, start) = (PAGE.to_string(), from.as_ref().map(wire_key));
        let mut arguments = vec![("--table-name", self.table.as_str()), ("--limit", &limit)];
        arguments.push(("--no-paginate", ""));
        arguments.extend(start.as_deref().map(|key| ("--exclusive-start-key", key)));
        self.aws.show(operation, &arguments, None);
        let scan = self.client.scan().table_name(&self.table).limit(PAGE);
        let output = scan.set_exclusive_start_key(from).send().await.map_err(failed(operation))?;
        Ok((output.items.unwrap_or_default(), output.last_evaluated_key))
    }

    async fn query(
        &self,
        status: &str,
        from: Option<Key>,
    ) -> Result<(Vec<Key>, Option<Key>), Error> {
        let (operation, index) = ("dynamodb query", "status-updatedAt-index");
        let condition = "#status = :status";
        let values = json!({":status": {"S": status}}).to_string();
        let (limit, start) = (PAGE.to_string(), from.as_ref().map(wire_key));
        let mut arguments = vec![
            ("--table-name", self.table.as_str()),
            ("--index-name", index),
            ("--key-condition-expression", condition),
            ("--expression-attribute-names", r##"{"#status":"status"}"##),
            ("--expression-attribute-values", &values),
            ("--no-scan-index-forward", ""),
            ("--limit", &limit),
            ("--no-paginate", ""),
        ];
        arguments.extend(start.as_deref().map(|key| ("--exclusive-start-key", key)));
        self.aws.show(operation, &arguments, None);
        let query = self.client.query().table_name(&self.table).index_name(index).limit(PAGE);
        let query = query.key_condition_expression(condition).scan_index_forward(false);
        let query = query.expression_attribute_names("#status", "status");
        let value = AttributeValue::S(status.to_owned());
        let query = query.expression_attribute_values(":status", value);
        let output = query.set_exclusive_start_key(from).send().await.map_err(failed(operation))?;
        Ok((output.items.unwrap_or_default(), output.last_evaluated_key))
    }
}

impl Aws {
    /// Returns a session's item of a table, with a consistent read.
    pub(crate) async fn item(
        &self,
        table: &str,
        session: &SessionId,
    ) -> Result<Option<Value>, Error> {
        let operation = "dynamodb get-item";
        let key = json!({"sessionId": {"S": session}}).to_string();
        let arguments = [("--table-name", table), ("--key", &key), ("--consistent-read", "")];
        self.show(operation, &arguments, None);
        let get = Client::new(&self.config).get_item().table_name(table).consistent_read(true);
        let get = get.key("sessionId", AttributeValue::S(session.to_string()));
        let output = get.send().await.map_err(failed(operation))?;
        Ok(output.item.map(plain))
    }
}

/// Returns a key as the AWS CLI takes it.
fn wire_key(key: &Key) -> String {
    let wire = |value: &AttributeValue| match value {
        AttributeValue::N(number) => json!({"N": number}),
        AttributeValue::S(text) => json!({"S": text}),
        _ => Value::Null,
    };
    key.iter().map(|(name, value)| (name.clone(), wire(value))).collect::<Value>().to_string()
}

fn plain(item: Key) -> Value {
    item.into_iter().map(|(name, value)| (name, plain_value(value))).collect()
}

/// Returns an attribute as JSON: string sets as lists, binary values as null.
fn plain_value(value: AttributeValue) -> Value {
    match value {
        AttributeValue::Bool(flag) => Value::Bool(flag),
        AttributeValue::N(text) => text.parse::<Number>().map_or(Value::Null, Value::Number),
        AttributeValue::S(text) => Value::String(text),
        AttributeValue::L(list) => list.into_iter().map(plain_value).collect(),
        AttributeValue::Ss(set) => set.into_iter().map(Value::String).collect(),
        AttributeValue::M(members) => plain(members),
        _ => Value::Null,
    }
}
