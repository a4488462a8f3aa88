//! Any bytes, as two bodies of one session: no panic, positions only rise, what is counted is what
//! came out, and pieces change nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use media::{Output, Stream, StreamOptions};

fuzz_target!(|input: &[u8]| {
    let Some((&piece, bytes)) = input.split_first() else { return };
    let in_pieces = run(bytes, usize::from(piece) + 1);
    assert_eq!(in_pieces, run(bytes, bytes.len().max(1)));
});

/// What came out: positions and a sum over the samples.
fn run(bytes: &[u8], piece: usize) -> (u64, u64, i64) {
    let mut stream = Stream::start(StreamOptions::default());
    let mut heard = Heard::default();
    let (first, second) = bytes.split_at(bytes.len() / 2);
    for body in [bytes, first, second] {
        for mut chunk in body.chunks(piece) {
            while !chunk.is_empty() {
                chunk = stream.push(chunk);
                heard.drain(&mut stream);
            }
        }
        stream.finish();
        heard.drain(&mut stream);
    }
    stream.flush();
    heard.drain(&mut stream);
    let counters = stream.counters();
    assert_eq!(counters.samples, heard.samples);
    assert!(counters.filled_samples <= counters.samples);
    (heard.next, heard.samples, heard.sum)
}

#[derive(Default)]
struct Heard {
    next: u64,
    samples: u64,
    sum: i64,
}

impl Heard {
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
