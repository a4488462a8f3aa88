//! Archives keep the events of a bus; a replay sends them to its rules again, oldest first.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use super::Events;
use super::pattern::Pattern;
use crate::aws_error::AwsError;
use crate::template::Archive;

/// How many events an archive holds on this machine; the oldest go first.
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

    fn between(&self, start: i64, end: i64) -> Vec<Value> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.iter().filter(|(at, _)| (start..end).contains(at));
        found.map(|(_, event)| event.clone()).collect()
    }
}

/// A replay.
#[derive(Debug, Clone)]
pub(super) struct Replay {
    name: String,
    arn: String,
    archive: String,
    destination: Value,
    times: (f64, f64),
    state: &'static str,
    started: i64,
    ended: Option<i64>,
}

impl Replay {
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

impl Events {
    pub(super) fn start_replay(self: &Arc<Self>, request: &Value) -> Result<Value, AwsError> {
        let invalid = |message: &str| AwsError::bad_request("ValidationException", message);
        let name = request["ReplayName"].as_str().unwrap_or_default().to_owned();
        if name.is_empty() || name.len() > 64 {
            return Err(invalid("ReplayName must have 1 to 64 characters."));
        }
        let source = request["EventSourceArn"].as_str().unwrap_or_default();
        let found = self.archives.iter().find(|it| it.archive.arn == source);
        let archive = found.ok_or_else(|| {
            let message = format!("Archive {source} does not exist.");
            AwsError::bad_request("ResourceNotFoundException", message)
        })?;
        if request["Destination"]["Arn"].as_str() != Some(archive.archive.source_arn.as_str()) {
            return Err(invalid("A replay goes to the bus that its archive keeps."));
        }
        let time = |field: &str| {
            request[field].as_f64().ok_or_else(|| invalid(&format!("{field} is required.")))
        };
        let (start, end) = (time("EventStartTime")?, time("EventEndTime")?);
        if start >= end {
            return Err(invalid("EventStartTime must be before EventEndTime."));
        }
        let now = self.clock.now_ms();
        let replay = Replay {
            arn: self.account.arn("events", &format!("replay/{name}")),
            name: name.clone(),
            archive: source.to_owned(),
            destination: request["Destination"].clone(),
            times: (start, end),
            state: "STARTING",
            started: now,
            ended: None,
        };
        let mut replays = self.replays();
        if replays.iter().any(|other| other.name == name) {
            let message = format!("Replay {name} already exists.");
            return Err(AwsError::bad_request("ResourceAlreadyExistsException", message));
        }
        let answer = json!({
            "ReplayArn": replay.arn, "State": "STARTING", "ReplayStartTime": now as f64 / 1000.0,
        });
        replays.push(replay);
        drop(replays);
        let kept = archive.between((start * 1000.0) as i64, (end * 1000.0).ceil() as i64);
        let filter = request["Destination"]["FilterArns"].as_array().map(|arns| {
            arns.iter().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>()
        });
        tokio::spawn(replay_all(Arc::clone(self), name, kept, filter));
        Ok(answer)
    }

    pub(super) fn describe_replay(&self, request: &Value) -> Result<Value, AwsError> {
        let name = request["ReplayName"].as_str().unwrap_or_default();
        let replays = self.replays();
        replays.iter().find(|replay| replay.name == name).map(Replay::show).ok_or_else(|| {
            let message = format!("Replay {name} does not exist.");
            AwsError::bad_request("ResourceNotFoundException", message)
        })
    }

    fn set_replay(&self, name: &str, state: &'static str) {
        let now = self.clock.now_ms();
        if let Some(replay) = self.replays().iter_mut().find(|replay| replay.name == name) {
            replay.state = state;
            replay.ended = (state == "COMPLETED").then_some(now);
        }
    }
}

async fn replay_all(
    events: Arc<Events>,
    name: String,
    kept: Vec<Value>,
    filter: Option<Vec<String>>,
) {
    events.set_replay(&name, "RUNNING");
    for mut event in kept {
        while !events.has_room() {
            tokio::select! {
                () = events.clock.sleep(std::time::Duration::from_secs(1)) => {}
                () = events.stop.cancelled() => return,
            }
        }
        // What a target can tell a replayed event by.
        event["replay-name"] = name.clone().into();
        events.publish(&event, None, filter.as_deref());
    }
    events.set_replay(&name, "COMPLETED");
}
