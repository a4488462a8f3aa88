//! Kinesis Video Streams: channels, streams, mappings, PutMedia and GetMedia.

use std::sync::Arc;

use axum::extract::Request;
use axum::response::Response;
use serde_json::Value;

use crate::account::Account;
use crate::aws_error::AwsError;
use crate::clock::Clock;
use crate::faults::Faults;

/// The service.
#[derive(Debug)]
pub struct Kvs {}

impl Kvs {
    /// A service without any channel or stream. `base_url` is what its endpoints are told as, for
    /// example `http://127.0.0.1:7878`.
    pub fn new(clock: Clock, faults: Faults, account: Account, base_url: String) -> Arc<Self> {
        let _ = (clock, faults, account, base_url);
        Arc::new(Self {})
    }

    /// Answers one request of the `kinesisvideo` scope.
    pub async fn handle(self: Arc<Self>, request: Request) -> Response {
        AwsError::not_implemented("kinesisvideo", request.uri().path()).rest_json()
    }

    /// What `/_local/state` shows.
    pub fn state(&self) -> Value {
        Value::Null
    }
}
