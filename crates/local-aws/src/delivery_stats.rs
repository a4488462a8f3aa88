//! Computes the delivery statistics of a run from the payloads offered to the processor and its
//! answers.
//!
//! * **delivered**: samples that the processor accepted, each counted once.
//! * **accepted twice**: samples that lie in the range of two accepting answers.
//! * **offered twice**: samples that lie in the range of two deliveries.
//! * **delivery latency** of a chunk: from the moment in which the last byte of the part that holds
//!   the chunk's last sample was handed to a GetMedia connection for the first time, to the moment
//!   in which its Invoke request was received whole. A part is a whole fragment, or blocks of one
//!   that was sent while it was received. A sample's part is found by time: it is the first that
//!   ends (by producer time) at or after the sample's producer time plus the track's CodecDelay. If
//!   a fragment is sent as a whole, its later chunks wait for the earlier. The final, partial chunk
//!   is left out: it waits for the drain, whose duration is `stopMs`.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::kvs::SentPart;
use crate::lambda::{Delivery, Outcome, SAMPLES_PER_MS};

/// Timecodes are whole milliseconds, so a block may end this much later than its timecode implies.
const ROUNDING_US: i64 = 1000;

/// The delivery statistics of one session.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryStats {
    /// The session.
    pub session_id: String,
    /// Distinct samples that the processor accepted.
    pub samples_delivered: u64,
    /// Samples that it accepted twice.
    pub samples_duplicated: u64,
    /// Samples that it was offered twice.
    pub offered_twice: u64,
    /// Accepted samples that fill gaps.
    pub filled_samples: u64,
    /// Chunks accepted.
    pub chunks: u64,
    /// Deliveries that failed or were rejected.
    pub failed_deliveries: u64,
    /// Error of the last of them: Lambda's errorType or the API's error code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<String>,
    /// The number of distinct traces of its deliveries. Hand-offs keep the trace, so it is normally
    /// one.
    pub traces: u64,
    /// Where the accepted audio ends, in samples.
    pub next_sample: u64,
    /// When the first chunk was accepted: real microseconds since the epoch.
    #[serde(default)]
    pub first_accepted_us: Option<u64>,
    /// When the final chunk was accepted: real microseconds since the epoch.
    pub final_accepted_us: Option<u64>,
    /// Longest real time between two acceptances, the final chunk's left out, ms.
    pub longest_pause_ms: f64,
    /// Delivery latency, ms; absent when nothing was delivered.
    pub delivery_latency_ms: Option<Latency>,
    /// The delivery latency of each chunk, ms, in ascending order.
    #[serde(skip)]
    pub latencies_ms: Vec<f64>,
}

/// The processor's error for a payload that it never accepts (docs/processor.md).
const INVALID: &str = "InvalidPayload";

/// A latency's median and 99th percentile, in ms.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Half are at most this.
    pub p50: f64,
    /// 99 of 100 are at most this.
    pub p99: f64,
}

impl DeliveryStats {
    /// Computes the statistics of a session whose stream sent `sent`.
    pub fn of(session_id: &str, deliveries: &[Delivery], sent: &[SentPart]) -> Self {
        let mut stats = Self { session_id: session_id.to_owned(), ..Self::default() };
        let (mut offered, mut accepted) = (Ranges::default(), Ranges::default());
        let mut refused = Ranges::default();
        let (mut last_us, mut last_part) = (None, 0);
        let traces: BTreeSet<&str> =
            deliveries.iter().map(|delivery| delivery.trace.as_str()).collect();
        stats.traces = traces.len() as u64;
        for delivery in deliveries {
            let end = delivery.start_sample + delivery.sample_count;
            stats.offered_twice += offered.add(delivery.start_sample, end);
            let (next_sample, again) = match &delivery.outcome {
                Outcome::Accepted { next_sample } => (*next_sample, false),
                Outcome::Duplicate { next_sample } => (*next_sample, true),
                Outcome::Failed { error } => {
                    stats.failed_deliveries += 1;
                    stats.last_failure = Some(error.clone());
                    // Chunks of a batch are offered again one by one.
                    if error == INVALID && delivery.chunk_count == 1 {
                        refused.add(delivery.start_sample, end);
                    }
                    continue;
                }
            };
            // A processor that already has the head returned that as nextSample: the tail counts.
            let known = stats.next_sample;
            let start = if (delivery.start_sample..end).contains(&known) {
                known
            } else {
                delivery.start_sample
            };
            // Samples from nextSample on are not accepted: the sender sends them again.
            // The processor has passed what it refused, without accepting it.
            if again && refused.overlap(start, end) > 0 {
                continue;
            }
            let accepted_to = next_sample.map_or(end, |next| end.min(next)).max(start);
            let twice = accepted.add(start, accepted_to);
            stats.next_sample = next_sample.unwrap_or(end);
            stats.note_pause(delivery, &mut last_us);
            stats.note_ends(delivery);
            // A duplicate that no earlier answer reported (a function killed after it accepted the
            // samples) counts from here on.
            if again && (twice > 0 || delivery.sample_count == 0) {
                continue;
            }
            stats.samples_duplicated += twice;
            stats.filled_samples += delivery.filled_samples;
            stats.chunks += delivery.chunk_count;
            stats.latencies_ms.extend(latency_ms(delivery, sent, &mut last_part));
        }
        stats.samples_delivered = accepted.total();
        stats.latencies_ms.sort_by(f64::total_cmp);
        stats.delivery_latency_ms = percentiles(&stats.latencies_ms);
        stats
    }

