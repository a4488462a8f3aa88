//! What a fault is inflicted on: a speaker, a stream, the events of a session, and a plan of what
//! happens when.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use simulator::kvs::Stored;
use simulator::lambda::{Call, Happening, Lambda};
use simulator::{EPOCH_MS, PRE_SKIP};
use testkit::getmedia::{Fragment, Framing};
use testkit::line::ExpectedLine;
use testkit::pcm::Random;

/// Longest a simulated session may take to its end, whatever is inflicted on it.
pub const LIMIT: Duration = Duration::from_secs(4 * 3600);

/// One session to be, and what will be done to it.
pub struct Scene {
    /// What is spoken.
    pub packets: Vec<Vec<u8>>,
    /// Length of a fragment, ms.
    pub fragment_ms: u32,
    /// The stream, when it is not simply the packets in fragments.
    pub stored: Option<Vec<Stored>>,
    /// When the speaker ends the session.
    pub end: Duration,
    /// When ACTIVE arrives.
    pub active: Vec<Duration>,
    /// When ENDED arrives.
    pub ended: Vec<Duration>,
    /// Everything else that happens.
    pub plan: Vec<(Duration, Happening)>,
    /// Changes to the platform before it begins.
    pub prepare: Vec<Happening>,
    /// What the producer says; all packets without a pause unless it is given.
    pub line: Option<ExpectedLine>,
    /// The stream is taken away: a beginning of the line arrives, and nothing else.
    pub beginning_only: bool,
    /// Samples that a fragment claims beyond what one can hold: they are not decoded, and counted.
    pub refused: u64,
    /// Positions depend on what the producer's clock does: they must be those of a run without
    /// faults.
    pub undisturbed: bool,
    /// How long nothing may be accepted although it could be read.
    pub patience: Duration,
    /// How much longer than promised the drain may take, because the fault strikes in it.
    pub drained_later: Duration,
}

impl std::fmt::Debug for Scene {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let packets = self.packets.len();
        f.debug_struct("Scene")
            .field("packets", &packets)
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}

/// Speech that is encoded once and of which every scene takes a piece.
fn speech() -> &'static Arc<Vec<Vec<u8>>> {
    static SPEECH: OnceLock<Arc<Vec<Vec<u8>>>> = OnceLock::new();
    SPEECH.get_or_init(|| Arc::new(simulator::speech(120).0))
}

impl Scene {
    /// An ordinary session: half a minute to a minute of speech, fragments of 1 to 20 s. WebRTC
    /// ingestion cuts them of about 10 s, AWS's producer SDKs of 2 s.
    pub fn ordinary(random: &mut Random) -> Self {
        let seconds = 30 + random.below(31);
        Self::of(seconds, random.pick(&[1_000, 2_000, 2_000, 5_000, 10_000, 10_000, 20_000]))
    }

    /// A session of so many seconds of speech.
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
            beginning_only: false,
            refused: 0,
            undisturbed: false,
            patience: Duration::from_secs(2),
            drained_later: Duration::ZERO,
        }
    }

    /// Lets something happen.
    pub fn at(&mut self, when: Duration, happening: impl FnOnce(&mut Lambda) + Send + 'static) {
        self.plan.push((when, Box::new(happening)));
    }

    /// Changes the platform before anything happens.
    pub fn prepare(&mut self, change: impl FnOnce(&mut Lambda) + Send + 'static) {
        self.prepare.push(Box::new(change));
    }

    /// A moment while the speaker speaks.
    pub fn moment(&self, random: &mut Random) -> Duration {
        Duration::from_millis(random.below(u64::try_from(self.end.as_millis()).unwrap()))
    }

    /// The packets in fragments, each readable once its last packet was spoken.
    pub fn fragments(&self) -> Vec<Fragment> {
        let start = i64::try_from(EPOCH_MS).unwrap();
        testkit::getmedia::fragments(&self.packets, 200, self.fragment_ms, start)
    }

    /// What the producer says, once.
    pub fn expected(&self) -> ExpectedLine {
        self.line.clone().unwrap_or_else(|| ExpectedLine::of(&self.packets, PRE_SKIP))
    }

    /// What the stream will hold.
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

    /// When the final chunk has to be accepted, whatever happened: the stop is seen within 2 s by
    /// its event and within 7 s without, or as soon as a consumer runs that can see it; and what
    /// KVS holds is drained within 4 s and two fragments. Of fragments below 2 s it is 8 s too: two
    /// connections that idle for 3 s each, and the calls for them.
    pub fn drained_by(&self, fragments: &[Stored]) -> Duration {
        let last = fragments.iter().map(|fragment| fragment.at).max().unwrap_or_default();
        let poll = Duration::from_secs(5);
        let unheard =
            self.ended.iter().min().map_or(poll, |ended| ended.saturating_sub(self.end).min(poll));
        let fragment = Duration::from_millis(self.fragment_ms.max(2_000).into());
        let drain = Duration::from_secs(4) + 2 * fragment;
        let seen = self.end.max(last) + self.patience.max(Duration::from_secs(2)) + unheard;
        seen + drain + self.drained_later
    }

    /// The session's own events, besides what was planned.
    pub fn story(&mut self) -> Vec<(Duration, Happening)> {
        let mut story = std::mem::take(&mut self.plan);
        for at in &self.active {
            story.push((*at, Box::new(|lambda: &mut Lambda| lambda.invoke(Call::Start))));
        }
        story.push((self.end, Box::new(|lambda: &mut Lambda| lambda.world.end_session())));
        for at in &self.ended {
            story.push((*at, Box::new(|lambda: &mut Lambda| lambda.invoke(Call::Stop))));
        }
        story
    }
}
