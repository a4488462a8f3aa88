//! Arbitrary bytes as three bodies of one session: no panic, positions only increase, the counters
//! equal the output, and the division into pieces does not change it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use media::{Output, Stream, StreamOptions};

fuzz_target!(|input: &[u8]| {
    let Some((&piece, bytes)) = input.split_first() else { return };
    let in_pieces = run(bytes, usize::from(piece) + 1);
    assert_eq!(in_pieces, run(bytes, bytes.len().max(1)));
});

/// Returns the end position, the number of samples and their sum.
fn run(bytes: &[u8], piece: usize) -> (u64, u64, i64) {
    let mut stream = Stream::start(StreamOptions::default());
    let mut totals = Totals::default();
    let (first, second) = bytes.split_at(bytes.len() / 2);
    for body in [bytes, first, second] {
        for mut chunk in body.chunks(piece) {
            while !chunk.is_empty() {
                chunk = stream.push(chunk);
                totals.drain(&mut stream);
            }
        }
        stream.finish();
        totals.drain(&mut stream);
    }
    stream.flush();
    totals.drain(&mut stream);
    let counters = stream.counters();
    assert_eq!(counters.samples, totals.samples);
    assert!(counters.filled_samples <= counters.samples);
    (totals.next, totals.samples, totals.sum)
}

#[derive(Default)]
struct Totals {
    next: u64,
    samples: u64,
    sum: i64,
}

impl Totals {
    fn drain(&mut self, stream: &mut Stream) {
        while let Some(output) = stream.poll() {
            match output {
                Output::Pcm { start, samples, filled, .. } => {
                    assert!(start >= self.next, "{start} after {}", self.next);
                    assert!(filled as usize <= samples.len());
                    self.next = start + samples.len() as u64;
                    self.samples += samples.len() as u64;
                    self.sum += samples.iter().map(|sample| i64::from(*sample)).sum::<i64>();
                }
                Output::Gap { start, samples } => {
                    assert!(start >= self.next);
                    self.next = start + samples;
                }
                _ => {}
            }
        }
    }
}
