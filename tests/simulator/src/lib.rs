//! One session's world in simulated time: a Streams table, a KVS stream, a processor and the Lambda
//! that runs consumers. Time moves only when everybody waits, and all chance comes from one seed,
//! so that a run is the same each time, however long its outages are.
//!
//! | module | plays |
//! |---|---|
//! | [`side`] | what one run is given: [`relay::ports::Ports`] with a clock of its own; where runs are killed |
//! | [`table`] | the Streams table with the conditional writes of the real adapter, and Sessions |
//! | [`kvs`] | the stream: fragments as they become available, GetMedia's ends, cuts, stalls and errors |
//! | [`processor`] | the reference processor's rules, and what a processor may do instead |
//! | [`lambda`] | asynchronous invocations with retries, timeouts, throttling, the schedule of the health check |
//! | [`lease_contract`] | the cases that every lease table must pass |
//! | `health_check` | the health check's own code, over this world |
//! | [`judge`] | what arrived, against what was spoken |
//!
//! A call takes effect whatever becomes of its caller: a write that was sent arrives, and an
//! invoked processor works on, also when the run that sent them is dead.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod judge;
pub mod kvs;
pub mod lambda;
pub mod lease_contract;
pub mod processor;
pub mod side;
pub mod table;

mod clock;
mod health_check;
mod odds;
mod state;

use std::time::Duration;

pub use clock::WorldClock;
pub use odds::Odds;
pub use side::{Fault, Side};
pub use state::{EndNotice, State, World};

use relay::{Config, RunRequest};
use session::{Language, QualityTier, SessionId, Settings, StreamArn};

/// Wall clock at the world's beginning, ms.
pub const EPOCH_MS: u64 = 1_732_540_620_000;
/// Samples that Opus's pre-skip takes off the front.
pub const PRE_SKIP: usize = 104;
/// Long enough for every test's session.
pub const LONG: Duration = Duration::from_secs(840);

/// The session that is carried.
pub fn session() -> SessionId {
    "blessed-shepherd-123".parse().unwrap()
}

/// Its stream.
pub fn stream() -> StreamArn {
    "arn:aws:kinesisvideo:us-east-1:1:stream/session-blessed-shepherd-123/17".parse().unwrap()
}

/// Speech of `seconds` in packets of 20 ms, and what bare libopus makes of it.
pub fn speech(seconds: usize) -> (Vec<Vec<u8>>, Vec<i16>) {
    let settings = testkit::opus::Settings::default();
    let packets = testkit::opus::encode(&settings, &testkit::pcm::speech_like(7, 48_000 * seconds));
    let pcm = testkit::opus::decode(&packets);
    (packets, pcm[PRE_SKIP..].to_vec())
}

/// The request of a run of at most `remaining`, by a name of its own.
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
    }
}

/// The constants of a run in AWS.
pub fn config() -> Config {
    Config::scaled(1.0)
}
