//! A log group: the log of one function or task, with one stream for all its processes.

use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use md5::compute;
use sam_template::Account;
use serde_json::{Value, json};

use super::reader::{Position, Reader};
use crate::aws_error::AwsError;
use crate::clock::rfc3339;

/// A log group.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) name: String,
    arn: String,
    created: i64,
    path: PathBuf,
    /// The part of the stream's name that is an execution environment's on AWS.
    environment: String,
}

/// The one stream of a group, once something is written.
#[derive(Debug, Clone)]
pub(super) struct Stream {
    pub(super) name: String,
    arn: String,
    first: i64,
    last: i64,
    bytes: u64,
}

impl Group {
    /// `log` is the name of the file in `folder`, without its extension.
    pub(super) fn new(
        account: &Account,
        name: String,
        log: &str,
        folder: &Path,
        created: i64,
    ) -> Self {
        let arn = account.arn("logs", &format!("log-group:{name}"));
        let path = folder.join(format!("{log}.log"));
        let environment = format!("{:x}", compute(log));
        Self { name, arn, created, path, environment }
    }

    /// Returns whether `identifier` is the group's name or ARN.
    pub(super) fn is(&self, identifier: &str) -> bool {
        identifier == self.name || identifier.trim_end_matches(":*") == self.arn
    }

    /// Opens the log at a position. `None` while nothing is written.
    pub(super) fn open(&self, from: Position) -> Result<Option<Reader>, AwsError> {
        Reader::open(&self.path, from).map_err(|error| unreadable(&error))
    }

    /// Returns the stream; `None` while nothing is written.
    pub(super) fn stream(&self) -> Result<Option<Stream>, AwsError> {
        let Some(mut reader) = self.open(Position::default())? else { return Ok(None) };
        let Some(event) = reader.next_event().map_err(|error| unreadable(&error))? else {
            return Ok(None);
        };
        let file = std::fs::metadata(&self.path).map_err(|error| unreadable(&error))?;
        let written = file.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let last = written.and_then(|since| i64::try_from(since.as_millis()).ok());
        let day = rfc3339(event.timestamp)[..10].replace('-', "/");
        let name = format!("{day}/[$LATEST]{}", self.environment);
        let arn = format!("{}:log-stream:{name}", self.arn);
        let (first, last) = (event.timestamp, last.unwrap_or(event.timestamp));
        Ok(Some(Stream { name, arn, first, last: last.max(first), bytes: file.len() }))
    }

    pub(super) fn show(&self) -> Value {
        let bytes = std::fs::metadata(&self.path).map_or(0, |file| file.len());
        json!({
            "logGroupName": self.name, "arn": format!("{}:*", self.arn),
            "logGroupArn": self.arn, "creationTime": self.created, "metricFilterCount": 0,
            "storedBytes": bytes, "logGroupClass": "STANDARD",
        })
    }
}

impl Stream {
    pub(super) fn show(&self) -> Value {
        json!({
            "logStreamName": self.name, "arn": self.arn, "creationTime": self.first,
            "firstEventTimestamp": self.first, "lastEventTimestamp": self.last,
            "lastIngestionTime": self.last, "storedBytes": self.bytes,
        })
    }
}

/// Returns the error for a log that cannot be read.
pub(super) fn unreadable(error: &std::io::Error) -> AwsError {
    AwsError::internal("ServiceUnavailableException", format!("the log cannot be read: {error}"))
}
