//! Builds fragments from the frames of both tracks, each beginning with a key frame.

use std::sync::Arc;

use super::avc::AvcConfig;
use super::session_time::SessionTime;

/// Longest time between key frames, and so between the earliest and the latest cut.
const MAX_KEY_INTERVAL_MS: i64 = 1500;
/// Latest cut without a key frame: KVS refuses a fragment of more than 20 s.
const LATEST_CUT_MS: i64 = 19_500;
/// How long a cut waits for frames of a track that are late.
const LATENESS: SessionTime = SessionTime::ms(1000);
/// How long every frame waits for earlier ones of the other track, in a progressive fragment.
const PROGRESSIVE_LATENESS: SessionTime = SessionTime::ms(200);
/// Bytes of a fragment before it is cut without a key frame; KVS refuses 50 MB.
const MAX_BYTES: usize = 32 * 1024 * 1024;

/// A track of a fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Track {
    /// H.264, with its description.
    Video { is_key: bool, config: Arc<AvcConfig> },
    /// AAC.
    Audio,
}

/// An encoded frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    /// The time that its block states.
    pub(super) time: SessionTime,
    pub(super) track: Track,
    pub(super) data: Vec<u8>,
}

impl Frame {
    fn is_video(&self) -> bool {
        self.track != Track::Audio
    }
}

/// The fragments of a session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FragmentOptions {
    /// About their length.
    pub(crate) length_ms: u32,
    /// Whether their frames are stored as they come, or when the fragment is complete.
    pub(crate) progressive: bool,
}

/// Frames of one fragment, in order of time as far as they are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Portion {
    /// Whether the fragment begins with them; then all its tracks are among them.
    pub(super) begins: bool,
    pub(super) frames: Vec<Frame>,
    /// Whether the fragment ends with them.
    pub(super) ends: bool,
}

/// The tracks that a fragment has declared.
#[derive(Debug, Clone, Copy)]
struct Declared {
    video: bool,
    audio: bool,
}

impl Declared {
    fn of<'a>(frames: impl Iterator<Item = &'a Frame>) -> Self {
        frames.fold(Self { video: false, audio: false }, |of, frame| Self {
            video: of.video || frame.is_video(),
            audio: of.audio || !frame.is_video(),
        })
    }

    fn has(self, frame: &Frame) -> bool {
        if frame.is_video() { self.video } else { self.audio }
    }
}

/// Returns how often key frames are requested for fragments of `fragment_ms`.
pub(super) fn key_interval_ms(fragment_ms: u32) -> i64 {
    MAX_KEY_INTERVAL_MS.min(i64::from(fragment_ms) / 2)
}

/// Collects frames until a fragment is complete, or only until those before them have come.
///
/// A fragment ends before the first key frame that comes less than a key frame interval before the
/// target or later, before a key frame with another description, or, if no key frame comes, one
/// interval after the target. A progressive one also ends before a frame of a track that had none
/// when it began: its tracks are declared then, and KVS refuses other frames.
#[derive(Debug)]
pub(super) struct FragmentBuilder {
    progressive: bool,
    earliest: SessionTime,
    latest: SessionTime,
    /// In order of arrival; those of each track are in order of time.
    frames: Vec<Frame>,
    bytes: usize,
    start: Option<SessionTime>,
    /// Once its first frames were returned.
    declared: Option<Declared>,
    /// The end of the current fragment, once it is decided.
    end: Option<SessionTime>,
    config: Option<Arc<AvcConfig>>,
    last_video: Option<SessionTime>,
    last_audio: Option<SessionTime>,
}

impl FragmentBuilder {
    /// Creates a builder.
    pub(super) fn new(options: FragmentOptions) -> Self {
        let FragmentOptions { length_ms, progressive } = options;
        let (target, interval) = (i64::from(length_ms), key_interval_ms(length_ms));
        Self {
            progressive,
            earliest: SessionTime::ms(target - interval),
            latest: SessionTime::ms((target + interval).min(LATEST_CUT_MS)),
            frames: Vec::new(),
            bytes: 0,
            start: None,
            declared: None,
            end: None,
            config: None,
            last_video: None,
            last_audio: None,
        }
    }

