//! Writes and reads the details of `Session Status Change`, for a check against
//! `events/session-status-change.schema.json` (`tests/events/status_change.py`).
//!
//!     status_change emit 500      500 details that sessions emit, one a line
//!     status_change read          for each line's detail: as read and written again, or the error

use std::{error::Error, io};

use proptest::{
    option, prelude::*, sample::subsequence, strategy::ValueTree, string, test_runner::TestRunner,
};
use serde_json::{Value, json};
use session::{
    Language, QualityTier, Session, SessionStatus,
    event::{EventStatus, StatusChange},
};

const PART: &str = "[A-Za-z0-9_.-]{1,256}";

fn arn(kind: &str) -> Result<impl Strategy<Value = String>, Box<dyn Error>> {
    let pattern =
        format!("arn:{PART}:kinesisvideo:{PART}:[0-9]{{1,20}}:{kind}/{PART}/[0-9]{{1,20}}");
    Ok(string::string_regex(&pattern)?)
}

/// The item of any session that has a channel.
fn any_session() -> Result<impl Strategy<Value = Value>, Box<dyn Error>> {
    let languages = Language::ALL.to_vec();
    let drawn = (
        "[a-z]{1,20}-[a-z]{1,20}-[0-9]{1,20}",
        "[^\\p{C}]{1,255}",
        0..languages.len(),
        subsequence(languages.clone(), 0..=languages.len()).prop_shuffle(),
        prop_oneof![Just(QualityTier::Standard), Just(QualityTier::Premium)],
        arn("channel")?,
        option::of(arn("stream")?),
    );
    Ok(drawn.prop_map(move |(id, speaker, source, targets, tier, channel, stream)| {
        json!({
            "sessionId": id, "speakerId": speaker, "env": "dev", "listenerCount": 0,
            "sourceLanguage": languages[source], "targetLanguages": targets,
            "qualityTier": tier, "status": SessionStatus::Active,
            "createdAt": 0, "updatedAt": 0, "expiresAt": 0,
            "kvsChannelArn": channel, "kvsChannelName": format!("session-{id}"),
            "kvsStreamArn": stream, "kvsStreamName": format!("session-{id}"),
        })
    }))
}

/// The details that a session emits in its life.
fn emit(count: usize) -> Result<(), Box<dyn Error>> {
    // Always the same ones.
    let mut runner = TestRunner::deterministic();
    let drawn = (any_session()?, any::<bool>(), any::<u64>(), "[0-9a-f]{8}-[0-9a-f]{4}");
    for _ in 0..count {
        let (item, active, now, event_id) =
            drawn.new_tree(&mut runner).map_err(|reason| reason.to_string())?.current();
        let session: Session = serde_json::from_value(item)?;
        let status = if active { EventStatus::Active } else { EventStatus::Ended };
        let change = session.status_change(status, now, event_id).ok_or("a channel is there")?;
        println!("{}", change.to_detail());
    }
    Ok(())
}

/// One verdict for each line.
fn read() -> Result<(), Box<dyn Error>> {
    for line in io::stdin().lines() {
        let verdict = match StatusChange::from_detail(&serde_json::from_str(&line?)?) {
            Ok(change) => json!({ "read": change.to_detail() }),
            Err(error) => json!({ "refused": error.to_string() }),
        };
        println!("{verdict}");
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["emit", count] => emit(count.parse()?),
        ["read"] => read(),
        _ => Err("usage: status_change emit COUNT | read".into()),
    }
}
