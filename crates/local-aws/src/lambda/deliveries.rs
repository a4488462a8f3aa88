//! The invocations of the audio processor: each payload, and the answer. A run's report is computed
//! from these records, not from the functions' own counters.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

use crate::recogniser::Recogniser;

/// The most sessions that are recorded; the one whose last delivery is the oldest is dropped first.
const SESSIONS: usize = 1_024;
/// Maximum number of deliveries that are recorded per session: a day and a half of half-second
/// chunks.
const DELIVERIES: usize = 262_144;

/// Largest position of a sample: integers above it are not exact in JSON.
const MAX_POSITION: u64 = 1 << 53;
/// Largest count in one payload, which Lambda limits to 6 MB.
const MAX_COUNT: u64 = 6 * 1024 * 1024;

/// Samples in a millisecond of delivered audio.
pub const SAMPLES_PER_MS: u64 = 16;

/// One chunk, or batch of adjacent chunks, that was offered to the processor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Position of its first sample.
    pub start_sample: u64,
    /// Number of samples.
    pub sample_count: u64,
    /// Samples among them that fill gaps.
    pub filled_samples: u64,
    /// Number of chunks.
    pub chunk_count: u64,
    /// The producer's time of its first sample, ms since the epoch.
    pub producer_ms: i64,
    /// Whether it ends the session.
    pub is_final: bool,
    /// Root of the trace that its invocation belonged to.
    pub trace: String,
    /// When its invocation was received whole: real microseconds since the epoch.
    pub received_us: u64,
    /// When it was answered: real microseconds since the epoch.
    pub answered_us: u64,
    /// The processor's answer to it.
    pub outcome: Outcome,
}

/// The outcome of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Accepted, all of it.
    Accepted {
        /// The answer's nextSample; absent if the answer does not contain it.
        next_sample: Option<u64>,
    },
    /// The processor had already accepted all of it.
    Duplicate {
        /// The answer's nextSample.
        next_sample: Option<u64>,
    },
    /// The invocation failed, or the processor did not accept the end of the payload.
    Failed {
        /// Lambda's errorType, the API's error code, or what is wrong with the answer.
        error: String,
    },
}

/// The part of an audio payload that is counted (docs/processor.md describes the members).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Offered {
    action: String,
    session_id: String,
    start_sample: u64,
    sample_count: u64,
    #[serde(default)]
    filled_samples: u64,
    #[serde(default = "one")]
    chunk_count: u64,
    #[serde(default)]
    producer_timestamp: i64,
    #[serde(default, rename = "final")]
    is_final: bool,
}

impl Offered {
    /// Returns whether its numbers are those of a chunk, so that sums of them do not overflow.
    fn is_plausible(&self) -> bool {
        let counts = [self.sample_count, self.filled_samples, self.chunk_count];
        self.start_sample <= MAX_POSITION && counts.iter().all(|count| *count <= MAX_COUNT)
    }
}

fn one() -> u64 {
    1
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Answered {
    accepted: Value,
    duplicate: Value,
    next_sample: Value,
    status_code: Option<u64>,
    error_type: Option<String>,
}

/// The deliveries of all sessions. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Deliveries {
    sessions: Arc<Mutex<Sessions>>,
    recogniser: Option<Recogniser>,
}

#[derive(Debug, Default)]
struct Sessions {
    by_id: BTreeMap<String, VecDeque<Delivery>>,
}

impl Deliveries {
    /// Creates an empty record. The recogniser gets the audio that is accepted.
    pub(super) fn new(recogniser: Option<Recogniser>) -> Self {
        Self { sessions: Arc::default(), recogniser }
    }

    /// Records one invocation. Ignores payloads that are not audio, and positions and counts that
    /// no chunk can have.
    ///
    /// `trace` is the root of its trace, `answer` the body that the function answered with, or why
    /// it was not run; `failed` is whether the answer is a function error.
    pub fn record(
        &self,
        payload: &Bytes,
        trace: &str,
        answer: Result<&[u8], &str>,
        failed: bool,
        received_us: u64,
        answered_us: u64,
    ) {
        let Ok(offered) = serde_json::from_slice::<Offered>(payload) else { return };
        if offered.action != "process" || !offered.is_plausible() {
            return;
        }
        let delivery = Delivery {
            start_sample: offered.start_sample,
            sample_count: offered.sample_count,
            filled_samples: offered.filled_samples,
            chunk_count: offered.chunk_count,
            producer_ms: offered.producer_timestamp,
            is_final: offered.is_final,
            trace: trace.to_owned(),
            received_us,
            answered_us,
            outcome: outcome(answer, failed, offered.start_sample + offered.sample_count),
        };
        if let Some(recogniser) = &self.recogniser {
            recogniser.take(&offered.session_id, &delivery, payload);
        }
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.keep(offered.session_id, delivery);
    }

    /// Returns the deliveries of a session, in the order of their answers.
    pub fn of(&self, session_id: &str) -> Vec<Delivery> {
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions
            .by_id
            .get(session_id)
            .map(|known| known.iter().cloned().collect())
            .unwrap_or_default()
    }

    /// Returns the latest delivery of a session, and the latest that was not rejected.
    pub(crate) fn latest(&self, session_id: &str) -> (Option<Delivery>, Option<Delivery>) {
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = sessions.by_id.get(session_id) else { return (None, None) };
        let accepted = |it: &&Delivery| !matches!(it.outcome, Outcome::Failed { .. });
        (known.back().cloned(), known.iter().rev().find(accepted).cloned())
    }
}

