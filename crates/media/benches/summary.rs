//! The figures of docs/benchmarks.md: ratios to bare libopus on the same packets in the same run,
//! time from a block's last byte to its PCM, allocations and memory. `cargo bench -p media --bench
//! summary` prints them, writes them to `target/bench/summary.json`, and writes the recording for
//! the comparison of whole programs.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod work;

use std::alloc::System;
use std::hint::black_box;
use std::time::{Duration, Instant};

use media::{Stream, StreamOptions};
use serde_json::{Map, Value, json};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use testkit::{figures, opus, pcm, recorded};
use work::{READ_SIZE, Set, bare, feed, sets};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const SECONDS: usize = 20;

/// Paired runs per ratio.
const ROUNDS: usize = 41;

/// Bytes of libopus's mono decoder, which are allocated in C (libopus 1.3: 18.5 KB).
const LIBOPUS_BYTES: usize = 18_500;

fn main() {
    let sets = sets(SECONDS);
    let mut ratios = Map::new();
    for set in &sets {
        let ratio = ratio(set);
        println!("{:<14} {ratio:.3} × bare libopus", set.name);
        ratios.insert(set.name.to_owned(), json!(rounded(ratio)));
    }
    let speech = &sets[1];
    let (micros, worst) = block_to_pcm(speech);
    let allocations = allocations_per_packet(speech);
    let peak = sets.iter().map(peak_bytes).max().unwrap() + LIBOPUS_BYTES;
    println!("block to PCM   {micros:.1} µs (99th percentile {worst:.1} µs)");
    println!("allocations    {allocations} per packet in steady state");
    println!("memory         {peak} bytes at most per stream");
    figures::record(json!({
        "ratioToLibopus": Value::Object(ratios),
        "blockToPcmMicros": rounded(micros),
        "blockToPcmMicrosP99": rounded(worst),
        "allocationsPerPacket": allocations,
        "peakBytesPerStream": peak,
    }));
    std::fs::write(figures::folder().join("mono32k.mka"), ten_minutes()).unwrap();
}

fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// Returns the median of the ratios of paired runs. The order alternates, so that other load on the
/// machine affects both alike.
fn ratio(set: &Set) -> f64 {
    let mut ratios: Vec<f64> = (0..ROUNDS)
        .map(|round| {
            if round % 2 == 0 {
                let floor = floor(set);
                whole(set) / floor
            } else {
                let whole = whole(set);
                whole / floor(set)
            }
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    ratios[ROUNDS / 2]
}

/// Returns the time of bare libopus, in seconds.
fn floor(set: &Set) -> f64 {
    let start = Instant::now();
    black_box(bare(&set.packets));
    start.elapsed().as_secs_f64()
}

/// Returns the time of the whole pipeline, in seconds. Each read is first copied to the same
/// buffer, like that of a connection, so that the time to fetch the recording from memory is not
/// measured.
fn whole(set: &Set) -> f64 {
    let mut buffer = [0; READ_SIZE];
    let mut stream = Stream::start(StreamOptions::default());
    let mut spent = Duration::ZERO;
    for chunk in set.body.chunks(READ_SIZE) {
        let read = &mut buffer[..chunk.len()];
        read.copy_from_slice(chunk);
        let read = black_box(&*read);
        let start = Instant::now();
        black_box(feed(&mut stream, read));
        spent += start.elapsed();
    }
    spent.as_secs_f64()
}

/// Returns the time from a block's last byte to its PCM, including decoding, in µs: median and
/// 99th percentile.
fn block_to_pcm(set: &Set) -> (f64, f64) {
    let mut stream = Stream::start(StreamOptions::default());
    let (mut sent, mut times) = (0, Vec::new());
    for packet in &set.packets {
        let at = find(&set.body[sent..], packet).expect("the packet is in the body") + sent;
        let last = at + packet.len() - 1;
        for chunk in set.body[sent..last].chunks(READ_SIZE) {
            feed(&mut stream, chunk);
        }
        let before = stream.counters().packets;
        let start = Instant::now();
        black_box(feed(&mut stream, &set.body[last..=last]));
        times.push(start.elapsed());
        assert_eq!(stream.counters().packets, before + 1, "a block waits for more than its bytes");
        sent = last + 1;
    }
    times.sort();
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    (micros(times[times.len() / 2]), micros(times[times.len() * 99 / 100]))
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// Returns the allocations per packet over the blocks of one fragment in the middle, without those
/// at its start and end (number and token).
fn allocations_per_packet(set: &Set) -> f64 {
    let mut stream = Stream::start(StreamOptions::default());
    let first = &set.packets[500];
    let from = find(&set.body, first).unwrap() + first.len();
    let until = find(&set.body[from..], &set.packets[598]).unwrap() + from;
    for chunk in set.body[..from].chunks(READ_SIZE) {
        feed(&mut stream, chunk);
    }
    let before = stream.counters().packets;
    let region = Region::new(ALLOCATOR);
    for chunk in set.body[from..until].chunks(1460) {
        feed(&mut stream, chunk);
    }
    let packets = stream.counters().packets - before;
    let change = region.change();
    (change.allocations + change.reallocations) as f64 / packets as f64
}

/// Returns the peak of heap memory of one stream, measured after every read.
fn peak_bytes(set: &Set) -> usize {
    let region = Region::new(ALLOCATOR);
    let mut stream = Stream::start(StreamOptions::default());
    let mut peak = 0;
    for chunk in set.body.chunks(READ_SIZE) {
        feed(&mut stream, chunk);
        let change = region.change();
        // The difference of a reallocation is included in the allocated or deallocated bytes.
        peak = peak.max(change.bytes_allocated - change.bytes_deallocated);
    }
    peak
}

/// Returns ten minutes of mono speech at 32 kb/s as a Matroska file.
fn ten_minutes() -> Vec<u8> {
    let minute = opus::encode(&opus::Settings::default(), &pcm::speech_like(1, 60 * 48_000));
    let packets: Vec<_> = std::iter::repeat_n(minute, 10).flatten().collect();
    recorded::file(&testkit::getmedia::Framing::default(), &recorded::timed(&packets, 200))
}
