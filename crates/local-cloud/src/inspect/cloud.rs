//! A client of a running cloud: `/_local`, and reads of its tables.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::error::Error;
use local_aws::clock::real_now_ms;
use local_aws::dynamodb::item::plain;
use local_aws::session_state::delivery;

/// Maximum time of a request.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Any access key that is not a function's may make every call; signatures are not checked.
const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=operator/20260101/us-east-1/dynamodb/aws4_request, \
                      SignedHeaders=host, Signature=0";

/// A running cloud.
#[derive(Debug)]
pub(crate) struct Cloud {
    url: String,
    http: reqwest::Client,
}

impl Cloud {
    /// Creates a client of the cloud at `url`.
    ///
    /// # Errors
    /// No local cloud answers there.
    pub(crate) async fn at(url: &str) -> Result<Self, Error> {
        crate::discovery::check(url).await?;
        let http = reqwest::Client::builder().no_proxy().timeout(TIMEOUT).build();
        let http = http.map_err(|source| Error::Unreachable { url: url.to_owned(), source })?;
        Ok(Self { url: url.to_owned(), http })
    }

    /// Returns the cloud's URL.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Returns the JSON at a path.
    pub(crate) async fn json(&self, path: &str) -> Result<Value, Error> {
        self.optional_json(path).await?.ok_or_else(|| self.unexpected(path, "404"))
    }

    /// Returns the JSON at a path, or `None` for 404.
    pub(super) async fn optional_json(&self, path: &str) -> Result<Option<Value>, Error> {
        let Some(body) = self.bytes(path).await? else { return Ok(None) };
        serde_json::from_slice(&body)
            .map(Some)
            .map_err(|error| self.unexpected(path, &error.to_string()))
    }

    /// Returns the body at a path, or `None` for 404.
    pub(super) async fn bytes(&self, path: &str) -> Result<Option<Vec<u8>>, Error> {
        let answer = self.http.get(format!("{}{path}", self.url)).send().await;
        let answer = answer.map_err(|source| self.unreachable(source))?;
        match answer.status() {
            StatusCode::NOT_FOUND => Ok(None),
            status if !status.is_success() => Err(self.unexpected(path, status.as_str())),
            _ => {
                let body = answer.bytes().await.map_err(|source| self.unreachable(source))?;
                Ok(Some(body.to_vec()))
            }
        }
    }

    /// Returns the items of the table whose name is `PREFIX-` and the environment.
    pub(crate) async fn scan(&self, state: &Value, prefix: &str) -> Result<Vec<Value>, Error> {
        let table = self.table(state, prefix)?;
        let mut request = json!({ "TableName": table, "ConsistentRead": true });
        let mut found = Vec::new();
        loop {
            let page = self.dynamodb("Scan", &request).await?;
            found.extend(page["Items"].as_array().into_iter().flatten().map(plain));
            match &page["LastEvaluatedKey"] {
                Value::Null => return Ok(found),
                last => request["ExclusiveStartKey"] = last.clone(),
            }
        }
    }

    /// Returns a session's item of such a table, or `None`.
    pub(super) async fn item(
        &self,
        state: &Value,
        prefix: &str,
        session: &str,
    ) -> Result<Option<Value>, Error> {
        let key = json!({ "sessionId": { "S": session } });
        let table = self.table(state, prefix)?;
        let request = json!({ "TableName": table, "Key": key, "ConsistentRead": true });
        let answer = self.dynamodb("GetItem", &request).await?;
        Ok(answer.get("Item").map(plain))
    }

    /// Prints a warning if a session is ending or has ended. Does nothing if the cloud has no table
    /// of sessions.
    ///
    /// # Errors
    /// There is no such session.
    pub(crate) async fn check_accepts_audio(&self, session: &str) -> Result<(), Error> {
        let state = self.optional_json("/_local/state").await?.unwrap_or_default();
        if self.table(&state, "Sessions").is_err() {
            return Ok(());
        }
        let item = self.item(&state, "Sessions", session).await?.ok_or_else(|| {
            Error::Client(format!("no session {session}: `local-cloud sessions` lists them"))
        })?;
        let status = item["status"].as_str().unwrap_or_default();
        if ["active", "paused", "creating"].contains(&status) {
            return Ok(());
        }
        match self.has_ended(session).await? {
            true => {
                eprintln!("warning: {session} has ended: audio that is sent now is not delivered")
            }
            false => eprintln!(
                "warning: {session} is ending: audio is delivered until its stream is drained"
            ),
        }
        Ok(())
    }

    /// Whether the consumer has ended the delivery of a session.
    ///
    /// # Errors
    /// The cloud does not answer, or it has no table of streams.
    pub(crate) async fn has_ended(&self, session: &str) -> Result<bool, Error> {
        let state = self.json("/_local/state").await?;
        let item = self.item(&state, "Streams", session).await?;
        Ok(delivery(item.as_ref(), real_now_ms()) == "ended")
    }

    /// Returns the name of the table whose name is `PREFIX-` and the environment.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn table(&self, state: &Value, prefix: &str) -> Result<String, Error> {
        let tables = state["dynamodb"]["tables"].as_array().into_iter().flatten();
        let mut names = tables.filter_map(Value::as_str);
        let named = |name: &&str| name.strip_prefix(prefix).is_some_and(|it| it.starts_with('-'));
        names.find(named).map(str::to_owned).ok_or_else(|| {
            Error::Client(format!(
                "the cloud at {} has no table {prefix}: it runs another template than infra/template.yaml",
                self.url
            ))
        })
    }

    async fn dynamodb(&self, operation: &str, request: &Value) -> Result<Value, Error> {
        let call = self
            .http
            .post(format!("{}/", self.url))
            .header("authorization", SIGNED)
            .header("x-amz-date", "20260101T000000Z")
            .header("x-amz-target", format!("DynamoDB_20120810.{operation}"))
            .header("content-type", "application/x-amz-json-1.0");
        let answer = call.body(request.to_string()).send().await;
        let answer = answer.map_err(|source| self.unreachable(source))?;
        let status = answer.status();
        let body = answer.text().await.map_err(|source| self.unreachable(source))?;
        match serde_json::from_str(&body) {
            Ok(answer) if status.is_success() => Ok(answer),
            _ => Err(self.unexpected(operation, &format!("{status} {body}"))),
        }
    }

    fn unreachable(&self, source: reqwest::Error) -> Error {
        Error::Unreachable { url: self.url.clone(), source }
    }

    fn unexpected(&self, request: &str, answer: &str) -> Error {
        Error::Client(format!(
            "{} answers {request} with {answer}: is it a local-cloud of this version?",
            self.url
        ))
    }
}
