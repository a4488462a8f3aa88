//! The sessions with the state of their delivery, as the page shows them.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::clock::real_now_ms;
use crate::lambda::{Delivery, Outcome, SAMPLES_PER_MS};
use crate::services::Services;
use crate::session_state::{checkpoint, delivered, session_delivery};
use crate::storage_session::DatagramCounts;

/// Returns all sessions, newest first; null if the template has no table Sessions.
pub(super) async fn all(services: &Services) -> Value {
    let Some(mut sessions) = items(services, "Sessions").await else { return Value::Null };
    // A speaker's slots and stored responses are items of the same table, without a status.
    sessions.retain(|session| session["status"].is_string());
    sessions.sort_by_key(|session| std::cmp::Reverse(session["createdAt"].as_i64()));
    let streams = by_session(items(services, "Streams").await);
    let watermarks = by_session(items(services, "Processed").await);
    let media = services.kvs.state();
    let row = |session: &Value| {
        let id = session["sessionId"].as_str().unwrap_or_default();
        let name = session["kvsStreamName"].as_str().unwrap_or_default();
        let stored = media["streams"].as_array().into_iter().flatten();
        let kvs = Media {
            stream: stored.into_iter().find(|stream| stream["name"] == name),
            end_ms: services.kvs.producer_end_ms(name),
            latest: services.lambda.deliveries().latest(id),
            datagrams: session["kvsChannelArn"]
                .as_str()
                .and_then(|channel_arn| services.storage_sessions.datagrams(channel_arn)),
        };
        row(session, streams.get(id), watermarks.get(id), &kvs, real_now_ms())
    };
    sessions.iter().map(row).collect()
}

/// Returns whether the table Sessions has a session.
pub(super) async fn exists(services: &Services, session: &str) -> bool {
    let sessions = items(services, "Sessions").await.unwrap_or_default();
    sessions.iter().any(|item| item["sessionId"] == session)
}

/// The media of a session.
#[derive(Debug, Default)]
struct Media<'a> {
    /// Its stream in `/_local/state`.
    stream: Option<&'a Value>,
    /// The producer's time of the end of what is stored.
    end_ms: Option<i64>,
    /// Its latest delivery, and the latest that was not rejected.
    latest: (Option<Delivery>, Option<Delivery>),
    /// What its speaker sent by WebRTC.
    datagrams: Option<DatagramCounts>,
}

/// Returns one session. `delayMs` is the time from the moment in which the last accepted sample was
/// spoken to the processor's answer; `waitingMs` is the audio that is stored and not yet accepted.
fn row(
    session: &Value,
    stream: Option<&Value>,
    watermark: Option<&Value>,
    media: &Media<'_>,
    now_ms: i64,
) -> Value {
    let (latest, accepted) = &media.latest;
    let accepted_to = accepted.as_ref().map(end_ms);
    let item = |name: &str| stream.map(|stream| stream[name].clone());
    json!({
        "sessionId": session["sessionId"],
        "status": session["status"],
        "endedReason": session["endedReason"],
        "speakerId": session["speakerId"],
        "sourceLanguage": session["sourceLanguage"],
        "targetLanguages": session["targetLanguages"],
        "createdAt": session["createdAt"],
        "desired": item("desired"),
        "delivery": session_delivery(session, stream, media.stream, now_ms),
        "owner": item("owner"),
        "epoch": item("epoch"),
        "leaseExpiresAt": item("leaseExpiresAt"),
        "deliveredSamples": delivered(stream, watermark),
        "checkpointSamples": checkpoint(stream)["next"],
        "stream": media.stream.map(|stream| json!({
            "status": stream["status"],
            "fragments": stream["fragments"],
            "producers": stream["writers"],
            "readers": stream["readers"],
        })),
        "waitingMs": media.end_ms.zip(accepted_to).map(|(stored, to)| (stored - to).max(0)),
        "delayMs": accepted.as_ref().map(delay_ms).filter(|delay| *delay >= 0),
        "lastFailure": latest.as_ref().and_then(failure),
        "datagrams": media.datagrams,
    })
}

/// Returns the producer's time of the end of a delivery.
fn end_ms(delivery: &Delivery) -> i64 {
    let ms = i64::try_from(delivery.sample_count / SAMPLES_PER_MS).unwrap_or(i64::MAX);
    delivery.producer_ms.saturating_add(ms)
}

fn delay_ms(delivery: &Delivery) -> i64 {
    let answered = i64::try_from(delivery.answered_us / 1000).unwrap_or(i64::MAX);
    answered.saturating_sub(end_ms(delivery))
}

fn failure(delivery: &Delivery) -> Option<&str> {
    match &delivery.outcome {
        Outcome::Failed { error } => Some(error),
        Outcome::Accepted { .. } | Outcome::Duplicate { .. } => None,
    }
}

/// Returns the items of the table whose name is `PREFIX-` and the environment.
async fn items(services: &Services, prefix: &str) -> Option<Vec<Value>> {
    let template = services.template();
    let names = template.tables.iter().map(|table| table.name.as_str());
    let named = |name: &&str| name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('-'));
    let table = names.into_iter().find(named)?;
    services.dynamodb.items(table).await.ok()
}

fn by_session(items: Option<Vec<Value>>) -> HashMap<String, Value> {
    let id = |item: &Value| item["sessionId"].as_str().unwrap_or_default().to_owned();
    items.into_iter().flatten().map(|item| (id(&item), item)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivered_at(answered_ms: u64, outcome: Outcome) -> Delivery {
        Delivery {
            start_sample: 0,
            sample_count: 8000,
            filled_samples: 0,
            chunk_count: 1,
            producer_ms: 10_000,
            is_final: false,
            trace: String::new(),
            received_us: 0,
            answered_us: answered_ms * 1000,
            outcome,
        }
    }

    #[test]
    fn a_row_has_the_lease_and_what_waits() {
        let stream = json!({
            "desired": "RUN", "owner": "run-1", "epoch": 2, "leaseExpiresAt": 99,
            "checkpoint": "{\"next\":8000,\"acknowledged\":8000}",
        });
        let accepted = delivered_at(12_500, Outcome::Accepted { next_sample: None });
        let refused = delivered_at(13_000, Outcome::Failed { error: "Unhandled".to_owned() });
        let kvs = json!({"status": "ACTIVE"});
        let media = Media {
            stream: Some(&kvs),
            end_ms: Some(14_000),
            latest: (Some(refused), Some(accepted)),
            ..Media::default()
        };
        let row = row(&json!({"sessionId": "a-b-1"}), Some(&stream), None, &media, 50);
        assert_eq!((&row["delivery"], &row["epoch"]), (&json!("running"), &json!(2)));
        assert_eq!((&row["delayMs"], &row["waitingMs"]), (&json!(2000), &json!(3500)));
        assert_eq!(row["lastFailure"], "Unhandled");
        assert_eq!(
            (&row["deliveredSamples"], &row["checkpointSamples"]),
            (&json!(8000), &json!(8000))
        );
    }

    #[test]
    fn a_session_without_media_has_no_figures() {
        let row = row(&json!({"sessionId": "a-b-1"}), None, None, &Media::default(), 0);
        for name in ["delayMs", "waitingMs", "lastFailure", "stream", "epoch", "datagrams"] {
            assert_eq!(row[name], Value::Null, "{name}");
        }
        assert_eq!(row["delivery"], "no stream");
    }
}