    fn note_pause(&mut self, delivery: &Delivery, last_us: &mut Option<u64>) {
        let last = last_us.replace(delivery.answered_us).unwrap_or(delivery.answered_us);
        if !delivery.is_final {
            let pause = delivery.answered_us.saturating_sub(last) as f64 / 1000.0;
            self.longest_pause_ms = self.longest_pause_ms.max(pause);
        }
    }

    fn note_ends(&mut self, delivery: &Delivery) {
        self.first_accepted_us.get_or_insert(delivery.answered_us);
        if delivery.is_final && self.final_accepted_us.is_none() {
            self.final_accepted_us = Some(delivery.answered_us);
        }
    }
}

/// Returns how long a chunk's last sample waited for its invocation. The search begins at the part
/// `last`, that of the delivery before, which is rarely later.
fn latency_ms(delivery: &Delivery, sent: &[SentPart], last: &mut usize) -> Option<f64> {
    if delivery.sample_count == 0 || delivery.is_final {
        return None;
    }
    let media_us = i64::try_from(delivery.sample_count * 1000 / SAMPLES_PER_MS).ok()?;
    let end_us = delivery.producer_ms * 1000 + media_us;
    let holds =
        |part: &SentPart| part.producer_end_ms * 1000 + ROUNDING_US >= end_us + part.codec_delay_us;
    if last.checked_sub(1).is_some_and(|before| holds(&sent[before])) {
        *last = 0;
    }
    let found = sent[*last..].iter().position(holds);
    *last = found.map_or(sent.len().saturating_sub(1), |found| *last + found);
    let part = sent.get(*last)?;
    // Parts are recorded up to a limit, so that of an early chunk may be gone.
    let is_known = *last > 0 || end_us >= part.producer_start_ms * 1000;
    is_known.then(|| delivery.received_us.saturating_sub(part.sent_us) as f64 / 1000.0)
}

fn percentiles(values: &[f64]) -> Option<Latency> {
    let last = values.len().checked_sub(1)?;
    let at = |share: f64| {
        let index = (share * values.len() as f64).ceil() as usize;
        values.get(index.saturating_sub(1).min(last)).copied().unwrap_or_default()
    };
    Some(Latency { p50: at(0.50), p99: at(0.99) })
}

/// Disjoint ranges of samples, in order.
#[derive(Debug, Default)]
struct Ranges(Vec<(u64, u64)>);

impl Ranges {
    /// Returns how many samples of `start..end` are present.
    fn overlap(&self, start: u64, end: u64) -> u64 {
        let shared = |range: &(u64, u64)| range.1.min(end).saturating_sub(range.0.max(start));
        self.0.iter().map(shared).sum()
    }

    /// Adds `start..end`; returns how many of its samples were already present.
    fn add(&mut self, start: u64, end: u64) -> u64 {
        if start >= end {
            return 0;
        }
        let first = self.0.partition_point(|range| range.1 < start);
        let past = self.0.partition_point(|range| range.0 <= end);
        let touched = self.0.get(first..past).unwrap_or_default();
        let overlap =
            touched.iter().map(|range| range.1.min(end).saturating_sub(range.0.max(start))).sum();
        let merged = (
            touched.first().map_or(start, |range| range.0.min(start)),
            touched.last().map_or(end, |range| range.1.max(end)),
        );
        self.0.splice(first..past, [merged]);
        overlap
    }

    fn total(&self) -> u64 {
        self.0.iter().map(|range| range.1 - range.0).sum()
    }
}

#[cfg(test)]
mod tests;
