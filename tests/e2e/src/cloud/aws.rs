//! AWS's own APIs, as any client of AWS calls them.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Cloud;
use crate::Error;

/// An access key of no function: it allows everything.
const OWNER: &str = "test";

/// How long a dead event may be waited for: Lambda's retries take three minutes, scaled.
const DEAD_PATIENCE: Duration = Duration::from_secs(60);

impl Cloud {
    /// One AWS call of the JSON protocol (DynamoDB, EventBridge, SQS), `target` as in
    /// `X-Amz-Target`. The signature is not checked locally; its scope routes the call.
    ///
    /// # Errors
    /// [`Error::Answer`] unless the answer is 200.
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

    /// One call of Kinesis Video's REST protocol, for example `createStream`.
    ///
    /// # Errors
    /// [`Error::Answer`] unless the answer is 200.
    pub async fn kinesis_video(&self, operation: &str, body: Value) -> Result<Value, Error> {
        let request = self.http.post(format!("{}/{operation}", self.url)).json(&body);
        let answer =
            request.header("authorization", signature(OWNER, "kinesisvideo")).send().await?;
        answered(operation, answer).await
    }

    /// Invokes a function (by its package name) and waits for its answer, whatever it is.
    ///
    /// # Errors
    /// [`Error::Http`] when nothing answers.
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
        let entry = json!({
            "Source": "session-management", "DetailType": "Session Status Change",
            "Detail": detail.to_string(), "EventBusName": "default",
        });
        let entries = json!({ "Entries": [entry] });
        self.aws("events", "AWSEvents.PutEvents", entries).await.map(drop)
    }

    /// The records in session-events-dlq once there are so many; those read stay out of sight for a
    /// while.
    ///
    /// # Errors
    /// [`Error::Waited`] with those that are there, or as [`Cloud::aws`].
    pub async fn dead_events(&self, count: usize) -> Result<Vec<Value>, Error> {
        let name = json!({ "QueueName": "session-events-dlq-dev" });
        let queue = self.aws("sqs", "AmazonSQS.GetQueueUrl", name).await?;
        // Longer than any test, in the cloud's time: each record is read once.
        let receive = json!({
            "QueueUrl": queue["QueueUrl"], "MaxNumberOfMessages": 10, "VisibilityTimeout": 43_200
        });
        let (mut records, start) = (Vec::new(), Instant::now());
        while records.len() < count {
            if start.elapsed() > DEAD_PATIENCE {
                let (what, last) = (format!("{count} dead events"), Value::from(records));
                let (seconds, last) = (DEAD_PATIENCE.as_secs(), last.to_string());
                return Err(Error::Waited { what, seconds, last });
            }
            let answer = self.aws("sqs", "AmazonSQS.ReceiveMessage", receive.clone()).await?;
            let bodies = answer["Messages"].as_array().into_iter().flatten();
            let bodies = bodies.filter_map(|message| message["Body"].as_str());
            records.extend(bodies.filter_map(|body| serde_json::from_str(body).ok()));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(records)
    }

    /// The item of `table` (without its suffix) whose key `sessionId` is `id`, in DynamoDB's JSON.
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

/// What a call answered with 200.
async fn answered(what: &str, answer: reqwest::Response) -> Result<Value, Error> {
    let (status, text) = (answer.status().as_u16(), answer.text().await?);
    if status != 200 {
        return Err(Error::Answer { what: what.into(), status, body: text });
    }
    Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
}

/// A header that names the caller and the service; locally nobody checks the signature itself.
fn signature(key: &str, service: &str) -> String {
    let scope = format!("Credential={key}/20260101/us-east-1/{service}/aws4_request");
    format!("AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0")
}
