//! Archives store the events of a bus; a replay sends them to its rules again, oldest first.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use super::pattern::Pattern;
use sam_template::Archive;

/// The most events that an archive holds; the oldest are dropped first.
const MAX_KEPT: usize = 100_000;
const DAY_MS: i64 = 86_400_000;

#[derive(Debug)]
pub(super) struct ArchiveState {
    pub(super) archive: Archive,
    pattern: Option<Pattern>,
    created: i64,
    kept: Mutex<VecDeque<(i64, Value)>>,
    bytes: AtomicUsize,
}

impl ArchiveState {
    pub(super) fn new(archive: &Archive, now: i64) -> Result<Self, String> {
        let pattern = archive.pattern.as_ref().map(Pattern::new).transpose();
        let pattern = pattern.map_err(|reason| format!("archive {}: {reason}", archive.name))?;
        Ok(Self {
            archive: archive.clone(),
            pattern,
            created: now,
            kept: Mutex::default(),
            bytes: AtomicUsize::default(),
        })
    }

    pub(super) fn keep(&self, event: &Value, now: i64) {
        let text = event.to_string();
        if self.pattern.as_ref().is_some_and(|pattern| !pattern.matches(text.as_bytes())) {
            return;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = match self.archive.retention_days {
            0 => i64::MIN,
            days => now - i64::from(days) * DAY_MS,
        };
        while kept.front().is_some_and(|(at, _)| *at < oldest) || kept.len() >= MAX_KEPT {
            kept.pop_front();
        }
        self.bytes.fetch_add(text.len(), Ordering::Relaxed);
        kept.push_back((now, event.clone()));
    }

    pub(super) fn count(&self) -> usize {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    pub(super) fn show(&self) -> Value {
        let archive = &self.archive;
        json!({
            "ArchiveName": archive.name, "ArchiveArn": archive.arn, "State": "ENABLED",
            "EventSourceArn": archive.source_arn, "RetentionDays": archive.retention_days,
            "Description": archive.description,
            "EventPattern": archive.pattern.as_ref().map(Value::to_string),
            "EventCount": self.count(), "SizeBytes": self.bytes.load(Ordering::Relaxed),
            "CreationTime": self.created as f64 / 1000.0,
        })
    }

    pub(super) fn between(&self, start: i64, end: i64) -> Vec<Value> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.iter().filter(|(at, _)| (start..end).contains(at));
        found.map(|(_, event)| event.clone()).collect()
    }
}

/// A replay.
#[derive(Debug, Clone)]
pub(super) struct Replay {
    pub(super) name: String,
    pub(super) arn: String,
    pub(super) archive: String,
    pub(super) destination: Value,
    pub(super) times: (f64, f64),
    pub(super) state: &'static str,
    pub(super) started: i64,
    pub(super) ended: Option<i64>,
}

impl Replay {
    /// Returns whether ListReplays lists it: NamePrefix, State and EventSourceArn each select.
    pub(super) fn is_listed(&self, request: &Value) -> bool {
        let selects = |name: &str, selected: &dyn Fn(&str) -> bool| {
            request[name].as_str().is_none_or(selected)
        };
        selects("NamePrefix", &|prefix| self.name.starts_with(prefix))
            && selects("State", &|state| self.state == state)
            && selects("EventSourceArn", &|arn| self.archive == arn)
    }

    pub(super) fn show(&self) -> Value {
        json!({
            "ReplayName": self.name, "ReplayArn": self.arn, "State": self.state,
            "EventSourceArn": self.archive, "Destination": self.destination,
            "EventStartTime": self.times.0, "EventEndTime": self.times.1,
            "ReplayStartTime": self.started as f64 / 1000.0,
            "ReplayEndTime": self.ended.map(|at| at as f64 / 1000.0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replays_are_listed_by_name_state_and_archive() {
        let replay = Replay {
            name: "after-the-fix".into(),
            arn: "arn:r".into(),
            archive: "arn:a".into(),
            destination: Value::Null,
            times: (0.0, 1.0),
            state: "COMPLETED",
            started: 0,
            ended: None,
        };
        for (request, listed) in [
            (json!({}), true),
            (json!({"NamePrefix": "after"}), true),
            (json!({"NamePrefix": "fix"}), false),
            (json!({"State": "COMPLETED", "EventSourceArn": "arn:a"}), true),
            (json!({"State": "RUNNING"}), false),
            (json!({"EventSourceArn": "arn:b"}), false),
        ] {
            assert_eq!(replay.is_listed(&request), listed, "{request}");
        }
    }
}
