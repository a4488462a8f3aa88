//! PutEvents.

use serde_json::{Value, json};

use super::entry::{envelope, size};
use super::service::Events;
use crate::aws_error::AwsError;
use crate::faults::Fault;

/// The largest total size of the entries of a call, in bytes.
const MAX_ENTRIES_SIZE: usize = 1024 * 1024;

impl Events {
    /// PutEvents. Each entry succeeds or fails on its own, inside a successful answer. `trace` is
    /// the call's header, for entries without a TraceHeader; `fault` applies to one entry.
    pub(super) fn put_events(
        &self,
        request: &Value,
        trace: Option<String>,
        fault: Option<&Fault>,
    ) -> Result<Value, AwsError> {
        let entries = request["Entries"].as_array().map(Vec::as_slice).unwrap_or_default();
        let refuse = |reason: &str| {
            let message = format!(
                "1 validation error detected: Value at 'entries' failed to satisfy constraint: {reason}"
            );
            AwsError::bad_request("ValidationException", message)
        };
        match entries.len() {
            0 => return Err(refuse("Member must have length greater than or equal to 1")),
            1..=10 => {}
            _ => return Err(refuse("Member must have length less than or equal to 10")),
        }
        if entries.iter().map(size).sum::<usize>() > MAX_ENTRIES_SIZE {
            let message = "Total size of the entries in the request is over the limit.";
            return Err(AwsError::bad_request("ValidationException", message));
        }
        let failing = fault.map(|fault| (fault.extra["entry"].as_u64().unwrap_or(0), fault));
        let mut failed = 0;
        let mut answers = Vec::new();
        for (index, entry) in (0..).zip(entries) {
            let taken = match failing {
                Some((at, fault)) if at == index => {
                    let error = fault.error();
                    Err((error.code.into_owned(), error.message))
                }
                _ => self.take(entry, trace.as_deref()),
            };
            answers.push(match taken {
                Ok(id) => json!({"EventId": id}),
                Err((code, message)) => {
                    failed += 1;
                    json!({"ErrorCode": code, "ErrorMessage": message})
                }
            });
        }
        Ok(json!({"FailedEntryCount": failed, "Entries": answers}))
    }

    /// Archives one entry and sends it to the rules.
    fn take(&self, entry: &Value, trace: Option<&str>) -> Result<String, (String, String)> {
        if !self.targets.has_room() {
            return Err(("ThrottlingException".to_owned(), "Rate exceeded".to_owned()));
        }
        let (id, event) = envelope(entry, &self.account, self.targets.clock.now_ms())?;
        for archive in &self.archives {
            archive.keep(&event, self.targets.clock.now_ms());
        }
        let trace = entry["TraceHeader"].as_str().or(trace);
        self.publish(&event, trace, None);
        Ok(id)
    }
}