impl Sessions {
    fn keep(&mut self, session_id: String, delivery: Delivery) {
        if !self.by_id.contains_key(&session_id) && self.by_id.len() >= SESSIONS {
            let last = |known: &VecDeque<Delivery>| known.back().map(|it| it.answered_us);
            let idle = self.by_id.iter().min_by_key(|(_, known)| last(known));
            if let Some(idle) = idle.map(|(id, _)| id.clone()) {
                self.by_id.remove(&idle);
            }
        }
        let deliveries = self.by_id.entry(session_id).or_default();
        deliveries.push_back(delivery);
        if deliveries.len() > DELIVERIES {
            deliveries.pop_front();
        }
    }
}

/// Returns the outcome of a payload that ends at sample `end`, as docs/processor.md defines it.
fn outcome(answer: Result<&[u8], &str>, failed: bool, end: u64) -> Outcome {
    let answered: Answered = match answer {
        Ok(body) => serde_json::from_slice(body).unwrap_or_default(),
        Err(error) => return Outcome::Failed { error: error.to_owned() },
    };
    if failed {
        let error = answered.error_type.unwrap_or_else(|| "Unhandled".to_owned());
        return Outcome::Failed { error };
    }
    if let Some(status) = answered.status_code.filter(|status| *status >= 400) {
        return Outcome::Failed { error: format!("statusCode {status}") };
    }
    if answered.accepted == false {
        return Outcome::Failed { error: "accepted is false".to_owned() };
    }
    let next_sample = answered.next_sample.as_u64();
    match (next_sample, &answered.next_sample) {
        (Some(next), _) if next < end => {
            Outcome::Failed { error: format!("nextSample {next} before the payload's end {end}") }
        }
        (None, other) if !other.is_null() => {
            Outcome::Failed { error: format!("nextSample {other} is not an integer") }
        }
        _ if answered.duplicate == true => Outcome::Duplicate { next_sample },
        _ => Outcome::Accepted { next_sample },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(answer: Result<&[u8], &str>, failed: bool) -> Outcome {
        let log = Deliveries::default();
        let payload = br#"{"action":"process","sessionId":"a-b-1","startSample":8000,
            "sampleCount":8000,"final":false,"producerTimestamp":17}"#;
        let other = br#"{"action":"health_check"}"#;
        log.record(&Bytes::from_static(payload), "1-2-3", answer, failed, 1, 2);
        log.record(&Bytes::from_static(other), "", answer, failed, 1, 2);
        let deliveries = log.of("a-b-1");
        assert_eq!(deliveries.len(), 1);
        assert_eq!((deliveries[0].start_sample, deliveries[0].producer_ms), (8000, 17));
        deliveries[0].outcome.clone()
    }

    #[test]
    fn counts_that_no_payload_can_have_are_ignored() {
        let log = Deliveries::default();
        for (start, count) in [(u64::MAX, 1), (0, u64::MAX), (u64::MAX, u64::MAX)] {
            let payload = format!(
                r#"{{"action":"process","sessionId":"a-b-1","startSample":{start},"sampleCount":{count}}}"#
            );
            log.record(&Bytes::from(payload), "", Ok(b"null"), false, 1, 2);
        }
        assert_eq!(log.of("a-b-1"), []);
    }

    #[test]
    fn a_session_that_is_delivered_is_kept_however_many_follow() {
        let log = Deliveries::default();
        let record = |id: usize, at: u64| {
            let payload = format!(
                r#"{{"action":"process","sessionId":"a-b-{id}","startSample":0,"sampleCount":1}}"#
            );
            log.record(&Bytes::from(payload), "", Ok(b"null"), false, at, at);
        };
        for at in 0..2 * SESSIONS {
            record(at, at as u64);
            record(0, at as u64);
        }
        assert_eq!(log.of("a-b-0").len(), 2 * SESSIONS + 1);
        assert_eq!(log.of("a-b-1"), [], "it was dropped");
        assert_eq!(log.of(&format!("a-b-{}", 2 * SESSIONS - 1)).len(), 1);
    }

    #[test]
    fn each_form_of_an_answer_has_its_outcome() {
        let accepted = br#"{"accepted":true,"nextSample":16000,"duplicate":false}"#;
        assert_eq!(noted(Ok(accepted), false), Outcome::Accepted { next_sample: Some(16000) });
        let duplicate = br#"{"accepted":true,"nextSample":16000,"duplicate":true}"#;
        assert_eq!(noted(Ok(duplicate), false), Outcome::Duplicate { next_sample: Some(16000) });
        assert_eq!(noted(Ok(b"null"), false), Outcome::Accepted { next_sample: None });
        let alone = br#"{"nextSample":16000,"duplicate":null}"#;
        assert_eq!(noted(Ok(alone), false), Outcome::Accepted { next_sample: Some(16000) });
        for (wrong, error) in [
            (&br#"{"accepted":false,"nextSample":16000}"#[..], "accepted is false"),
            (br#"{"nextSample":"16000"}"#, "nextSample \"16000\" is not an integer"),
        ] {
            assert_eq!(noted(Ok(wrong), false), Outcome::Failed { error: error.to_owned() });
        }
        let part = br#"{"accepted":true,"nextSample":15999,"duplicate":false}"#;
        let error = "nextSample 15999 before the payload's end 16000".to_owned();
        assert_eq!(noted(Ok(part), false), Outcome::Failed { error });
        let stale = br#"{"errorType":"StaleEpoch","errorMessage":"..."}"#;
        assert_eq!(noted(Ok(stale), true), Outcome::Failed { error: "StaleEpoch".into() });
        let status = br#"{"statusCode":503}"#;
        assert_eq!(noted(Ok(status), false), Outcome::Failed { error: "statusCode 503".into() });
        let throttled = Outcome::Failed { error: "TooManyRequestsException".into() };
        assert_eq!(noted(Err("TooManyRequestsException"), false), throttled);
    }
}
