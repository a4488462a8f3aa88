//! Splits the sample timeline into chunks whose boundaries depend only on positions.
//!
//! Chunk n covers samples [n·C, (n+1)·C); its sequence is `start / C`. A re-run from any
//! checkpoint therefore produces the same chunks, and the processor can recognise duplicates. A
//! chunk is partial only before a skipped gap, after one, or at the end of the session.

use std::mem;

use media::FragmentNumber;

/// Contiguous samples to deliver to the processor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Position of the first sample.
    pub start: u64,
    /// 16 kHz mono PCM.
    pub samples: Vec<i16>,
    /// Samples in this chunk that no packet carried (concealed or silent).
    pub filled: u64,
    /// Samples directly before `start` that the producer never sent and that are not filled.
    pub gap: u64,
    /// Producer's wall clock at `start`, ms.
    pub producer_ms: u64,
    /// The fragment that carries the last sample.
    pub fragment: Option<FragmentNumber>,
    /// This is the last chunk of the session.
    pub last: bool,
}

impl Chunk {
    /// Returns the position after the last sample.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.start + self.samples.len() as u64
    }
}

/// Collects samples until a chunk is complete. Drops samples before its floor: they only warmed up
/// the decoder, or were processed before.
#[derive(Debug)]
pub struct Chunker {
    length: u64,
    next: u64,
    gap: u64,
    open: Option<Chunk>,
    fragment: Option<FragmentNumber>,
}

impl Chunker {
    /// Creates a chunker of `length` samples (at least 1), starting at position `floor`.
    #[must_use]
    pub fn new(length: u64, floor: u64) -> Self {
        Self { length: length.max(1), next: floor, gap: 0, open: None, fragment: None }
    }

    /// Returns the position up to which everything has been processed.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Sets the fragment to which the samples that follow belong.
    pub fn fragment(&mut self, number: FragmentNumber) {
        self.fragment = Some(number);
    }

    /// Adds PCM at position `start`, `filled` samples of which are concealed, and appends the
    /// completed chunks to `ready`.
    pub fn pcm(
        &mut self,
        start: u64,
        samples: &[i16],
        filled: u32,
        producer_ms: u64,
        ready: &mut Vec<Chunk>,
    ) {
        let known = self.next.saturating_sub(start);
        let Some(mut rest) = usize::try_from(known).ok().and_then(|known| samples.get(known..))
        else {
            return;
        };
        if rest.is_empty() {
            return;
        }
        // A jump that the media path did not announce is a gap too: positions must stay correct.
        if start > self.next {
            self.gap(self.next, start - self.next, ready);
        }
        // Concealed samples come first in each block from the media path.
        let mut filled = u64::from(filled).saturating_sub(known);
        while !rest.is_empty() {
            let room = (self.next / self.length + 1) * self.length - self.next;
            let take = rest.len().min(usize::try_from(room).unwrap_or(usize::MAX));
            let (now, later) = rest.split_at(take);
            rest = later;
            let fill = filled.min(take as u64);
            filled -= fill;
            let at = producer_ms + (self.next.saturating_sub(start)) / crate::SAMPLES_PER_MS;
            self.append(now, fill, at);
            if self.next.is_multiple_of(self.length) {
                ready.extend(self.open.take());
            }
        }
    }

    /// Records that the producer sent nothing for `samples` samples from `start` and that they are
    /// not filled.
    pub fn gap(&mut self, start: u64, samples: u64, ready: &mut Vec<Chunk>) {
        let end = start + samples;
        if end <= self.next {
            return;
        }
        ready.extend(self.open.take());
        self.gap += end - self.next;
        self.next = end;
    }

    /// Ends the session: returns the remaining samples as its last chunk, which may be empty.
    pub fn finish(&mut self, producer_ms: u64) -> Chunk {
        let mut chunk = self.open.take().unwrap_or_else(|| Chunk {
            start: self.next,
            samples: Vec::new(),
            filled: 0,
            gap: mem::take(&mut self.gap),
            producer_ms,
            fragment: self.fragment.clone(),
            last: true,
        });
        chunk.last = true;
        chunk
    }

