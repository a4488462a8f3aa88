//! The speech of sessions by length: repetitions of the bundled recording of 37 s.

use std::path::Path;
use std::time::Duration;

use e2e::Packets;
use producer::Recording;
use testkit::pcm::Random;

/// How often the recording is repeated: most sessions are short, and one of eight outlives a
/// function's invocation of 15 minutes.
const SHORT: [usize; 6] = [1, 2, 3, 4, 5, 6];
const LONG: usize = 30;
const LONG_ONE_OF: u64 = 8;

/// Speech, and the samples that libopus decodes from it.
#[derive(Debug)]
pub(crate) struct Speech {
    pub(crate) recording: Recording,
    pub(crate) samples: Vec<i16>,
}

impl Speech {
    pub(crate) fn seconds(&self) -> f64 {
        self.samples.len() as f64 / 16_000.0
    }
}

/// The speech of all lengths.
#[derive(Debug)]
pub(crate) struct Recordings(Vec<Speech>);

impl Recordings {
    pub(crate) fn create() -> Self {
        let recording = Packets::of(&testkit::recording());
        let of = |times: &usize| {
            let packets = recording.repeated(*times);
            let parsed = Recording::parse(Path::new("repeated.mka"), &packets.file());
            Speech { recording: parsed.expect("a recording"), samples: packets.samples() }
        };
        Self(SHORT.iter().chain([&LONG]).map(of).collect())
    }

    /// Returns speech of a random length, which fits into the time that is `left` if any does.
    pub(crate) fn choose(&self, random: &mut Random, left: Duration) -> &Speech {
        let short = usize::try_from(random.below(SHORT.len() as u64)).unwrap_or_default();
        let chosen = if random.below(LONG_ONE_OF) == 0 { self.0.len() - 1 } else { short };
        let fits = |speech: &&Speech| speech.seconds() <= left.as_secs_f64();
        self.0[..=chosen].iter().rev().find(fits).unwrap_or(&self.0[0])
    }
}
