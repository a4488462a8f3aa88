//! Replays: the archived events of a time range, sent to the rules again, oldest first.

use std::sync::Arc;

use serde_json::{Value, json};

use super::archive::Replay;
use super::service::Events;
use crate::aws_error::AwsError;

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
        let now = self.targets.clock.now_ms();
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
        let now = self.targets.clock.now_ms();
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
        while !events.targets.has_room() {
            tokio::select! {
                () = events.targets.clock.sleep(std::time::Duration::from_secs(1)) => {}
                () = events.targets.stop.cancelled() => return,
            }
        }
        // Marks a replayed event for its targets.
        event["replay-name"] = name.clone().into();
        events.publish(&event, None, filter.as_deref());
    }
    events.set_replay(&name, "COMPLETED");
}
