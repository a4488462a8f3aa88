//! The latest events of the bus, for `/_local/events`: those of PutEvents, replays and schedules,
//! each with the rules that it triggered.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use crate::clock::rfc3339;

/// The most events that are kept; the oldest are dropped first.
const MAX_KEPT: usize = 10_000;

/// The log. Events are numbered from 1.
#[derive(Debug, Default)]
pub(super) struct BusLog {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    last: u64,
    events: VecDeque<(u64, Value)>,
}

impl BusLog {
    /// Adds an event that the bus received at `now` (ms) and that triggers `rules`.
    pub(super) fn record(&self, event: &Value, rules: &[&str], now: i64) {
        let mut kept = self.kept();
        kept.last += 1;
        let number = kept.last;
        let entry = json!({
            "number": number, "receivedAt": rfc3339(now), "rules": rules, "event": event,
        });
        if kept.events.len() >= MAX_KEPT {
            kept.events.pop_front();
        }
        kept.events.push_back((number, entry));
    }

    /// Returns the events with a number above `number`, oldest first, and the last number.
    pub(super) fn after(&self, number: u64) -> Value {
        let kept = self.kept();
        let later = kept.events.iter().filter(|(at, _)| *at > number);
        let later: Vec<&Value> = later.map(|(_, entry)| entry).collect();
        json!({ "events": later, "last": kept.last })
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(answer: &Value) -> Vec<u64> {
        let events = answer["events"].as_array().unwrap();
        events.iter().map(|entry| entry["number"].as_u64().unwrap()).collect()
    }

    #[test]
    fn events_after_a_number_are_returned_in_order() {
        let log = BusLog::default();
        assert_eq!(log.after(0), json!({"events": [], "last": 0}));
        log.record(&json!({"source": "a"}), &["rule"], 1_732_540_620_007);
        log.record(&json!({"source": "b"}), &[], 1_732_540_620_008);
        assert_eq!(numbers(&log.after(0)), [1, 2]);
        let entry = json!({
            "number": 2, "receivedAt": "2024-11-25T13:17:00.008Z", "rules": [],
            "event": {"source": "b"},
        });
        assert_eq!(log.after(1), json!({"events": [entry], "last": 2}));
        assert_eq!(log.after(2), json!({"events": [], "last": 2}));
    }

    #[test]
    fn the_oldest_events_are_dropped_first() {
        let log = BusLog::default();
        for _ in 0..=MAX_KEPT {
            log.record(&json!({}), &[], 0);
        }
        let numbers = numbers(&log.after(0));
        assert_eq!((numbers.len(), numbers[0]), (MAX_KEPT, 2));
    }
}
