//! The expected samples of a producer, computed from its packets and pauses and never from their
//! time stamps, and the comparison of delivered samples with them.

use std::ops::RangeInclusive;

use crate::opus;

mod walk;
use walk::Walk;

/// Time for which the producer sent no sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// Number of packets before it.
    pub after: usize,
    /// Its length in samples; a range if the producer's clock does not determine it.
    pub samples: RangeInclusive<usize>,
}

impl Pause {
    /// A pause of exactly `ms` milliseconds.
    pub fn of_ms(after: usize, ms: usize) -> Self {
        Self { after, samples: ms * 16..=ms * 16 }
    }
}

#[derive(Debug, Clone)]
enum Span {
    Sound(Vec<i16>),
    Pause(RangeInclusive<usize>),
}

/// The sound that a producer sent, once and in order.
#[derive(Debug, Clone)]
pub struct ExpectedLine {
    spans: Vec<Span>,
}

/// The result of comparing delivered samples with an [`ExpectedLine`].
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Samples that were sent and not delivered.
    pub missing: u64,
    /// Samples that were delivered and not sent: repeats and surplus silence.
    pub surplus: u64,
    /// Samples at the right position with the wrong value.
    pub wrong: u64,
    /// SNR of the samples at the right position, without the settling time after a pause or a
    /// fault, dB; infinite if they are equal.
    pub decibels: f64,
    /// A description of each fault; after the first few, all remaining samples count as wrong.
    pub faults: Vec<String>,
}

impl Comparison {
    /// Returns the number of samples that are missing, surplus or wrong.
    pub fn lost(&self) -> u64 {
        self.missing + self.surplus + self.wrong
    }
}

impl ExpectedLine {
    /// Returns the line of all samples that libopus decodes from `packets`, after the first
    /// `pre_skip` samples.
    pub fn of<P: AsRef<[u8]>>(packets: &[P], pre_skip: usize) -> Self {
        Self::with_pauses(packets, pre_skip, &[])
    }

    /// As [`ExpectedLine::of`], with `pauses`, in order, between the packets; one decoder decodes
    /// all packets.
    pub fn with_pauses<P: AsRef<[u8]>>(packets: &[P], pre_skip: usize, pauses: &[Pause]) -> Self {
        let mut sounds = opus::decode_each(packets).into_iter();
        let mut spans = Vec::new();
        let mut said = 0;
        for pause in pauses {
            assert!(pause.after >= said, "pauses are in the order of the packets");
            spans.push(Span::Sound(sounds.by_ref().take(pause.after - said).flatten().collect()));
            spans.push(Span::Pause(pause.samples.clone()));
            said = pause.after;
        }
        spans.push(Span::Sound(sounds.flatten().collect()));
        if let Some(Span::Sound(first)) = spans.first_mut() {
            first.drain(..pre_skip.min(first.len()));
        }
        Self { spans }
    }

    /// Returns the number of samples, without the pauses.
    pub fn sound(&self) -> usize {
        let length = |span: &Span| if let Span::Sound(sound) = span { sound.len() } else { 0 };
        self.spans.iter().map(length).sum()
    }

    /// Returns the line of the first `samples` samples. Panics if this line has pauses.
    #[must_use]
    pub fn beginning(&self, samples: usize) -> Self {
        let [Span::Sound(sound)] = &self.spans[..] else { panic!("a line with pauses") };
        Self { spans: vec![Span::Sound(sound[..samples.min(sound.len())].to_vec())] }
    }

