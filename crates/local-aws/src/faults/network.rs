//! Faults of the network between the clients of signaling channels and the service. They do not
//! apply to a number of calls, but for a time:
//!
//! - `ClientNetwork`, `outage`: media datagrams are lost in both directions; signaling messages,
//!   connects and calls of the channel wait, as TCP does. It ends after `delayMs`, or, if that is
//!   0, when the fault is removed.
//! - `ClientAudio`, `loss`: `extra.dropPercent` of 100 received audio datagrams are lost, until the
//!   fault is removed.
//!
//! The target is the ARN of a channel, of which a session's name is part.

use std::time::Instant;

use super::{Fault, FaultKind, Faults, Pending};

const SERVICE: &str = "kinesisvideo";
const CLIENT_NETWORK: &str = "ClientNetwork";
const CLIENT_AUDIO: &str = "ClientAudio";

/// The operations that only faults of the network name.
pub(crate) const OPERATIONS: [&str; 2] = [CLIENT_NETWORK, CLIENT_AUDIO];

/// Checks the rules that apply to faults of the network only.
///
/// # Errors
/// The field that breaks a rule, and the rule.
pub(super) fn check(fault: &Fault) -> Result<(), &'static str> {
    let is_of_network = match (fault.operation.as_deref(), fault.kind) {
        (Some(CLIENT_NETWORK), FaultKind::Outage) | (Some(CLIENT_AUDIO), FaultKind::Loss) => true,
        (Some(CLIENT_NETWORK), _) => return Err("kind: ClientNetwork takes \"outage\" only"),
        (Some(CLIENT_AUDIO), _) => return Err("kind: ClientAudio takes \"loss\" only"),
        (_, FaultKind::Outage) => return Err("operation: \"outage\" needs ClientNetwork"),
        (_, FaultKind::Loss) => return Err("operation: \"loss\" needs ClientAudio"),
        _ => false,
    };
    if is_of_network && (fault.times, fault.skip) != (1, 0) {
        return Err("times, skip: a fault of the network counts no calls");
    }
    match fault.kind {
        FaultKind::Outage if !fault.extra.is_null() => Err("extra: \"outage\" has no settings"),
        FaultKind::Loss if fault.delay_ms > 0 => Err("delayMs: \"loss\" lasts until it is removed"),
        FaultKind::Loss if drop_percent(fault).is_none() => {
            Err("extra: \"loss\" needs {\"dropPercent\": N} with a whole number N from 1 to 100")
        }
        _ => Ok(()),
    }
}

/// Returns when a fault that was added now ends by itself.
pub(super) fn end(fault: &Fault, now: Instant) -> Option<Instant> {
    let ends = fault.kind == FaultKind::Outage && fault.delay_ms > 0;
    ends.then(|| now + fault.delay())
}

/// Returns the share of a fault of kind `loss`; `None` if `extra` has another form.
fn drop_percent(fault: &Fault) -> Option<u64> {
    let members = fault.extra.as_object().filter(|members| members.len() == 1)?;
    members.get("dropPercent")?.as_u64().filter(|percent| (1..=100).contains(percent))
}

impl Faults {
    /// Returns whether nothing passes between the clients of a channel and the service.
    pub(crate) fn is_cut_off(&self, channel_arn: &str) -> bool {
        self.with(CLIENT_NETWORK, channel_arn, |_| ()).is_some()
    }

