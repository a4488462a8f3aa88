//! Simulates one session in virtual time: a Streams table, a KVS stream, a processor, and the
//! Lambda platform that runs consumers. Time advances only when every task waits, and all random
//! numbers come from one seed, so a run is reproducible and outages of hours take milliseconds.
//!
//! | module | simulates |
//! |---|---|
//! | [`host`] | one run's environment: [`relay::ports::Ports`], a clock, kill points |
//! | [`table`] | the Streams table with the adapter's conditional writes, and Sessions |
//! | [`kvs`] | the stream: fragments as they become available; GetMedia and its faults |
//! | [`processor`] | the reference processor's rules, and its faults |
//! | [`lambda`] | asynchronous invocations: retries, timeouts, throttling; the health check |
//! | [`lease_contract`] | no service: the test cases that every lease table must pass |
//! | `health_check` | the ports of [`session::reconcile`], which runs unchanged |
//! | [`checker`] | no service: compares accepted with expected audio |
//!
//! [`World`] is the state that all simulated hosts share. A call takes effect even if its caller is
//! killed: a write that was sent arrives, and an invoked processor continues.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod checker;
pub mod host;
pub mod kvs;
pub mod lambda;
pub mod lease_contract;
pub mod processor;
pub mod table;

mod clock;
mod fault_rates;
mod get_media;
mod health_check;
mod processor_calls;
mod state;
mod table_calls;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

pub use clock::SimClock;
pub use fault_rates::FaultRates;
pub use host::{KillPoint, SimHost};
pub use state::{EndNotice, State, World};

use relay::{Config, HandOver, RunRequest};
use session::{Language, QualityTier, SessionId, Settings, StreamArn};

/// Wall-clock time at which the simulation begins, ms.
pub const EPOCH_MS: u64 = 1_732_540_620_000;
/// Samples that Opus's pre-skip removes from the start.
pub const PRE_SKIP: usize = 104;
/// A remaining time that is longer than any test's session.
pub const LONG: Duration = Duration::from_secs(840);

/// Returns the id of the simulated session.
pub fn session() -> SessionId {
    "blessed-shepherd-123".parse().unwrap()
}

/// Returns the ARN of its stream.
pub fn stream() -> StreamArn {
    "arn:aws:kinesisvideo:us-east-1:1:stream/session-blessed-shepherd-123/17".parse().unwrap()
}

/// Opus packets, and the samples that libopus decodes from them.
type Speech = (Vec<Vec<u8>>, Vec<i16>);

/// Returns `seconds` of speech in Opus packets of 20 ms, and the samples that libopus decodes from
/// them; encoded once per process.
pub fn speech(seconds: usize) -> Speech {
    static KNOWN: Mutex<BTreeMap<usize, Speech>> = Mutex::new(BTreeMap::new());
    let encode = || {
        let pcm = testkit::pcm::speech_like(7, 48_000 * seconds);
        let packets = testkit::opus::encode(&testkit::opus::Settings::default(), &pcm);
        let pcm = testkit::opus::decode(&packets);
        (packets, pcm[PRE_SKIP..].to_vec())
    };
    KNOWN.lock().unwrap().entry(seconds).or_insert_with(encode).clone()
}

/// Returns the request of a run with this owner name and remaining time.
pub fn request(owner: &str, remaining: Duration) -> RunRequest {
    RunRequest {
        session_id: session(),
        stream_arn: Some(stream()),
        settings: Some(Settings {
            source_language: Language::ENGLISH,
            quality_tier: QualityTier::Standard,
            target_languages: vec!["de".parse().unwrap()],
            version: 1,
        }),
        owner: owner.to_owned(),
        remaining,
        hand_over: HandOver::default(),
    }
}

/// Returns the configuration of a run in AWS.
pub fn config() -> Config {
    Config::scaled(1.0)
}
