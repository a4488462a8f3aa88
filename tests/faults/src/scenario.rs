//! The scenario of a simulated run: the speech, the stream, the session's events, and scheduled
//! actions.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use simulator::kvs::Stored;
use simulator::lambda::{Action, Call, Lambda};
use simulator::{EPOCH_MS, PRE_SKIP};
use testkit::getmedia::{Fragment, Framing};
use testkit::line::ExpectedLine;
use testkit::pcm::Random;

/// Maximum virtual time of a simulated session.
pub const LIMIT: Duration = Duration::from_secs(4 * 3600);

/// A session to simulate, with its faults and the limits that it must keep.
pub struct Scenario {
    /// The Opus packets that are sent.
    pub packets: Vec<Vec<u8>>,
    /// Length of a fragment, ms.
    pub fragment_ms: u32,
    /// The stream, if it differs from the packets cut into fragments.
    pub stored: Option<Vec<Stored>>,
    /// When the speaker ends the session.
    pub end: Duration,
    /// When ACTIVE arrives.
    pub active: Vec<Duration>,
    /// When ENDED arrives.
    pub ended: Vec<Duration>,
    /// All other actions.
    pub plan: Vec<(Duration, Action)>,
    /// Changes to the platform before the session begins.
    pub prepare: Vec<Action>,
    /// The expected audio, if it differs from all packets without a pause.
    pub line: Option<ExpectedLine>,
    /// The stream is deleted: exactly a prefix of the audio must arrive.
    pub prefix_only: bool,
    /// Samples beyond the maximum of one fragment: they are counted and not decoded.
    pub refused: u64,
    /// Positions depend on the producer's clock: they must equal those of a run without consumer
    /// faults.
    pub undisturbed: bool,
    /// Maximum time without an accepted sample while KVS holds new audio.
    pub max_pause: Duration,
    /// Additional time for the drain, because the fault occurs in it.
    pub extra_drain_time: Duration,
}

impl std::fmt::Debug for Scenario {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let packets = self.packets.len();
        f.debug_struct("Scenario")
            .field("packets", &packets)
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}

/// Returns the speech of all scenarios, which is encoded once.
fn speech() -> &'static Arc<Vec<Vec<u8>>> {
    static SPEECH: OnceLock<Arc<Vec<Vec<u8>>>> = OnceLock::new();
    SPEECH.get_or_init(|| Arc::new(simulator::speech(120).0))
}

impl Scenario {
    /// Returns an ordinary session: 30 to 60 s of speech in fragments of 1 to 20 s. WebRTC
    /// ingestion cuts fragments of about 10 s, AWS's producer SDKs of 2 s.
    pub fn ordinary(random: &mut Random) -> Self {
        let seconds = 30 + random.below(31);
        Self::of(seconds, random.pick(&[1_000, 2_000, 2_000, 5_000, 10_000, 10_000, 20_000]))
    }

    /// Returns a session of this many seconds of speech.
    pub fn of(seconds: u64, fragment_ms: u32) -> Self {
        let packets = speech().iter().cycle().take(usize::try_from(seconds * 50).unwrap());
        let end = Duration::from_secs(seconds) + Duration::from_millis(700);
        Self {
            packets: packets.cloned().collect(),
            fragment_ms,
            stored: None,
            end,
            active: vec![Duration::ZERO],
            ended: vec![end],
            plan: Vec::new(),
            prepare: Vec::new(),
            line: None,
            prefix_only: false,
            refused: 0,
            undisturbed: false,
            max_pause: Duration::from_secs(2),
            extra_drain_time: Duration::ZERO,
        }
    }

    /// Schedules an action.
    pub fn at(&mut self, when: Duration, action: impl FnOnce(&mut Lambda) + Send + 'static) {
        self.plan.push((when, Box::new(action)));
    }

    /// Changes the platform before the session begins.
    pub fn prepare(&mut self, change: impl FnOnce(&mut Lambda) + Send + 'static) {
        self.prepare.push(Box::new(change));
    }

    /// Returns a random time while the producer sends.
    pub fn random_time(&self, random: &mut Random) -> Duration {
        Duration::from_millis(random.below(u64::try_from(self.end.as_millis()).unwrap()))
    }

    /// Returns the packets in fragments, each readable after its last packet.
    pub fn fragments(&self) -> Vec<Fragment> {
        let start = i64::try_from(EPOCH_MS).unwrap();
        testkit::getmedia::fragments(&self.packets, 200, self.fragment_ms, start)
    }

    /// Returns the expected audio.
    pub fn expected(&self) -> ExpectedLine {
        self.line.clone().unwrap_or_else(|| ExpectedLine::of(&self.packets, PRE_SKIP))
    }

    /// Returns the fragments of the stream.
    pub fn stream(&self) -> Vec<Stored> {
        if let Some(stored) = &self.stored {
            return stored.clone();
        }
        let length = Duration::from_millis(self.fragment_ms.into());
        let fragments = self.fragments();
        let stored = fragments.iter().zip(1..).map(|(fragment, nth)| {
            Stored::new((length * nth).min(self.end), &Framing::default(), fragment)
        });
        stored.collect()
    }

    /// Returns the time by which the final chunk must be accepted. The consumer reads the stop
    /// within 2 s after its event, within 7 s without an event, or as soon as a consumer runs; it
    /// then drains the stream within 4 s plus two fragments. With fragments below 2 s, that is 8 s:
    /// two connections that each idle for 3 s, and their calls.
    pub fn drained_by(&self, fragments: &[Stored]) -> Duration {
        let last = fragments.iter().map(|fragment| fragment.at).max().unwrap_or_default();
        let poll = Duration::from_secs(5);
        let without_event =
            self.ended.iter().min().map_or(poll, |ended| ended.saturating_sub(self.end).min(poll));
        let fragment = Duration::from_millis(self.fragment_ms.max(2_000).into());
        let drain = Duration::from_secs(4) + 2 * fragment;
        let seen = self.end.max(last) + self.max_pause.max(Duration::from_secs(2)) + without_event;
        seen + drain + self.extra_drain_time
    }

    /// Returns the session's events and all scheduled actions.
    pub fn actions(&mut self) -> Vec<(Duration, Action)> {
        let mut actions = std::mem::take(&mut self.plan);
        for at in &self.active {
            actions.push((*at, Box::new(|lambda: &mut Lambda| lambda.invoke(Call::Start))));
        }
        actions.push((self.end, Box::new(|lambda: &mut Lambda| lambda.world.end_session())));
        for at in &self.ended {
            actions.push((*at, Box::new(|lambda: &mut Lambda| lambda.invoke(Call::Stop))));
        }
        actions
    }
}