    /// Waits until the clients of a channel can reach the service.
    pub(crate) async fn reachable(&self, channel_arn: &str) {
        let mut changes = self.changes.subscribe();
        while let Some(until) = self.with(CLIENT_NETWORK, channel_arn, |pending| pending.until) {
            let end = async {
                match until {
                    Some(until) => tokio::time::sleep_until(until.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = changes.changed() => {}
                () = end => {}
            }
        }
    }

    /// Returns how many of 100 audio datagrams of a channel's clients are lost.
    pub(crate) fn lost_percent(&self, channel_arn: &str) -> u64 {
        let lost = self.with(CLIENT_AUDIO, channel_arn, |pending| drop_percent(&pending.fault));
        lost.flatten().unwrap_or_default()
    }

    /// Returns what `read` returns for the latest fault of an operation on a channel.
    fn with<T>(
        &self,
        operation: &str,
        channel_arn: &str,
        read: impl Fn(&Pending) -> T,
    ) -> Option<T> {
        let pending = self.pending();
        let found = pending.iter().rev().find(|pending| {
            pending.fault.operation.is_some()
                && pending.fault.matches(SERVICE, operation, channel_arn)
        });
        found.map(read)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;

    const CHANNEL: &str = "arn:aws:kinesisvideo:us-east-1:000000000000:channel/session-a-1/1";

    fn faults() -> Faults {
        Faults::default().with_operations(SERVICE, OPERATIONS)
    }

    fn fault(more: &Value) -> Fault {
        let mut json = json!({ "service": SERVICE });
        json.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(json).unwrap()
    }

    fn outage(delay_ms: u64) -> Fault {
        let target = "session-a-1";
        fault(
            &json!({ "operation": CLIENT_NETWORK, "target": target, "kind": "outage", "delayMs": delay_ms }),
        )
    }

    #[tokio::test]
    async fn an_outage_ends_by_itself_or_when_it_is_removed() {
        let faults = faults();
        faults.reachable(CHANNEL).await;
        faults.add(outage(200)).unwrap();
        assert!(faults.is_cut_off(CHANNEL) && !faults.is_cut_off("channel/other/1"));
        faults.take(SERVICE, "JoinStorageSession", CHANNEL);
        assert!(faults.is_cut_off(CHANNEL), "calls do not use it up");
        assert_eq!(faults.list().len(), 1);
        let added = Instant::now();
        faults.reachable(CHANNEL).await;
        assert!(added.elapsed() > Duration::from_millis(100), "{:?}", added.elapsed());
        assert!(!faults.is_cut_off(CHANNEL) && faults.list().is_empty());

        faults.add(outage(0)).unwrap();
        let waiting = faults.clone();
        let mut reached = tokio::spawn(async move { waiting.reachable(CHANNEL).await });
        let within = tokio::time::timeout(Duration::from_millis(50), &mut reached);
        assert!(within.await.is_err());
        faults.clear();
        reached.await.unwrap();
    }

    #[test]
    fn the_latest_loss_of_a_channel_counts() {
        let faults = faults();
        assert_eq!(faults.lost_percent(CHANNEL), 0);
        for percent in [5, 100] {
            let json = json!({ "operation": CLIENT_AUDIO, "kind": "loss", "extra": { "dropPercent": percent } });
            faults.add(fault(&json)).unwrap();
            assert_eq!(faults.lost_percent(CHANNEL), percent);
        }
        assert!(!faults.is_cut_off(CHANNEL));
    }

    #[test]
    fn a_setting_without_effect_is_refused_by_name() {
        let loss =
            |extra: Value| json!({ "operation": CLIENT_AUDIO, "kind": "loss", "extra": extra });
        for (wrong, field) in [
            (json!({ "operation": CLIENT_NETWORK, "kind": "delay" }), "kind:"),
            (json!({ "operation": CLIENT_AUDIO, "kind": "outage" }), "kind:"),
            (json!({ "kind": "outage" }), "operation:"),
            (json!({ "operation": "ClientNetwork", "kind": "outage", "times": 2 }), "times,"),
            (json!({ "operation": CLIENT_NETWORK, "kind": "outage", "extra": {} }), "extra:"),
            (json!({ "operation": CLIENT_AUDIO, "kind": "loss" }), "extra:"),
            (loss(json!({ "dropPercent": 0 })), "extra:"),
            (loss(json!({ "dropPercent": 101 })), "extra:"),
            (loss(json!({ "dropPercent": 2.5 })), "extra:"),
            (loss(json!({ "dropPercent": 5, "of": 100 })), "extra:"),
        ] {
            let refusal = faults().add(fault(&wrong)).unwrap_err().to_string();
            assert!(refusal.starts_with(field), "{wrong}: {refusal}");
        }
    }
}