    /// Compares `delivered`, whose decoder was reset at the positions `seams`. Before the first
    /// seam and the first pause, each sample must equal libopus's.
    pub fn compare(&self, delivered: &[i16], seams: &[usize]) -> Comparison {
        let mut walk = Walk::new(delivered, seams);
        for (index, span) in self.spans.iter().enumerate() {
            match span {
                Span::Sound(sound) => walk.sound(sound),
                Span::Pause(range) => {
                    let next = self.spans.get(index + 1);
                    let next = if let Some(Span::Sound(sound)) = next { &sound[..] } else { &[] };
                    walk.pause(range, next, index + 2 == self.spans.len());
                }
            }
        }
        walk.done()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packets() -> Vec<Vec<u8>> {
        opus::encode(&opus::Settings::default(), &crate::pcm::speech_like(1, 48_000 * 6))
    }

    fn heard(packets: &[Vec<u8>]) -> Vec<i16> {
        opus::decode(packets).split_off(104)
    }

    #[test]
    fn the_line_itself_is_the_same() {
        let packets = packets();
        let found = ExpectedLine::of(&packets, 104).compare(&heard(&packets), &[]);
        assert_eq!((found.lost(), found.decibels), (0, f64::INFINITY));
        assert!(found.faults.is_empty());
    }

    #[test]
    fn one_changed_sample_is_seen_where_no_seam_excuses_it() {
        let (packets, at) = (packets(), 40_000);
        let line = ExpectedLine::of(&packets, 104);
        let mut delivered = heard(&packets);
        delivered[at] += 1;
        assert!(line.compare(&delivered, &[]).lost() > 0);
        let after_a_seam = line.compare(&delivered, &[16_000]);
        assert_eq!(after_a_seam.lost(), 0, "{:?}", after_a_seam.faults);
        assert!(after_a_seam.decibels > 40.0 && after_a_seam.decibels.is_finite());
    }

    #[test]
    fn holes_and_repeats_are_named_with_their_length() {
        let packets = packets();
        let (line, whole) = (ExpectedLine::of(&packets, 104), heard(&packets));
        for seams in [&[][..], &[8_000]] {
            let hole = [&whole[..32_000], &whole[32_320..]].concat();
            let found = line.compare(&hole, seams);
            assert_eq!((found.missing, found.surplus, found.wrong), (320, 0, 0), "{found:?}");
            let again = [&whole[..48_000], &whole[16_000..]].concat();
            let found = line.compare(&again, seams);
            assert_eq!((found.missing, found.surplus, found.wrong), (0, 32_000, 0), "{found:?}");
            let short = line.compare(&whole[..whole.len() - 3_200], seams);
            assert_eq!((short.missing, short.surplus, short.wrong), (3_200, 0, 0), "{short:?}");
            let long = line.compare(&[&whole[..], &whole[..500]].concat(), seams);
            assert_eq!((long.missing, long.surplus, long.wrong), (0, 500, 0), "{long:?}");
        }
    }

    #[test]
    fn a_hole_that_is_filled_up_elsewhere_is_no_match_of_counts() {
        let packets = packets();
        let (line, whole) = (ExpectedLine::of(&packets, 104), heard(&packets));
        let moved =
            [&whole[..32_000], &whole[32_960..64_000], &[0; 960], &whole[64_000..]].concat();
        assert_eq!(moved.len(), whole.len());
        let found = line.compare(&moved, &[]);
        assert_eq!((found.missing, found.surplus), (960, 960), "{found:?}");
    }

    #[test]
    fn a_pause_may_last_as_long_as_it_is_said_to() {
        let packets = packets();
        let whole = heard(&packets);
        let at = 100 * 320 - 104;
        let delivered = [&whole[..at], &[0; 5_000], &whole[at..]].concat();
        let line =
            |samples| ExpectedLine::with_pauses(&packets, 104, &[Pause { after: 100, samples }]);
        for range in [5_000..=5_000, 0..=16_000, 4_999..=5_001] {
            let found = line(range.clone()).compare(&delivered, &[]);
            assert_eq!((found.lost(), found.decibels), (0, f64::INFINITY), "{range:?} {found:?}");
        }
        for range in [4_000..=4_000, 5_001..=9_000] {
            assert!(line(range.clone()).compare(&delivered, &[]).lost() > 0, "{range:?}");
        }
    }
}
