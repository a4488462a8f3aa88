//! A client of AWS's APIs.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Cloud;
use crate::Error;

/// An access key that belongs to no function and therefore has all permissions.
const OWNER: &str = "test";

/// Maximum wait for a dead-lettered event: Lambda's retries take three scaled minutes.
const DEAD_LETTER_TIMEOUT: Duration = Duration::from_secs(60);

impl Cloud {
    /// Makes a call of AWS's JSON protocol (DynamoDB, EventBridge, SQS) with this `X-Amz-Target`.
    /// The local cloud does not check the signature; its scope routes the call.
    ///
    /// # Errors
    /// [`Error::Answer`] unless the status is 200.
    pub async fn aws(&self, service: &str, target: &str, body: Value) -> Result<Value, Error> {
        self.aws_as(OWNER, service, target, body).await
    }

    /// As [`Cloud::aws`], signed with the access key `key`.
    ///
    /// # Errors
    /// As [`Cloud::aws`].
    pub async fn aws_as(
        &self,
        key: &str,
        service: &str,
        target: &str,
        body: Value,
    ) -> Result<Value, Error> {
        let answer = self
            .http
            .post(&self.url)
            .header("authorization", signature(key, service))
            .header("x-amz-date", "20260101T000000Z")
            .header("x-amz-target", target)
            .header("content-type", "application/x-amz-json-1.0")
            .body(body.to_string())
            .send()
            .await?;
        answered(target, answer).await
    }

    /// Makes a call of Kinesis Video's REST protocol, for example `createStream`.
    ///
    /// # Errors
    /// [`Error::Answer`] unless the status is 200.
    pub async fn kinesis_video(&self, operation: &str, body: Value) -> Result<Value, Error> {
        self.rest("kinesisvideo", operation, &body).await
    }

    /// Makes a call of a REST protocol of AWS.
    pub(crate) async fn rest(
        &self,
        service: &str,
        path: &str,
        body: &Value,
    ) -> Result<Value, Error> {
        let request = self.http.post(format!("{}/{path}", self.url)).json(body);
        let answer = request.header("authorization", signature(OWNER, service)).send().await?;
        answered(path, answer).await
    }

    /// Invokes a function (a package name) and returns its response, also if it is an error.
    ///
    /// # Errors
    /// [`Error::Http`] if there is no response.
    pub async fn invoke(&self, function: &str, payload: &Value) -> Result<Value, Error> {
        self.invoke_with(function, payload, "").await
    }

    /// As [`Cloud::invoke`], with a ClientContext in base64.
    ///
    /// # Errors
    /// As [`Cloud::invoke`].
    pub async fn invoke_with(
        &self,
        function: &str,
        payload: &Value,
        client_context: &str,
    ) -> Result<Value, Error> {
        let url = format!("{}/2015-03-31/functions/{function}/invocations", self.url);
        let request = self.http.post(url).header("authorization", signature(OWNER, "lambda"));
        let request = request.header("x-amz-client-context", client_context);
        let text = request.body(payload.to_string()).send().await?.text().await?;
        Ok(serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// Puts a `Session Status Change` with this detail on the bus.
    ///
    /// # Errors
    /// As [`Cloud::aws`].
    pub async fn put_status_change(&self, detail: &Value) -> Result<(), Error> {
        self.put_event("Session Status Change", detail).await
    }

    /// Puts an event of this type with this detail on the bus.
    ///
    /// # Errors
    /// As [`Cloud::aws`].
    pub async fn put_event(&self, detail_type: &str, detail: &Value) -> Result<(), Error> {
        let entry = json!({
            "Source": "session-management", "DetailType": detail_type,
            "Detail": detail.to_string(), "EventBusName": "default",
        });
        let entries = json!({ "Entries": [entry] });
        self.aws("events", "AWSEvents.PutEvents", entries).await.map(drop)
    }

    /// Waits until session-events-dlq contains `count` records and returns them. Each record is
    /// read once, because it stays invisible.
    ///
    /// # Errors
    /// [`Error::TimedOut`] with the records so far, or as [`Cloud::aws`].
    pub async fn dead_letter_events(&self, count: usize) -> Result<Vec<Value>, Error> {
        let name = json!({ "QueueName": "session-events-dlq-dev" });
        let queue = self.aws("sqs", "AmazonSQS.GetQueueUrl", name).await?;
        // A visibility timeout longer than any test, in the cloud's time.
        let receive = json!({
            "QueueUrl": queue["QueueUrl"], "MaxNumberOfMessages": 10, "VisibilityTimeout": 43_200
        });
        let (mut records, start) = (Vec::new(), Instant::now());
        while records.len() < count {
            if start.elapsed() > DEAD_LETTER_TIMEOUT {
                let (what, last) = (format!("{count} dead-lettered events"), Value::from(records));
                let (seconds, last) = (DEAD_LETTER_TIMEOUT.as_secs(), last.to_string());
                return Err(Error::TimedOut { what, seconds, last });
            }
            let answer = self.aws("sqs", "AmazonSQS.ReceiveMessage", receive.clone()).await?;
            let bodies = answer["Messages"].as_array().into_iter().flatten();
            let bodies = bodies.filter_map(|message| message["Body"].as_str());
            records.extend(bodies.filter_map(|body| serde_json::from_str(body).ok()));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(records)
    }

    /// Returns the item of `table` (without its suffix) with `sessionId` `id`, in DynamoDB's JSON.
    ///
    /// # Errors
    /// As [`Cloud::aws`].
    pub async fn item(&self, table: &str, id: &str) -> Result<Option<Value>, Error> {
        let key = json!({ "sessionId": { "S": id } });
        let body =
            json!({ "TableName": format!("{table}-dev"), "Key": key, "ConsistentRead": true });
        let answer = self.aws("dynamodb", "DynamoDB_20120810.GetItem", body).await?;
        Ok(answer.get("Item").cloned())
    }
}

/// Returns the body of a response with status 200.
async fn answered(what: &str, answer: reqwest::Response) -> Result<Value, Error> {
    let (status, text) = (answer.status().as_u16(), answer.text().await?);
    if status != 200 {
        return Err(Error::Answer { what: what.into(), status, body: text });
    }
    Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
}

/// Returns an Authorization header with the caller's key and the service. The local cloud does not
/// check the signature.
fn signature(key: &str, service: &str) -> String {
    let scope = format!("Credential={key}/20260101/us-east-1/{service}/aws4_request");
    format!("AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0")
}