    /// Takes a frame. A frame that is not after the one before it on its track is moved behind it.
    pub(super) fn push(&mut self, mut frame: Frame) {
        let last = if frame.is_video() { &mut self.last_video } else { &mut self.last_audio };
        if let Some(last) = last.filter(|last| frame.time <= *last) {
            frame.time = last + SessionTime::ms(1);
        }
        *last = Some(frame.time);
        let start = *self.start.get_or_insert(frame.time);
        if self.declared.is_some_and(|declared| !declared.has(&frame)) {
            self.end.get_or_insert(frame.time.max(start + SessionTime::ms(1)));
        } else if self.end.is_none() && self.cuts(&frame, start) {
            self.end = Some(frame.time);
        }
        if let Track::Video { config, .. } = &frame.track {
            self.config = Some(Arc::clone(config));
        }
        self.bytes += frame.data.len();
        self.frames.push(frame);
    }

    /// Returns whether a frame begins the next fragment.
    fn cuts(&self, frame: &Frame, start: SessionTime) -> bool {
        let age = frame.time - start;
        let wanted = match &frame.track {
            Track::Video { is_key: true, config } => {
                let is_other = self.config.as_ref().is_some_and(|current| current != config);
                is_other || age >= self.earliest
            }
            _ => age >= self.latest || self.bytes >= MAX_BYTES,
        };
        wanted && age > SessionTime::default()
    }

    /// Returns the next frames to store: those of a complete fragment, if the frames of both tracks
    /// have reached its end, or `now` is a second after it. Of a progressive fragment: those up to
    /// which both tracks have come, or that are 200 ms old.
    pub(super) fn poll(&mut self, now: SessionTime) -> Option<Portion> {
        let lateness = if self.progressive { PROGRESSIVE_LATENESS } else { LATENESS };
        let late = now - lateness;
        let reached = self.last_video.min(self.last_audio).map_or(late, |both| both.max(late));
        match self.end {
            Some(end) if reached >= end => Some(self.complete(end)),
            _ if self.progressive => self.advance(reached, late),
            _ => None,
        }
    }

    /// Returns the rest of the last fragment.
    pub(super) fn finish(&mut self) -> Option<Portion> {
        let is_empty = self.declared.is_none() && self.frames.is_empty();
        (!is_empty).then(|| self.complete(SessionTime::MAX))
    }

    /// Returns the rest of the fragment that ends at `end`.
    fn complete(&mut self, end: SessionTime) -> Portion {
        let (begins, done) = (self.declared.is_none(), self.take(|frame| frame.time < end));
        let rest = std::mem::take(&mut self.frames);
        self.restart(end, rest);
        Portion { begins, frames: done, ends: true }
    }

    /// Returns the frames of the current fragment up to `reached`. The first ones are of both
    /// tracks, unless one of them is `late`.
    fn advance(&mut self, reached: SessionTime, late: SessionTime) -> Option<Portion> {
        let begins = self.declared.is_none();
        let end = self.end.unwrap_or(SessionTime::MAX);
        let is_due = |frame: &Frame| frame.time <= reached && frame.time < end;
        let due = Declared::of(self.frames.iter().filter(|frame| is_due(frame)));
        let waits = begins && !(due.video && due.audio) && self.start.is_none_or(|it| it > late);
        if waits || !(due.video || due.audio) {
            return None;
        }
        self.declared.get_or_insert(due);
        let frames = self.take(is_due);
        (!frames.is_empty()).then_some(Portion { begins, frames, ends: false })
    }

    /// Takes the frames of the current fragment that `is_due` selects, in order of time.
    fn take(&mut self, is_due: impl Fn(&Frame) -> bool) -> Vec<Frame> {
        let fits = |frame: &Frame| self.declared.is_none_or(|declared| declared.has(frame));
        let frames = std::mem::take(&mut self.frames);
        let (mut due, rest): (Vec<_>, _) =
            frames.into_iter().partition(|frame| fits(frame) && is_due(frame));
        self.frames = rest;
        due.sort_by_key(|frame| (frame.time, !frame.is_video()));
        due
    }

