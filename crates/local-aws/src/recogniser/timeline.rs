//! Where the samples of a process's input lie in the session, and when they were spoken.

use std::collections::VecDeque;

use crate::lambda::SAMPLES_PER_MS;

/// A longer gap in the audio becomes silence of this many samples: two seconds end a sentence.
const MAX_SILENCE: u64 = 2000 * SAMPLES_PER_MS;
/// A difference of the producer's clock from the count of samples that is ignored, in ms.
const JITTER_MS: i64 = 20;
/// The most spans; the oldest is dropped first.
const SPANS: usize = 4096;

/// The input as spans without gaps, newest last.
#[derive(Debug)]
pub(super) struct Timeline {
    spans: VecDeque<Span>,
    /// Samples of the input, silence included.
    length: u64,
    /// Position in the session after the last sample.
    end: u64,
}

#[derive(Debug, Clone, Copy)]
struct Span {
    /// Its first sample in the input.
    input: u64,
    point: AudioPoint,
}

/// A point in the audio of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AudioPoint {
    /// Position, in samples.
    pub(super) position: u64,
    /// When it was spoken, in ms since the epoch.
    pub(super) spoken_ms: i64,
}

impl AudioPoint {
    /// Returns the position in ms.
    pub(super) fn position_ms(self) -> u64 {
        self.position / SAMPLES_PER_MS
    }
}

impl Timeline {
    /// Creates the timeline of an input that begins at this point.
    pub(super) fn new(point: AudioPoint) -> Self {
        let spans = VecDeque::from([Span { input: 0, point }]);
        Self { spans, length: 0, end: point.position }
    }

    /// Adds samples that lie at this point. Returns the samples of silence before them.
    pub(super) fn add(&mut self, point: AudioPoint, count: u64) -> u64 {
        let silence = point.position.saturating_sub(self.end).min(MAX_SILENCE);
        let input = self.length + silence;
        let expected = self.at(input);
        let drift = point.spoken_ms.saturating_sub(expected.spoken_ms).saturating_abs();
        if point.position != expected.position || drift > JITTER_MS {
            self.spans.push_back(Span { input, point });
            if self.spans.len() > SPANS {
                self.spans.pop_front();
            }
        }
        self.length = input + count;
        self.end = point.position + count;
        silence
    }

    /// Returns the point of a time in the input, in ms; of its end for a later time.
    pub(super) fn at_ms(&self, input_ms: u64) -> AudioPoint {
        self.at(input_ms.saturating_mul(SAMPLES_PER_MS).min(self.length))
    }

    fn at(&self, input: u64) -> AudioPoint {
        let span = self.spans.iter().rev().find(|span| span.input <= input);
        let Some(span) = span.or(self.spans.front()) else {
            return AudioPoint { position: input, spoken_ms: 0 };
        };
        let after = input.saturating_sub(span.input);
        let after_ms = i64::try_from(after / SAMPLES_PER_MS).unwrap_or(i64::MAX);
        AudioPoint {
            position: span.point.position + after,
            spoken_ms: span.point.spoken_ms.saturating_add(after_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(position_ms: u64, spoken_ms: i64) -> AudioPoint {
        AudioPoint { position: position_ms * SAMPLES_PER_MS, spoken_ms }
    }

    fn second(timeline: &mut Timeline, point: AudioPoint) -> u64 {
        timeline.add(point, 1000 * SAMPLES_PER_MS) / SAMPLES_PER_MS
    }

    #[test]
    fn a_gap_becomes_silence_and_later_words_keep_their_place() {
        let mut timeline = Timeline::new(point(500, 10_500));
        assert_eq!(second(&mut timeline, point(500, 10_500)), 0);
        assert_eq!(second(&mut timeline, point(1_800, 11_800)), 300);
        assert_eq!(second(&mut timeline, point(62_800, 72_800)), 2_000);
        assert_eq!(timeline.at_ms(0), point(500, 10_500));
        assert_eq!(timeline.at_ms(1_400), point(1_900, 11_900));
        // Words in the silence lie directly after the audio before it.
        assert_eq!(timeline.at_ms(2_400), point(2_900, 12_900));
        assert_eq!(timeline.at_ms(4_400), point(62_900, 72_900));
        assert_eq!(timeline.at_ms(u64::MAX), point(63_800, 73_800));
    }

    #[test]
    fn a_clock_that_runs_slightly_off_keeps_its_times() {
        let mut timeline = Timeline::new(point(0, 0));
        for at in 0..100 {
            second(&mut timeline, point(at * 1_000, i64::try_from(at).unwrap() * 1_001));
        }
        assert_eq!(timeline.spans.len(), 5, "one for each 21 ms of drift");
        assert_eq!(timeline.at_ms(90_000), point(90_000, 90_084));
    }

    #[test]
    fn the_oldest_spans_are_dropped() {
        let mut timeline = Timeline::new(point(0, 0));
        for at in 0..2 * SPANS as u64 {
            second(&mut timeline, point(at * 1_000, i64::try_from(at).unwrap() * 2_000));
        }
        assert_eq!(timeline.spans.len(), SPANS);
        assert_eq!(timeline.at_ms(5_000_000), point(5_000_000, 10_000_000));
    }
}
