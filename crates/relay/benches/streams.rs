//! Measures how many live streams one consumer process handles on one core, with which latency and
//! memory. `cargo bench -p relay --bench streams` prints the results and writes them to
//! `target/bench/summary.json`.
//!
//! All runs are tasks of one thread and use the real clock. The sinks are stubs (see `stub`), and
//! the CPU time is that of the whole process as counted by the kernel, including the stubs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod stub;

use std::alloc::System;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use relay::{Config, HandOver, RunRequest};
use serde_json::json;
use session::{Language, QualityTier, Settings};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use stub::speech::{Broadcast, packets};
use stub::{Notes, Stub};
use testkit::figures;
use testkit::getmedia::Framing;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Concurrent streams.
const STREAMS: u32 = 300;
/// Distinct speakers among them.
const VOICES: u64 = 4;
/// Warm-up before the measurement: each stream has started and delivered.
const SETTLE: Duration = Duration::from_secs(4);
/// Duration of the measurement.
const WINDOW: Duration = Duration::from_secs(10);
/// Streams start one after the other within this time, the length of a fragment.
const STAGGER: Duration = Duration::from_secs(2);
/// 200 kb/s of video next to the audio: bytes of video per 20 ms.
const VIDEO: usize = 500;
/// The processor's latency for one payload.
const PROCESSOR: Duration = Duration::from_millis(20);
/// The backlog in the catch-up measurement: ten minutes.
const BACKLOG_SECONDS: usize = 600;
/// Size of libopus's mono decoder, which libopus allocates itself (libopus 1.3: 18.5 KB).
const LIBOPUS_BYTES: usize = 18_500;

fn main() {
    // A busy machine cannot carry the live streams, so `cargo test` runs only the part that does
    // not depend on time.
    if !std::env::args().any(|argument| argument == "--bench") {
        println!("bytes per stream that catches up {}", catching_up());
        return;
    }
    let speech: Vec<_> = (0..VOICES).map(|voice| packets(voice, seconds_of_speech())).collect();
    let audio = live(&speech, &Framing::default());
    let video = live(&speech, &Framing { video: Some(VIDEO), ..Framing::default() });
    let catching_up = catching_up();
    println!("streams per core       {:.0}, with video {:.0}", audio.per_core, video.per_core);
    println!("last sample to invoke  {:.1} ms (99th percentile {:.1} ms)", audio.p50, audio.p99);
    println!("  with video           {:.1} ms (99th percentile {:.1} ms)", video.p50, video.p99);
    println!("bytes per stream       {}, with video {}", audio.bytes, video.bytes);
    println!("  catching up          {catching_up}");
    figures::record(json!({ "streams": {
        "together": STREAMS,
        "perCore": audio.per_core.round(),
        "perCoreWithVideo": video.per_core.round(),
        "deliveryLatencyMillisP50": tenths(audio.p50),
        "deliveryLatencyMillisP99": tenths(audio.p99),
        "bytesPerStreamSteady": audio.bytes.max(video.bytes),
        "bytesPerStreamCatchingUp": catching_up,
    }}));
}

fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// The cost of concurrent live streams.
struct Cost {
    /// Seconds of speech processed per second of CPU time, which is the number of streams per core.
    per_core: f64,
    /// Arrival of a chunk's last sample → invocation sent, ms: median and 99th percentile.
    p50: f64,
    p99: f64,
    /// Peak heap use divided by the number of streams.
    bytes: usize,
}

/// The speech that the last stream to start needs, in whole fragments, plus one fragment.
fn seconds_of_speech() -> usize {
    let seconds = (SETTLE + WINDOW).as_secs().next_multiple_of(STAGGER.as_secs());
    usize::try_from(seconds + STAGGER.as_secs()).unwrap()
}

/// Runs concurrent live streams of these speakers with this framing.
fn live(speech: &[Vec<Vec<u8>>], framing: &Framing) -> Cost {
    let voices: Vec<_> =
        speech.iter().map(|packets| Arc::new(Broadcast::live(packets, framing))).collect();
    let chunks = (SETTLE + WINDOW).as_millis() * u128::from(STREAMS) / 500 * 2;
    let notes = Notes::new(held, usize::try_from(chunks).unwrap());
    let before = held();
    one_core().block_on(async {
        let begin = Instant::now();
        let mut runs = JoinSet::new();
        for (number, voice) in (0..STREAMS).zip(voices.iter().cycle()) {
            let begins = begin + STAGGER * number / STREAMS;
            runs.spawn(run(number, Stub::new(voice, begins, PROCESSOR, &notes)));
        }
        sleep(SETTLE).await;
        notes.reset();
        let (began, used) = (Instant::now(), cpu());
        sleep(WINDOW).await;
        let (wall, used) = (began.elapsed(), (cpu() - used).as_secs_f64());
        let spoken = f64::from(STREAMS) * wall.as_secs_f64();
        let carried = notes.samples() as f64 / f64::from(media::SAMPLE_RATE);
        assert!(
            carried > 0.95 * spoken,
            "no figures: this machine is too busy to carry {spoken:.0} s of speech as it is spoken, only {carried:.0} s"
        );
        let latencies = notes.latencies();
        let millis =
            |percent: usize| latencies[latencies.len() * percent / 100].as_secs_f64() * 1e3;
        Cost {
            per_core: spoken / used,
            p50: millis(50),
            p99: millis(99),
            bytes: (notes.peak() - before) / STREAMS as usize + LIBOPUS_BYTES,
        }
    })
}

/// Returns the peak heap use of a stream that is ten minutes behind and whose processor is slower
/// than KVS.
fn catching_up() -> usize {
    let minutes = vec![packets(0, 60); BACKLOG_SECONDS / 60];
    let says = Arc::new(Broadcast::stored(&minutes.concat(), &Framing::default()));
    let notes = Notes::new(held, BACKLOG_SECONDS * 2);
    let before = held();
    one_core().block_on(async {
        let run = tokio::spawn(run(0, Stub::new(&says, Instant::now(), PROCESSOR, &notes)));
        let whole = (BACKLOG_SECONDS as u64 - 1) * u64::from(media::SAMPLE_RATE);
        while notes.samples() < whole {
            assert!(!run.is_finished(), "it ended early");
            sleep(PROCESSOR).await;
        }
        run.abort();
    });
    notes.peak() - before + LIBOPUS_BYTES
}

async fn run(number: u32, stub: Stub) {
    let request = RunRequest {
        session_id: format!("blessed-shepherd-{number}").parse().unwrap(),
        stream_arn: Some(
            format!("arn:aws:kinesisvideo:us-east-1:1:stream/session-blessed-shepherd-{number}/17")
                .parse()
                .unwrap(),
        ),
        settings: Some(Settings {
            source_language: Language::ENGLISH,
            quality_tier: QualityTier::Standard,
            target_languages: vec!["de".parse().unwrap()],
            version: 1,
        }),
        owner: format!("run-{number}"),
        remaining: Duration::from_secs(840),
        hand_over: HandOver::default(),
    };
    let report = stub.relay(&Config::scaled(1.0)).start(request).await;
    panic!("a run ended before it was measured: {report:?}");
}

fn one_core() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

/// Returns the CPU time of this process so far, in user and kernel mode.
fn cpu() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Duration::from_micros(u64::try_from(micros).unwrap())
}

/// Returns the heap use in bytes. Reallocations are included in both counters.
fn held() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}
