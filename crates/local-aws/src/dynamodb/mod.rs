//! DynamoDB: dynoxide in this process, behind a loopback listener, with faults in front.

mod capacity;
pub mod item;

use std::path::Path;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use dynoxide::{Database, DynoxideError};
use http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::aws_error::AwsError;
use crate::cloudwatch::Metrics;
use crate::error::Error;
use crate::faults::{FaultKind, Faults};
use sam_template::Table;

/// The largest request, in bytes (DynamoDB's limit).
const MAX_REQUEST: usize = 16 * 1024 * 1024;
const CONTENT_TYPE: &str = "application/x-amz-json-1.0";
/// dynoxide requires the header's form and checks no signature.
const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=AK, SignedHeaders=, Signature=";

/// The operations that dynoxide runs (its `server` module dispatches on them).
const OPERATIONS: [&str; 27] = [
    "CreateTable",
    "DeleteTable",
    "DescribeTable",
    "ListTables",
    "UpdateTable",
    "PutItem",
    "GetItem",
    "DeleteItem",
    "UpdateItem",
    "Query",
    "Scan",
    "BatchGetItem",
    "BatchWriteItem",
    "TransactWriteItems",
    "TransactGetItems",
    "ListStreams",
    "DescribeStream",
    "GetShardIterator",
    "GetRecords",
    "UpdateTimeToLive",
    "DescribeTimeToLive",
    "ExecuteStatement",
    "ExecuteTransaction",
    "BatchExecuteStatement",
    "TagResource",
    "UntagResource",
    "ListTagsOfResource",
];

/// The service.
#[derive(Debug)]
pub struct DynamoDb {
    faults: Faults,
    metrics: Metrics,
    client: reqwest::Client,
    /// The URL of dynoxide's listener.
    url: String,
    tables: Vec<String>,
}

impl DynamoDb {
    /// Opens the database, in a file or in memory, creates the template's tables and serves until
    /// `stop` is cancelled. A table that the file already holds keeps its items.
    ///
    /// # Errors
    /// The file cannot be opened, or a table cannot be created.
    pub async fn start(
        faults: Faults,
        metrics: Metrics,
        tables: &[Table],
        file: Option<&Path>,
        stop: CancellationToken,
    ) -> Result<Arc<Self>, Error> {
        let refused = |reason: DynoxideError| Error::Service {
            service: "dynamodb",
            reason: reason.to_string(),
        };
        let database = match file {
            Some(file) => Database::new(&file.to_string_lossy()).map_err(refused)?,
            None => Database::memory().map_err(refused)?,
        };
        for table in tables {
            make(&database, table)?;
        }
        let listener =
            TcpListener::bind(("127.0.0.1", 0)).await.map_err(Error::io("a port for DynamoDB"))?;
        let address = listener.local_addr().map_err(Error::io("a port for DynamoDB"))?;
        tokio::spawn(async move {
            let ended = dynoxide::server::serve_with_shutdown(listener, database, async move {
                stop.cancelled().await;
            });
            if let Err(reason) = ended.await {
                tracing::error!("DynamoDB stopped: {reason}");
            }
        });
        Ok(Arc::new(Self {
            faults,
            metrics,
            client: reqwest::Client::builder().no_proxy().build().unwrap_or_default(),
            url: format!("http://{address}/"),
            tables: tables.iter().map(|table| table.name.clone()).collect(),
        }))
    }

