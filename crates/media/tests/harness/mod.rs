//! Runs a stream over bytes and records the outputs.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part of the harness")]

pub mod aac;

use std::collections::BTreeMap;
use std::sync::Mutex;

use media::{Output, ResumePoint, Stream, StreamOptions, Tail};
use testkit::getmedia::{self, Fragment, Framing};
use testkit::{opus, pcm};

/// Producer clock at which the tests' sessions start, ms since the epoch.
pub const T0: i64 = 1_700_000_000_000;

/// All outputs of a stream, owned.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outputs {
    /// Start, samples, filled, producer clock of each Pcm.
    pub pcm: Vec<(u64, Vec<i16>, u32, i64)>,
    pub gaps: Vec<(u64, u64)>,
    pub resume_points: Vec<ResumePoint>,
    pub completed: Vec<String>,
    pub repeated: Vec<String>,
    /// All other outputs, as debug text.
    pub reports: Vec<String>,
}

impl Outputs {
    /// Pushes `bytes` in pieces of `piece` and drains after each.
    pub fn push(&mut self, stream: &mut Stream, bytes: &[u8], piece: usize) {
        let mut chunks = bytes.chunks(piece);
        let mut rest = &[][..];
        while let Some(chunk) = if rest.is_empty() { chunks.next() } else { Some(rest) } {
            rest = stream.push(chunk);
            self.drain(stream);
        }
    }

    /// Records all outputs of the stream.
    pub fn drain(&mut self, stream: &mut Stream) {
        while let Some(output) = stream.poll() {
            self.record(output);
        }
    }

    fn record(&mut self, output: Output<'_>) {
        match output {
            Output::Pcm { start, samples, filled, producer_ms } => {
                self.pcm.push((start, samples.to_vec(), filled, producer_ms));
            }
            Output::Gap { start, samples } => self.gaps.push((start, samples)),
            Output::FragmentStarted { resume_point, .. } => self.resume_points.push(resume_point),
            Output::FragmentCompleted { number, .. } => self.completed.push(number.to_string()),
            Output::FragmentRepeated { number } => self.repeated.push(number.to_string()),
            other => self.reports.push(format!("{other:?}")),
        }
    }

    /// Position and length of each Pcm.
    pub fn positions(&self) -> Vec<(u64, usize)> {
        self.pcm.iter().map(|(start, samples, ..)| (*start, samples.len())).collect()
    }

    /// All samples in a row; asserts that they are adjacent from position `from` on.
    pub fn joined(&self, from: u64) -> Vec<i16> {
        let mut all = Vec::new();
        for (start, samples, ..) in &self.pcm {
            assert_eq!(*start, from + all.len() as u64, "a hole or an overlap");
            all.extend_from_slice(samples);
        }
        all
    }

    /// Samples at and after position `from`, keyed by position.
    pub fn from(&self, from: u64) -> Vec<(u64, i16)> {
        let each = self.pcm.iter().flat_map(|(start, samples, ..)| {
            samples.iter().enumerate().map(move |(index, &sample)| (start + index as u64, sample))
        });
        each.filter(|&(position, _)| position >= from).collect()
    }
}

/// A fresh stream over one body.
pub fn decode(bytes: &[u8], piece: usize) -> (Outputs, Tail, Stream) {
    let mut stream = Stream::start(StreamOptions::default());
    let mut outputs = Outputs::default();
    outputs.push(&mut stream, bytes, piece);
    let tail = stream.finish();
    (outputs, tail, stream)
}

/// All outputs, including the samples that the decoder holds at the end.
pub fn flushed(mut outputs: Outputs, mut stream: Stream) -> Vec<i16> {
    stream.flush();
    outputs.drain(&mut stream);
    outputs.joined(0)
}

/// 20 ms packets of speech-like audio.
pub fn packets(seed: u64, seconds: usize) -> Vec<Vec<u8>> {
    encoded(seed, seconds, 200)
}

/// Packets of `frame` tenths of a millisecond, encoded once per process.
pub fn encoded(seed: u64, seconds: usize, frame: u32) -> Vec<Vec<u8>> {
    type Known = BTreeMap<(u64, usize, u32), Vec<Vec<u8>>>;
    static KNOWN: Mutex<Known> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap();
    let encode = || {
        let settings = opus::Settings { frame, ..opus::Settings::default() };
        opus::encode(&settings, &pcm::speech_like(seed, seconds * 48_000))
    };
    known.entry((seed, seconds, frame)).or_insert_with(encode).clone()
}

/// Packets in fragments of two seconds.
pub fn fragments(packets: &[Vec<u8>]) -> Vec<Fragment> {
    getmedia::fragments(packets, 200, 2000, T0)
}

/// A plain GetMedia body of the fragments.
pub fn body(fragments: &[Fragment]) -> Vec<u8> {
    getmedia::body(&Framing::default(), fragments)
}

/// The PCM of bare libopus, without pre-skip (312 samples at 48 kHz).
pub fn reference(packets: &[Vec<u8>]) -> Vec<i16> {
    opus::decode(packets)[104..].to_vec()
}
