//! The parameters and the result of a run.

use std::time::Duration;

use serde::Serialize;
use session::{SessionId, Settings, StreamArn};

use crate::deadline::HandOver;

/// Parameters of a run.
#[derive(Debug, Clone)]
pub struct RunRequest {
    /// The session.
    pub session_id: SessionId,
    /// Its stream; `None` if unknown.
    pub stream_arn: Option<StreamArn>,
    /// Its languages and tier; `None` if unknown.
    pub settings: Option<Settings>,
    /// The run's unique name.
    pub owner: String,
    /// How long this run may take, by the monotonic clock.
    pub remaining: Duration,
    /// The request of its host to hand over earlier.
    pub hand_over: HandOver,
}

/// The outcome of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Everything in the stream is delivered.
    Ended,
    /// The session is over, and KVS no longer has the undelivered audio.
    GivenUp,
    /// The next invocation continues.
    HandedOff,
    /// Another active run holds the lease; this run did nothing.
    AlreadyRunning,
    /// Another active run holds the lease and will read the stop request.
    Stopping,
    /// Another run took over while this run held the lease.
    Superseded,
}

/// The result of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The session.
    pub session_id: SessionId,
    /// The outcome of the run.
    pub outcome: Outcome,
    /// The epoch of this run, or of the active run.
    pub epoch: u64,
    /// Samples delivered by this run.
    pub delivered_samples: u64,
    /// Position up to which the session is settled; absent if this run did not hold the lease.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_sample: Option<u64>,
}

impl Report {
    /// Returns the report of a run that did not hold the lease.
    pub(crate) fn without_lease(session_id: SessionId, outcome: Outcome, epoch: u64) -> Self {
        tracing::info!(sessionId = %session_id, ?outcome, epoch, "lease not acquired");
        Self { session_id, outcome, epoch, delivered_samples: 0, next_sample: None }
    }
}
