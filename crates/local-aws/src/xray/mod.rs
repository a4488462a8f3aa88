//! X-Ray: receives segment documents, and returns traces.
//!
//! Lambda puts its own segments (`lambda::segments`). A function sends subsegments by UDP to its
//! daemon (`daemon`), and any client calls PutTraceSegments (`api`). `document` refuses what X-Ray
//! refuses, `traces` keeps the documents of a bounded number of traces, `compiled` joins the
//! documents of one trace into whole segments, and `summary` and `filter` find traces.
//!
//! Every trace of a function with `Tracing: Active` is sampled; X-Ray's default rule samples the
//! first request of each second and 5 % of the others. Times are those of the real clock, as the
//! functions' are. Not emulated: inferred segments of services that send none (a call of DynamoDB
//! is only the caller's subsegment), sampling rules, groups, insights and the service graph.

mod api;
mod compiled;
mod daemon;
mod document;
mod filter;
mod summary;
mod traces;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use document::Unprocessed;
use sam_template::Account;
use traces::Traces;

pub use daemon::Daemons;
pub(crate) use document::new_id;

/// The service.
#[derive(Debug, Default)]
pub struct XRay {
    account: Account,
    traces: Mutex<Traces>,
}

impl XRay {
    /// Creates the service without traces.
    pub fn new(account: Account) -> Arc<Self> {
        Arc::new(Self { account, traces: Mutex::default() })
    }

    /// Keeps a document.
    ///
    /// # Errors
    /// X-Ray would not process it.
    fn put(&self, text: &str) -> Result<(), Unprocessed> {
        let document = document::read(text)?;
        self.traces().put(document);
        Ok(())
    }

    /// Keeps a document of the Lambda service.
    pub(crate) fn put_own(&self, document: &Value) {
        if let Err(unprocessed) = self.put(&document.to_string()) {
            tracing::warn!("Lambda's own segment: {unprocessed}");
        }
    }

    /// Returns the service's part of `/_local/state`.
    pub fn state(&self) -> Value {
        let traces = self.traces();
        json!({ "traces": traces.len(), "bytes": traces.bytes() })
    }

    fn traces(&self) -> MutexGuard<'_, Traces> {
        self.traces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