    fn append(&mut self, samples: &[i16], filled: u64, producer_ms: u64) {
        let (start, fragment) = (self.next, &self.fragment);
        let gap = &mut self.gap;
        let room = usize::try_from(self.length).unwrap_or_default();
        let chunk = self.open.get_or_insert_with(|| Chunk {
            start,
            samples: Vec::with_capacity(room),
            filled: 0,
            gap: mem::take(gap),
            producer_ms,
            fragment: None,
            last: false,
        });
        if chunk.fragment != *fragment {
            chunk.fragment.clone_from(fragment);
        }
        chunk.samples.extend_from_slice(samples);
        chunk.filled += filled;
        self.next += samples.len() as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LENGTH: u64 = 8;

    /// Output of the media path: PCM blocks and skipped gaps, by length.
    #[derive(Debug, Clone)]
    enum Step {
        Pcm(usize),
        Gap(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => (1usize..30).prop_map(Step::Pcm),
            1 => (1u64..40).prop_map(Step::Gap),
        ];
        prop::collection::vec(step, 0..40)
    }

    /// The sample at a position encodes the position, so that a misplaced sample is detected.
    fn sample(position: u64) -> i16 {
        i16::try_from(position % 30_000).unwrap()
    }

    fn cut(steps: &[Step], floor: u64) -> Vec<Chunk> {
        let mut chunker = Chunker::new(LENGTH, floor);
        let (mut position, mut ready) = (0, Vec::new());
        for step in steps {
            match *step {
                Step::Pcm(count) => {
                    let samples: Vec<i16> =
                        (position..position + count as u64).map(sample).collect();
                    chunker.pcm(position, &samples, 0, position / 16, &mut ready);
                    position += count as u64;
                }
                Step::Gap(count) => {
                    chunker.gap(position, count, &mut ready);
                    position += count;
                }
            }
        }
        ready.push(chunker.finish(position / 16));
        ready
    }

    proptest! {
        /// Chunks and the gaps before them cover the timeline exactly; every sample keeps its
        /// position.
        #[test]
        fn chunks_and_gaps_cover_the_timeline(steps in steps()) {
            let mut next = 0;
            for chunk in cut(&steps, 0) {
                prop_assert_eq!(chunk.start, next + chunk.gap);
                for (offset, value) in chunk.samples.iter().enumerate() {
                    prop_assert_eq!(*value, sample(chunk.start + offset as u64));
                }
                prop_assert!(chunk.samples.is_empty() || chunk.start / LENGTH == (chunk.end() - 1) / LENGTH);
                next = chunk.end();
            }
            let total: u64 = steps.iter().map(|step| match *step {
                Step::Pcm(count) => count as u64,
                Step::Gap(count) => count,
            }).sum();
            prop_assert_eq!(next, total);
        }

        /// A chunk is partial only at a gap or at the end.
        #[test]
        fn partial_only_at_a_gap_or_at_the_end(steps in steps()) {
            let chunks = cut(&steps, 0);
            for pair in chunks.windows(2) {
                let ends_on_edge = pair[0].end() % LENGTH == 0;
                prop_assert!(ends_on_edge || pair[1].gap > 0);
                let starts_on_edge = pair[1].start % LENGTH == 0;
                prop_assert!(starts_on_edge || pair[1].gap > 0);
            }
        }

        /// A re-run from the end of any chunk produces the same remaining chunks.
        #[test]
        fn a_rerun_from_any_chunk_cuts_the_same_rest(steps in steps(), pick in any::<prop::sample::Index>()) {
            let whole = cut(&steps, 0);
            let at = pick.index(whole.len());
            let floor = whole[at].end();
            let rest: Vec<Chunk> = cut(&steps, floor).into_iter().filter(|chunk| !chunk.samples.is_empty()).collect();
            let expected: Vec<Chunk> = whole[at + 1..].iter().filter(|chunk| !chunk.samples.is_empty()).cloned().collect();
            prop_assert_eq!(rest.len(), expected.len());
            for (again, first) in rest.iter().zip(&expected) {
                prop_assert_eq!((again.start, &again.samples), (first.start, &first.samples));
            }
        }
    }

    #[test]
    fn filled_samples_are_counted_where_they_stand() {
        let mut chunker = Chunker::new(4, 0);
        let mut ready = Vec::new();
        chunker.pcm(0, &[0; 12], 6, 0, &mut ready);
        let filled: Vec<u64> = ready.iter().map(|chunk| chunk.filled).collect();
        assert_eq!(filled, [4, 2, 0]);
    }

    #[test]
    fn the_last_chunk_is_empty_if_the_audio_ends_at_a_chunk_boundary() {
        let chunks = cut(&[Step::Pcm(16)], 0);
        let last = chunks.last().unwrap();
        assert!(last.last && last.samples.is_empty() && last.start == 16);
    }
}
