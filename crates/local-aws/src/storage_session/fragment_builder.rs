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

/// Returns how often key frames are requested for fragments of `fragment_ms`.
pub(super) fn key_interval_ms(fragment_ms: u32) -> i64 {
    MAX_KEY_INTERVAL_MS.min(i64::from(fragment_ms) / 2)
}

/// Collects frames until a fragment is complete.
///
/// A fragment ends before the first key frame that comes less than a key frame interval before the
/// target or later, before a key frame with another description, or, if no key frame comes, one
/// interval after the target.
#[derive(Debug)]
pub(super) struct FragmentBuilder {
    earliest: SessionTime,
    latest: SessionTime,
    /// In order of arrival; those of each track are in order of time.
    frames: Vec<Frame>,
    bytes: usize,
    start: Option<SessionTime>,
    /// The end of the current fragment, once it is decided.
    end: Option<SessionTime>,
    config: Option<Arc<AvcConfig>>,
    last_video: Option<SessionTime>,
    last_audio: Option<SessionTime>,
}

impl FragmentBuilder {
    /// Creates a builder of fragments of about `fragment_ms`.
    pub(super) fn new(fragment_ms: u32) -> Self {
        let (target, interval) = (i64::from(fragment_ms), key_interval_ms(fragment_ms));
        Self {
            earliest: SessionTime::ms(target - interval),
            latest: SessionTime::ms((target + interval).min(LATEST_CUT_MS)),
            frames: Vec::new(),
            bytes: 0,
            start: None,
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
        if self.end.is_none() && self.cuts(&frame, start) {
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

    /// Returns the frames of the next complete fragment, in order of time, if the frames of both
    /// tracks have reached its end, or `now` is a second after it.
    pub(super) fn poll(&mut self, now: SessionTime) -> Option<Vec<Frame>> {
        let end = self.end?;
        let reached = |last: Option<SessionTime>| last.is_some_and(|last| last >= end);
        let waits = !reached(self.last_video) || !reached(self.last_audio);
        if waits && now - end < LATENESS {
            return None;
        }
        let frames = std::mem::take(&mut self.frames);
        let (done, rest) = frames.into_iter().partition(|frame| frame.time < end);
        self.restart(end, rest);
        Some(in_order(done))
    }

    /// Returns the frames of the last fragment.
    pub(super) fn finish(&mut self) -> Vec<Frame> {
        in_order(std::mem::take(&mut self.frames))
    }

    /// Starts the next fragment with the frames that are already there.
    fn restart(&mut self, start: SessionTime, frames: Vec<Frame>) {
        (self.start, self.end, self.bytes) = (Some(start), None, 0);
        for frame in frames {
            if self.end.is_none() && self.cuts(&frame, start) {
                self.end = Some(frame.time);
            }
            self.bytes += frame.data.len();
            self.frames.push(frame);
        }
    }
}

fn in_order(mut frames: Vec<Frame>) -> Vec<Frame> {
    frames.sort_by_key(|frame| (frame.time, !frame.is_video()));
    frames
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

    /// Pushes frames every 20 ms of audio and 100 ms of video up to `end_ms`, with key frames at
    /// the given times, and returns the first and last time of each fragment.
    fn cut(fragment_ms: u32, end_ms: i64, keys: &[i64]) -> Vec<(i64, i64)> {
        let mut builder = FragmentBuilder::new(fragment_ms);
        let mut spans = Vec::new();
        for ms in (0..end_ms).step_by(20) {
            builder.push(audio(ms));
            if ms % 100 == 0 {
                builder.push(video(ms, keys.contains(&ms)));
            }
            spans.extend(builder.poll(SessionTime::ms(ms)).map(|frames| span(&frames)));
        }
        spans.push(span(&builder.finish()));
        spans
    }

    fn span(frames: &[Frame]) -> (i64, i64) {
        (frames[0].time.as_ms(), frames[frames.len() - 1].time.as_ms())
    }

    #[test]
    fn fragments_begin_with_key_frames_near_the_target() {
        let keys: Vec<i64> = (0..20).map(|n| n * 1500).collect();
        assert_eq!(cut(10_000, 25_000, &keys), [(0, 8980), (9000, 17_980), (18_000, 24_980)]);
        let keys: Vec<i64> = (0..20).map(|n| n * 1000).collect();
        assert_eq!(cut(2000, 3000, &keys), [(0, 980), (1000, 1980), (2000, 2980)]);
    }

    #[test]
    fn a_fragment_ends_without_a_key_frame_before_kvs_refuses_it() {
        assert_eq!(cut(10_000, 13_000, &[0]), [(0, 11_480), (11_500, 12_980)]);
        assert_eq!(cut(20_000, 20_000, &[0]), [(0, 19_480), (19_500, 19_980)]);
    }

    #[test]
    fn a_cut_waits_for_the_audio_that_was_spoken_before_it() {
        let mut builder = FragmentBuilder::new(2000);
        builder.push(video(0, true));
        builder.push(audio(10));
        builder.push(video(2000, true));
        assert_eq!(builder.poll(SessionTime::ms(2100)), None);
        builder.push(audio(1990));
        assert_eq!(builder.poll(SessionTime::ms(2100)), None);
        builder.push(audio(2010));
        let frames = builder.poll(SessionTime::ms(2100)).unwrap();
        assert_eq!(frames, [video(0, true), audio(10), audio(1990)]);
        assert_eq!(builder.finish(), [video(2000, true), audio(2010)]);
    }

    #[test]
    fn a_cut_does_not_wait_for_a_track_that_has_stopped() {
        let mut builder = FragmentBuilder::new(2000);
        builder.push(video(0, true));
        builder.push(audio(10));
        builder.push(video(2000, true));
        assert_eq!(builder.poll(SessionTime::ms(2999)), None);
        assert!(builder.poll(SessionTime::ms(3000)).is_some());
        builder.push(audio(1800));
        assert_eq!(builder.finish(), [audio(1800), video(2000, true)], "late audio is kept");
    }

    #[test]
    fn another_description_begins_a_fragment() {
        let mut builder = FragmentBuilder::new(10_000);
        builder.push(video(0, true));
        builder.push(audio(0));
        let track = Track::Video { is_key: true, config: config(2) };
        builder.push(Frame { track, ..video(500, true) });
        builder.push(audio(500));
        assert_eq!(builder.poll(SessionTime::ms(500)).unwrap().len(), 2);
    }

    #[test]
    fn time_does_not_go_back_on_a_track() {
        let mut builder = FragmentBuilder::new(10_000);
        for ms in [100, 90, 101] {
            builder.push(audio(ms));
        }
        let times: Vec<i64> = builder.finish().iter().map(|frame| frame.time.as_ms()).collect();
        assert_eq!(times, [100, 101, 102]);
    }
}
