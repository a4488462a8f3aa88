//! The simulated processor: the reference processor's rules, and faults.

use std::collections::VecDeque;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use relay::answer::Reply;
use session::audio::{Answer, AudioPayload};
use tokio::time::Instant;

use crate::fault_rates::FaultRates;

/// A fault of one invocation of the processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Script {
    /// It fails and accepts nothing.
    Fail,
    /// It never answers and accepts nothing.
    Hang,
    /// It permanently refuses the payload.
    Invalid,
    /// It loses its state and expects position 0.
    Forget,
    /// It accepts the samples and then fails (a crash before the answer).
    TakeAndFail,
}

/// The state of the processor, and its faults.
#[derive(Debug, Clone)]
pub struct Processor {
    /// The next sample that it accepts.
    pub next: u64,
    /// The newest epoch it has seen.
    pub epoch: u64,
    /// The accepted samples; zero in declared gaps.
    pub accepted: Vec<i16>,
    /// Declared gaps: position and length.
    pub gaps: Vec<(u64, u64)>,
    /// Positions at which the delivering run changed.
    pub seams: Vec<u64>,
    /// The epoch of the last accepted samples.
    pub taken_from: Option<u64>,
    /// Number of accepted samples in all payloads.
    pub taken: u64,
    /// Samples that were offered again after they had been accepted.
    pub offered_twice: u64,
    /// All payloads.
    pub payloads: Vec<AudioPayload>,
    /// Faults of the next invocations, one each, in order.
    pub scripts: VecDeque<Script>,
    /// A payload that contains this sample is permanently refused.
    pub refuse_sample: Option<u64>,
    /// Every payload that ends after this position fails.
    pub refuse_after: Option<u64>,
    /// Number of payloads of an older epoch.
    pub stale: u64,
    /// Number of final chunks.
    pub finals: u64,
    /// When the last of them was accepted.
    pub final_at: Option<Instant>,
    /// Each acceptance: time, and the position after it.
    pub deliveries: Vec<(Instant, u64)>,
    /// The fragment number of each acceptance.
    pub fragments: Vec<String>,
    /// Processing time of a payload …
    pub takes: Duration,
    /// … and for each second of audio in it.
    pub takes_per_second: Duration,
    /// Failure rates of invocations.
    pub fault_rates: FaultRates,
}

impl Default for Processor {
    fn default() -> Self {
        Self {
            next: 0,
            epoch: 0,
            accepted: Vec::new(),
            gaps: Vec::new(),
            seams: Vec::new(),
            taken_from: None,
            taken: 0,
            offered_twice: 0,
            payloads: Vec::new(),
            scripts: VecDeque::new(),
            refuse_sample: None,
            refuse_after: None,
            stale: 0,
            finals: 0,
            final_at: None,
            deliveries: Vec::new(),
            fragments: Vec::new(),
            takes: Duration::from_millis(20),
            takes_per_second: Duration::ZERO,
            fault_rates: FaultRates::UP,
        }
    }
}

impl Processor {
    pub(crate) fn time_for(&self, payload: &AudioPayload) -> Duration {
        let samples = u32::try_from(payload.sample_count).unwrap();
        self.takes + self.takes_per_second * samples / media::SAMPLE_RATE
    }

    pub(crate) fn forget(&mut self) -> Reply {
        self.next = 0;
        self.accepted.clear();
        self.gaps.clear();
        self.seams.clear();
        self.taken = 0;
        Reply::OutOfOrder { next_sample: 0 }
    }

    /// The reference processor's rules.
    pub(crate) fn take(&mut self, payload: &AudioPayload) -> Reply {
        self.payloads.push(payload.clone());
        if payload.epoch < self.epoch {
            self.stale += 1;
            return Reply::StaleEpoch;
        }
        self.epoch = payload.epoch;
        let samples = pcm(payload);
        let (start, end) = (payload.start_sample, payload.start_sample + payload.sample_count);
        if self.refuse_after.is_some_and(|position| end > position) {
            return Reply::Failed("out of order".into());
        }
        if self.refuse_sample.is_some_and(|poison| (start..end).contains(&poison)) {
            return Reply::Invalid("InvalidPayload: poison".into());
        }
        if start > self.next && start - payload.gap_samples > self.next {
            return Reply::OutOfOrder { next_sample: self.next };
        }
        let duplicate = end <= self.next && !samples.is_empty();
        if start > self.next {
            self.gaps.push((self.next, start - self.next));
            self.accepted.resize(usize::try_from(start).unwrap(), 0);
        }
        self.offered_twice += self.next.min(end).saturating_sub(start);
        if end > self.next {
            if self.taken_from.replace(payload.epoch).is_some_and(|from| from != payload.epoch) {
                self.seams.push(self.next.max(start));
            }
            let known = usize::try_from(self.next.saturating_sub(start)).unwrap();
            self.accepted.extend_from_slice(&samples[known..]);
            self.taken += (samples.len() - known) as u64;
            self.next = end;
        }
        if payload.is_final {
            self.finals += 1;
            self.final_at = Some(Instant::now());
        }
        self.deliveries.push((Instant::now(), end));
        self.fragments.push(payload.fragment_number.clone());
        Reply::Accepted(Some(Answer { accepted: true, next_sample: self.next, duplicate }))
    }
}

/// The samples of a payload.
pub fn pcm(payload: &AudioPayload) -> Vec<i16> {
    let bytes = STANDARD.decode(&payload.audio_data).unwrap();
    bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}