    /// Returns the operations that a fault may name.
    pub fn operations() -> impl Iterator<Item = &'static str> {
        OPERATIONS.into_iter()
    }

    /// Answers one request of the `dynamodb` scope.
    pub async fn handle(self: Arc<Self>, request: Request) -> Response {
        let operation = crate::wire::operation(request.headers());
        let (head, body) = request.into_parts();
        match self.serve(&operation, &head.headers, body).await {
            Ok(response) => response,
            Err(error) => error.json(CONTENT_TYPE),
        }
    }

    async fn serve(
        &self,
        operation: &str,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<Response, AwsError> {
        let body = to_bytes(body, MAX_REQUEST).await.map_err(|_| {
            let message = "Request size exceeded 16 MB";
            AwsError::new(StatusCode::PAYLOAD_TOO_LARGE, "SerializationException", message)
        })?;
        let fault = self.faults.gate("dynamodb", operation, &target(&body)).await?;
        let response = self.counted(operation, headers, body).await.map_err(|error| {
            AwsError::internal("InternalServerError", format!("dynoxide does not answer: {error}"))
        })?;
        match fault {
            Some(fault) if fault.kind == FaultKind::AnswerLost => Err(fault.error()),
            _ => Ok(response),
        }
    }

    /// Forwards a request, and counts the capacity that it consumes.
    async fn counted(
        &self,
        operation: &str,
        headers: &HeaderMap,
        body: Bytes,
    ) -> reqwest::Result<Response> {
        let Some((consumption, body)) = capacity::request(operation, &body) else {
            return Ok(self.forward(headers, body).await?.map(Body::from));
        };
        let mut response = self.forward(headers, body).await?;
        if let Some(answer) = consumption.count(&self.metrics, response.body()) {
            *response.body_mut() = answer;
            for name in ["x-amz-crc32", "content-length"] {
                response.headers_mut().remove(name);
            }
        }
        Ok(response.map(Body::from))
    }

    async fn forward(
        &self,
        headers: &HeaderMap,
        body: Bytes,
    ) -> reqwest::Result<http::Response<Bytes>> {
        let mut own = headers.clone();
        // These belong to the client's connection.
        for name in [header::HOST, header::CONTENT_LENGTH, header::CONNECTION, header::EXPECT] {
            own.remove(name);
        }
        own.remove(header::TRANSFER_ENCODING);
        let answer = self.client.post(&self.url).headers(own).body(body).send().await?;
        let (status, mut headers) = (answer.status(), answer.headers().clone());
        headers.remove(header::CONNECTION);
        headers.remove(header::TRANSFER_ENCODING);
        let mut response = http::Response::new(answer.bytes().await?);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }

    /// Returns the items of a table as plain JSON. Faults do not apply, because no client calls.
    ///
    /// # Errors
    /// There is no such table, or dynoxide does not answer.
    pub(crate) async fn items(&self, table: &str) -> Result<Vec<Value>, AwsError> {
        let unanswered = |error: reqwest::Error| {
            AwsError::internal("InternalServerError", format!("dynoxide does not answer: {error}"))
        };
        let mut request = json!({ "TableName": table, "ConsistentRead": true });
        let mut found = Vec::new();
        loop {
            let call = self.client.post(&self.url).header(header::CONTENT_TYPE, CONTENT_TYPE);
            let call = call.header("x-amz-target", "DynamoDB_20120810.Scan");
            let call =
                call.header(header::AUTHORIZATION, SIGNED).header("x-amz-date", "20260101T000000Z");
            let answer = call.body(request.to_string()).send().await.map_err(unanswered)?;
            let (status, body) = (answer.status(), answer.text().await.map_err(unanswered)?);
            let page: Value = serde_json::from_str(&body).unwrap_or_default();
            if !status.is_success() {
                return Err(AwsError::internal("InternalServerError", format!("{table}: {body}")));
            }
            found.extend(page["Items"].as_array().into_iter().flatten().map(item::plain));
            match &page["LastEvaluatedKey"] {
                Value::Null => return Ok(found),
                last => request["ExclusiveStartKey"] = last.clone(),
            }
        }
    }

    /// Returns the service's part of `/_local/state`.
    pub fn state(&self) -> Value {
        json!(self.tables)
    }
}

/// Returns the tables that a request names, separated by commas, for matching faults.
fn target(body: &[u8]) -> String {
    let mut names = Vec::new();
    if let Ok(value) = serde_json::from_slice::<Value>(body) {
        if let Some(items) = value.get("RequestItems").and_then(Value::as_object) {
            names.extend(items.keys().cloned());
        }
        if let Some(name) = value.get("TableName").and_then(Value::as_str) {
            names.push(name.to_owned());
        }
        let steps = value.get("TransactItems").and_then(Value::as_array).into_iter().flatten();
        let steps = steps.filter_map(|step| step.as_object()?.values().next());
        names.extend(steps.filter_map(|step| Some(step.get("TableName")?.as_str()?.to_owned())));
    }
    names.join(",")
}

fn make(database: &Database, table: &Table) -> Result<(), Error> {
    let refused = |reason: String| Error::Service {
        service: "dynamodb",
        reason: format!("table {} ({}): {reason}", table.logical_id, table.name),
    };
    let created = database.create_table(read(table.create.clone()).map_err(refused)?);
    match created {
        Ok(_) => {}
        Err(DynoxideError::ResourceInUseException(_)) => return Ok(()),
        Err(reason) => return Err(refused(reason.to_string())),
    }
    if let Some(attribute) = &table.ttl_attribute {
        let request = json!({
            "TableName": table.name,
            "TimeToLiveSpecification": { "AttributeName": attribute, "Enabled": true },
        });
        let request = read(request).map_err(refused)?;
        database.update_time_to_live(request).map_err(|reason| refused(reason.to_string()))?;
    }
    Ok(())
}

fn read<T: DeserializeOwned>(request: Value) -> Result<T, String> {
    serde_json::from_value(request).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    #[tokio::test]
    async fn every_operation_that_a_fault_may_name_is_run() {
        let stop = CancellationToken::new();
        let _ended = stop.clone().drop_guard();
        let dynamodb =
            DynamoDb::start(Faults::default(), Metrics::new(Clock::new(1.0)), &[], None, stop)
                .await
                .unwrap();
        for operation in DynamoDb::operations() {
            let request = Request::post("/")
                .header("x-amz-target", format!("DynamoDB_20120810.{operation}"))
                .header("authorization", SIGNED)
                .header("x-amz-date", "20260101T000000Z")
                .header(header::CONTENT_TYPE, CONTENT_TYPE)
                .body(Body::from("{}"))
                .unwrap();
            let answer = Arc::clone(&dynamodb).handle(request).await;
            let body = to_bytes(answer.into_body(), MAX_REQUEST).await.unwrap();
            let body = String::from_utf8_lossy(&body);
            assert!(!body.contains("UnknownOperationException"), "{operation}: {body}");
        }
    }

    #[test]
    fn a_request_names_its_tables() {
        for (request, expected) in [
            (json!({"TableName": "A", "Key": {}}), "A"),
            (json!({"RequestItems": {"A": [], "B": []}}), "A,B"),
            (json!({"TransactItems": [{"Put": {"TableName": "A"}}]}), "A"),
            (json!({}), ""),
        ] {
            assert_eq!(target(request.to_string().as_bytes()), expected);
        }
    }
}
