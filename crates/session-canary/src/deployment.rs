//! The deployed system as the canary sees it: the session handler, a stream, and the tables.

use std::collections::BTreeMap;

use aws_adapters::Sdk;
use aws_adapters::canary::Function;
use aws_adapters::dynamodb::{DynamoDb, ProgressTables};
use lambda_support::context::SystemContext;
use producer::{FRAGMENT_MS, Pace, Producer, PutMedia, Recording, SpeakError, Spoken, TRIES};
use serde::Deserialize;
use serde_json::Value;
use session::ports::Clock as _;
use session::{ErrorKind, PortError, SessionId, StreamItem};
use tokio::sync::watch;

use crate::api::Response;
use crate::config::Config;

/// Causes in a checkpoint's totals for which samples have no delivered audio.
const MISSING: [&str; 5] = ["filled", "gap", "paused", "unavailable", "deadLettered"];

/// How far a session is delivered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Samples that the processor accepted, as it states itself or as the checkpoint does.
    pub(crate) accepted: u64,
    /// Whether all of the session is delivered.
    pub(crate) ended: bool,
    /// Samples without delivered audio, by cause.
    pub(crate) missing: BTreeMap<String, u64>,
}

/// The deployed system.
pub(crate) trait Deployment: Sync {
    /// The samples and the fragments of the sentence.
    fn sentence(&self) -> (u64, usize);

    /// Invokes the session handler once with an event of the API.
    async fn call(&self, event: &Value) -> Result<Response, PortError>;

    /// Speaks the sentence into a stream. Returns the persisted fragments.
    async fn speak(&self, stream: &str) -> Result<usize, SpeakError>;

    /// Returns how far a session is delivered.
    async fn progress(&self, session: &SessionId) -> Result<Progress, PortError>;
}

/// The deployment on AWS.
#[derive(Debug)]
pub(crate) struct Aws {
    sdk: Sdk,
    handler: Function,
    tables: ProgressTables,
    sentence: Recording,
    speed: f64,
    ctx: SystemContext,
}

impl Aws {
    /// Creates the clients.
    pub(crate) fn new(sdk: &Sdk, config: Config, sentence: Recording, ctx: SystemContext) -> Self {
        let dynamodb = DynamoDb::new(sdk);
        Self {
            sdk: sdk.clone(),
            handler: Function::new(sdk, config.session_handler),
            tables: ProgressTables::new(&dynamodb, config.streams_table, config.processed_table),
            sentence,
            // On AWS in real time.
            speed: config.time_scale.factor(),
            ctx,
        }
    }
}

impl Deployment for Aws {
    fn sentence(&self) -> (u64, usize) {
        (self.sentence.samples_16k(), self.sentence.fragments(FRAGMENT_MS))
    }

    async fn call(&self, event: &Value) -> Result<Response, PortError> {
        let response = self.handler.call(event).await?;
        serde_json::from_value(response).map_err(|error| malformed("Invoke", &error))
    }

    async fn speak(&self, stream: &str) -> Result<usize, SpeakError> {
        let refused = |source| SpeakError::Refused { stream: stream.to_owned(), source };
        let producer = Producer {
            put_media: PutMedia::of_stream(&self.sdk, stream).await.map_err(refused)?,
            stream: stream.to_owned(),
            pace: Pace { speed: self.speed, fragment_ms: FRAGMENT_MS, whole_fragments: false },
            start_ms: i64::try_from(self.ctx.now_ms()).unwrap_or(i64::MAX),
            rollback: 0,
            tries: TRIES,
        };
        let progress = watch::Sender::new(Spoken::default());
        Ok(producer.speak(&self.sentence, &progress, |_| {}).await?.persisted)
    }

    async fn progress(&self, session: &SessionId) -> Result<Progress, PortError> {
        // In this order: nothing is accepted after the item says that all is delivered.
        let stream = self.tables.stream(session).await?;
        let watermark = self.tables.watermark(session).await?;
        progress(stream.unwrap_or_default(), watermark)
    }
}

/// The part of a checkpoint that states the progress (`relay::checkpoint`).
#[derive(Debug, Default, Deserialize)]
struct Checkpoint {
    next: u64,
    totals: BTreeMap<String, u64>,
}

/// Joins the consumer's progress with the processor's watermark, if it has one.
fn progress(stream: StreamItem, watermark: Option<u64>) -> Result<Progress, PortError> {
    let checkpoint = stream.checkpoint.as_deref().map(serde_json::from_str).transpose();
    let checkpoint: Option<Checkpoint> =
        checkpoint.map_err(|error| malformed("GetItem", &error))?;
    let Checkpoint { next, mut totals } = checkpoint.unwrap_or_default();
    totals.retain(|cause, samples| MISSING.contains(&cause.as_str()) && *samples > 0);
    Ok(Progress { accepted: watermark.unwrap_or(next), ended: stream.ended, missing: totals })
}

fn malformed(operation: &'static str, error: &serde_json::Error) -> PortError {
    PortError::new(operation, ErrorKind::Invalid, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watermark_wins_over_the_checkpoint_whose_gaps_are_counted() {
        assert_eq!(progress(StreamItem::default(), None).unwrap(), Progress::default());
        let text = r#"{"next":9,"chunkMs":500,"totals":{"delivered":9,"gap":2,"paused":0}}"#;
        let stream =
            StreamItem { checkpoint: Some(text.to_owned()), ended: true, ..StreamItem::default() };
        let missing = BTreeMap::from([("gap".to_owned(), 2)]);
        let expected = Progress { accepted: 9, ended: true, missing };
        assert_eq!(progress(stream.clone(), None).unwrap(), expected);
        assert_eq!(progress(stream, Some(7)).unwrap(), Progress { accepted: 7, ..expected });
        let broken = StreamItem { checkpoint: Some("{".to_owned()), ..StreamItem::default() };
        assert!(!progress(broken, None).unwrap_err().is_retryable());
    }
}
