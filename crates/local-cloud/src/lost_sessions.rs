//! Sessions that lost their stream: a data folder keeps tables, but neither streams nor their
//! media.
//!
//! They are not changed here. The health check ends them by its own rules, as on AWS when a stream
//! is deleted: it restarts the consumer, which finds no stream, and then ends the session with the
//! reason `lost`.

use serde_json::{Value, json};

use crate::error::Error;
use local_aws::LocalAws;

/// Selects DynamoDB; the signature is not checked.
const AUTHORIZATION: &str = "AWS4-HMAC-SHA256 \
                             Credential=local/20260101/us-east-1/dynamodb/aws4_request, \
                             SignedHeaders=host, Signature=0";

/// Returns a line for each live session whose stream does not exist.
///
/// # Errors
/// The table of the sessions cannot be read.
pub(crate) async fn of(running: &LocalAws) -> Result<Vec<String>, Error> {
    let template = running.services().template();
    let Some(table) = template.tables.iter().find(|table| table.name.starts_with("Sessions"))
    else {
        return Ok(Vec::new());
    };
    let items = live(running.url(), &table.name).await?;
    let has_stream = |id: &str| running.services().kvs.has_stream(&format!("session-{id}"));
    let lost = items.iter().filter_map(|item| item["sessionId"]["S"].as_str());
    let lost = lost.filter(|id| !has_stream(id)).map(|id| {
        format!(
            "session {id} lost its stream, which a data folder does not keep: one of the next health \
             checks ends it"
        )
    });
    Ok(lost.collect())
}

/// Returns the items of the active and paused sessions.
async fn live(url: &str, table: &str) -> Result<Vec<Value>, Error> {
    let unreachable = |source| Error::Unreachable { url: url.to_owned(), source };
    let http = reqwest::Client::builder().no_proxy().build().map_err(unreachable)?;
    let mut request = json!({
        "TableName": table,
        "ProjectionExpression": "sessionId",
        "FilterExpression": "#status IN (:active, :paused)",
        "ExpressionAttributeNames": { "#status": "status" },
        "ExpressionAttributeValues": { ":active": { "S": "active" }, ":paused": { "S": "paused" } },
    });
    let mut items = Vec::new();
    loop {
        let page = http
            .post(format!("{url}/"))
            .header("authorization", AUTHORIZATION)
            .header("x-amz-date", "20260101T000000Z")
            .header("x-amz-target", "DynamoDB_20120810.Scan")
            .header("content-type", "application/x-amz-json-1.0")
            .body(request.to_string());
        let page = page.send().await.and_then(reqwest::Response::error_for_status);
        let text = page.map_err(unreachable)?.text().await.map_err(unreachable)?;
        let mut page: Value = serde_json::from_str(&text).unwrap_or_default();
        items.extend(page["Items"].as_array().cloned().unwrap_or_default());
        match page["LastEvaluatedKey"].take() {
            Value::Null => return Ok(items),
            key => request["ExclusiveStartKey"] = key,
        }
    }
}
