//! Faults on demand: `/_local/faults` (POST adds one, GET lists, DELETE clears).
//!
//! A fault matches calls by service, operation and target. It skips the first `skip` matching calls
//! and applies to the next `times`. Services call [`Faults::take`], or [`Faults::gate`], which also
//! applies errors and delays, once for each call. Faults of the network of clients apply for a
//! time instead.

mod fault;
pub(crate) mod network;

pub use fault::{Fault, FaultError, FaultFilter, FaultKind};

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::watch;

use crate::aws_error::AwsError;

/// The most faults that may be pending.
pub const MAX_FAULTS: usize = 256;

/// The operations that a fault may name, by the service's signing name.
type Operations = BTreeMap<&'static str, Vec<String>>;

/// The pending faults. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    pending: Arc<Mutex<Vec<Pending>>>,
    operations: Arc<Operations>,
    /// Counts additions and removals, so that tasks can wait for the next one.
    changes: Arc<watch::Sender<u64>>,
}

/// A pending fault.
#[derive(Debug)]
struct Pending {
    fault: Fault,
    /// When it ends by itself.
    until: Option<Instant>,
}

impl Faults {
    /// Adds operations of `service` to those that a fault may name. [`Faults::add`] rejects a fault
    /// that names any other: no call could ever match it.
    #[must_use]
    pub fn with_operations(
        mut self,
        service: &'static str,
        operations: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        let known = Arc::make_mut(&mut self.operations).entry(service).or_default();
        known.extend(operations.into_iter().map(Into::into));
        self
    }

    /// Returns the fault that applies to this call, if any, and counts the call for those that
    /// match.
    pub fn take(&self, service: &str, operation: &str, target: &str) -> Option<Fault> {
        let mut pending = self.pending();
        let mut applied = None;
        let faults = pending.iter_mut().map(|pending| &mut pending.fault);
        for fault in faults.filter(|fault| fault.matches(service, operation, target)) {
            if fault.skip > 0 {
                fault.skip -= 1;
            } else if fault.times > 0 {
                fault.times -= 1;
                applied = Some(fault.clone());
                break;
            }
        }
        pending.retain(|pending| pending.fault.times > 0);
        applied
    }

    /// Like [`Faults::take`], but applies errors and delays. Returns a fault of any other kind,
    /// which the service applies.
    ///
    /// # Errors
    /// The fault's error.
    pub async fn gate(
        &self,
        service: &str,
        operation: &str,
        target: &str,
    ) -> Result<Option<Fault>, AwsError> {
        match self.take(service, operation, target) {
            Some(fault) if fault.kind == FaultKind::Error => Err(fault.error()),
            Some(fault) if fault.kind == FaultKind::Delay => {
                tokio::time::sleep(fault.delay()).await;
                Ok(None)
            }
            other => Ok(other),
        }
    }

    /// Adds a fault.
    ///
    /// # Errors
    /// [`FaultError`] when a field is out of range, no call could match, or too many faults are
    /// pending.
    pub fn add(&self, fault: Fault) -> Result<(), FaultError> {
        fault.check(&self.operations)?;
        let mut pending = self.pending();
        if pending.len() >= MAX_FAULTS {
            return Err(FaultError::TooMany);
        }
        let until = network::end(&fault, Instant::now());
        pending.push(Pending { fault, until });
        drop(pending);
        self.changed();
        Ok(())
    }

    /// Returns the pending faults, oldest first.
    pub fn list(&self) -> Vec<Fault> {
        self.pending().iter().map(|pending| pending.fault.clone()).collect()
    }

    /// Removes all pending faults.
    pub fn clear(&self) {
        self.remove(&FaultFilter::default());
    }

    /// Removes the pending faults that `which` selects.
    pub fn remove(&self, which: &FaultFilter) {
        self.pending().retain(|pending| !which.selects(&pending.fault));
        self.changed();
    }

    /// Returns the faults that have not ended by themselves.
    fn pending(&self) -> MutexGuard<'_, Vec<Pending>> {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        pending.retain(|pending| pending.until.is_none_or(|until| until > now));
        pending
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use serde_json::Value;

    use super::*;

    fn faults() -> Faults {
        Faults::default()
            .with_operations("events", ["PutEvents", "ListRules"])
            .with_operations("lambda", ["Invoke"])
            .with_operations("sqs", ["SendMessage"])
    }

    fn fault(json: Value) -> Fault {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_fault_skips_calls_applies_and_is_gone() {
        let faults = faults();
        let json = serde_json::json!({
            "service": "events", "operation": "PutEvents", "skip": 1, "times": 2, "status": 503
        });
        faults.add(fault(json)).unwrap();
        assert_eq!(faults.take("events", "ListRules", "default"), None);
        assert_eq!(faults.take("events", "PutEvents", "default"), None);
        for _ in 0..2 {
            let applied = faults.take("events", "PutEvents", "default").unwrap();
            assert_eq!(applied.error().status, StatusCode::SERVICE_UNAVAILABLE);
        }
        assert_eq!(faults.take("events", "PutEvents", "default"), None);
        assert!(faults.list().is_empty());
    }

    #[test]
    fn a_target_is_matched_by_a_part_of_its_name() {
        let faults = faults();
        faults.add(fault(serde_json::json!({"service": "lambda", "target": "audio"}))).unwrap();
        assert!(faults.take("lambda", "Invoke", "kvs-stream-consumer-dev").is_none());
        assert!(faults.take("lambda", "Invoke", "audio-processor-dev").is_some());
    }

    #[test]
    fn faults_are_removed_by_their_fields() {
        let faults = faults();
        for operation in ["PutEvents", "ListRules"] {
            let json = serde_json::json!({"service": "events", "operation": operation});
            faults.add(fault(json)).unwrap();
        }
        let other = Some("Elsewhere".to_owned());
        faults.remove(&FaultFilter { operation: other, ..FaultFilter::default() });
        assert_eq!(faults.list().len(), 2);
        let operation = Some("PutEvents".to_owned());
        faults.remove(&FaultFilter { operation, ..FaultFilter::default() });
        assert_eq!(faults.list()[0].operation.as_deref(), Some("ListRules"));
        let kind = Some(FaultKind::Delay);
        faults.remove(&FaultFilter { kind, ..FaultFilter::default() });
        assert_eq!(faults.list().len(), 1, "it is of another kind");
        faults.remove(&FaultFilter::default());
        assert!(faults.list().is_empty());
    }

    #[test]
    fn a_wrong_field_is_refused_by_name() {
        let faults = faults();
        let error = faults.add(fault(serde_json::json!({"service": "ec2"}))).unwrap_err();
        assert!(error.to_string().starts_with("service:"));
        let json = serde_json::json!({"service": "sqs", "status": 200});
        assert!(faults.add(fault(json)).unwrap_err().to_string().starts_with("status:"));
        let json = serde_json::json!({"service": "sqs", "times": 0});
        assert!(faults.add(fault(json)).unwrap_err().to_string().starts_with("times:"));
        let extra = serde_json::json!({"functionError": true});
        let json = serde_json::json!({"service": "lambda", "kind": "answer", "extra": extra});
        let error = faults.add(fault(json)).unwrap_err().to_string();
        assert!(error.starts_with("extra.functionError: true"), "{error}");
        assert!(faults.list().is_empty());
    }
}