    /// Starts the next fragment with the frames that are already there.
    fn restart(&mut self, start: SessionTime, frames: Vec<Frame>) {
        (self.start, self.end, self.declared, self.bytes) = (Some(start), None, None, 0);
        for frame in frames {
            if self.end.is_none() && self.cuts(&frame, start) {
                self.end = Some(frame.time);
            }
            self.bytes += frame.data.len();
            self.frames.push(frame);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::picture_size::PictureSize;
    use super::*;

    fn config(level: u8) -> Arc<AvcConfig> {
        let size = PictureSize { width: 16, height: 16 };
        Arc::new(AvcConfig { record: vec![level], size })
    }

    fn audio(ms: i64) -> Frame {
        Frame { time: SessionTime::ms(ms), track: Track::Audio, data: vec![1] }
    }

    fn video(ms: i64, is_key: bool) -> Frame {
        let track = Track::Video { is_key, config: config(1) };
        Frame { time: SessionTime::ms(ms), track, data: vec![2] }
    }

    fn builder(length_ms: u32) -> FragmentBuilder {
        FragmentBuilder::new(FragmentOptions { length_ms, progressive: false })
    }

    fn progressive(length_ms: u32) -> FragmentBuilder {
        FragmentBuilder::new(FragmentOptions { length_ms, progressive: true })
    }

    fn whole(frames: impl IntoIterator<Item = Frame>) -> Portion {
        Portion { begins: true, frames: frames.into_iter().collect(), ends: true }
    }

    fn rest(builder: &mut FragmentBuilder) -> Vec<Frame> {
        builder.finish().unwrap().frames
    }

    /// Pushes frames every 20 ms of audio and 100 ms of video up to `end_ms`, with key frames at
    /// the given times, and returns the first and last time of each fragment.
    fn cut(mut builder: FragmentBuilder, end_ms: i64, keys: &[i64]) -> Vec<(i64, i64)> {
        let mut portions = Vec::new();
        for ms in (0..end_ms).step_by(20) {
            builder.push(audio(ms));
            if ms % 100 == 0 {
                builder.push(video(ms, keys.contains(&ms)));
            }
            portions.extend(builder.poll(SessionTime::ms(ms)));
        }
        portions.extend(std::iter::from_fn(|| builder.poll(SessionTime::MAX)));
        portions.extend(builder.finish());
        let mut spans: Vec<(i64, i64)> = Vec::new();
        let mut ended = true;
        for Portion { begins, frames, ends } in portions {
            assert_eq!(begins, ended, "a fragment begins behind the end of the one before");
            ended = ends;
            if begins {
                spans.push((frames[0].time.as_ms(), 0));
            }
            for frame in frames {
                let last = &mut spans.last_mut().unwrap().1;
                assert!(*last <= frame.time.as_ms(), "frames are in order of time");
                *last = frame.time.as_ms();
            }
        }
        assert!(ended);
        spans
    }

    #[test]
    fn fragments_begin_with_key_frames_near_the_target() {
        for new in [builder, progressive] {
            let keys: Vec<i64> = (0..20).map(|n| n * 1500).collect();
            let spans = cut(new(10_000), 25_000, &keys);
            assert_eq!(spans, [(0, 8980), (9000, 17_980), (18_000, 24_980)]);
            let keys: Vec<i64> = (0..20).map(|n| n * 1000).collect();
            assert_eq!(cut(new(2000), 3000, &keys), [(0, 980), (1000, 1980), (2000, 2980)]);
        }
    }

    #[test]
    fn a_fragment_ends_without_a_key_frame_before_kvs_refuses_it() {
        for new in [builder, progressive] {
            assert_eq!(cut(new(10_000), 13_000, &[0]), [(0, 11_480), (11_500, 12_980)]);
            assert_eq!(cut(new(20_000), 20_000, &[0]), [(0, 19_480), (19_500, 19_980)]);
        }
    }

    #[test]
    fn a_progressive_frame_waits_for_earlier_ones_of_the_other_track() {
        let mut builder = progressive(10_000);
        let poll = |builder: &mut FragmentBuilder, ms| {
            builder.poll(SessionTime::ms(ms)).map(|it| (it.begins, it.frames, it.ends))
        };
        builder.push(video(0, true));
        assert_eq!(poll(&mut builder, 100), None, "the audio may be declared too");
        builder.push(audio(10));
        assert_eq!(poll(&mut builder, 110), None);
        builder.push(video(33, false));
        assert_eq!(poll(&mut builder, 120), Some((true, vec![video(0, true), audio(10)], false)));
        assert_eq!(poll(&mut builder, 232), None);
        assert_eq!(poll(&mut builder, 233), Some((false, vec![video(33, false)], false)));
        builder.push(audio(31));
        assert_eq!(poll(&mut builder, 233), Some((false, vec![audio(31)], false)), "it is kept");
        assert!(builder.finish().unwrap().ends);
        assert_eq!(builder.finish(), None);
    }

    #[test]
    fn a_progressive_fragment_ends_before_a_track_that_it_does_not_declare() {
        let mut builder = progressive(10_000);
        builder.push(video(0, true));
        builder.push(video(100, false));
        let first = builder.poll(SessionTime::ms(200)).unwrap();
        assert_eq!((first.begins, first.frames), (true, vec![video(0, true)]));
        builder.push(audio(90));
        builder.push(video(200, false));
        builder.push(audio(201));
        let end = builder.poll(SessionTime::ms(201)).unwrap();
        assert_eq!((end.frames, end.ends), (vec![], true));
        let next = builder.poll(SessionTime::ms(201)).unwrap();
        let frames = vec![audio(90), video(100, false), video(200, false)];
        assert_eq!(next, Portion { begins: true, frames, ends: false });
    }

    #[test]
    fn a_cut_waits_for_the_audio_that_was_spoken_before_it() {
        let mut builder = builder(2000);
        builder.push(video(0, true));
        builder.push(audio(10));
        builder.push(video(2000, true));
        assert_eq!(builder.poll(SessionTime::ms(2100)), None);
        builder.push(audio(1990));
        assert_eq!(builder.poll(SessionTime::ms(2100)), None);
        builder.push(audio(2010));
        let first = builder.poll(SessionTime::ms(2100)).unwrap();
        assert_eq!(first, whole([video(0, true), audio(10), audio(1990)]));
        assert_eq!(rest(&mut builder), [video(2000, true), audio(2010)]);
    }

    #[test]
    fn a_cut_does_not_wait_for_a_track_that_has_stopped() {
        let mut builder = builder(2000);
        builder.push(video(0, true));
        builder.push(audio(10));
        builder.push(video(2000, true));
        assert_eq!(builder.poll(SessionTime::ms(2999)), None);
        assert!(builder.poll(SessionTime::ms(3000)).is_some());
        builder.push(audio(1800));
        assert_eq!(rest(&mut builder), [audio(1800), video(2000, true)], "late audio is kept");
    }

    #[test]
    fn another_description_begins_a_fragment() {
        let mut builder = builder(10_000);
        builder.push(video(0, true));
        builder.push(audio(0));
        let track = Track::Video { is_key: true, config: config(2) };
        builder.push(Frame { track, ..video(500, true) });
        builder.push(audio(500));
        assert_eq!(builder.poll(SessionTime::ms(500)).unwrap().frames.len(), 2);
    }

    #[test]
    fn time_does_not_go_back_on_a_track() {
        let mut builder = builder(10_000);
        for ms in [100, 90, 101] {
            builder.push(audio(ms));
        }
        let times: Vec<i64> = rest(&mut builder).iter().map(|frame| frame.time.as_ms()).collect();
        assert_eq!(times, [100, 101, 102]);
    }
}
