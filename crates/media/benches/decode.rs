//! What parser, timeline and bookkeeping add to libopus: GetMedia bytes → PCM against bare libopus on the same
//! packets in the same process. `cargo bench -p media --bench decode`; it ends with the ratio of each set.
#![allow(clippy::unwrap_used, missing_docs)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use audiopus::coder::Decoder;
use audiopus::packet::Packet;
use audiopus::{Channels, MutSignals, SampleRate};
use criterion::{Criterion, Throughput};
use media::{Output, Stream, StreamOptions};
use testkit::getmedia::{self, Framing};
use testkit::{opus, pcm};

const SECONDS: usize = 20;

/// One read of the connection.
const READ_SIZE: usize = 16 * 1024;

fn bare(packets: &[Vec<u8>]) -> i64 {
    let mut decoder = Decoder::new(SampleRate::Hz16000, Channels::Mono).unwrap();
    let mut pcm = [0_i16; 1920];
    let mut sum = 0;
    for packet in packets {
        let packet = Packet::try_from(&packet[..]).unwrap();
        let signals = MutSignals::try_from(&mut pcm[..]).unwrap();
        let samples = decoder.decode(Some(packet), signals, false).unwrap();
        sum += i64::from(pcm[samples - 1]);
    }
    sum
}

fn stream(body: &[u8]) -> i64 {
    let mut stream = Stream::start(StreamOptions::default());
    let mut sum = 0;
    for chunk in body.chunks(READ_SIZE) {
        stream.push(chunk);
        while let Some(output) = stream.poll() {
            if let Output::Pcm { samples, .. } = output {
                sum += i64::from(samples[samples.len() - 1]);
            }
        }
    }
    sum
}

/// Runs both in turns, so that whatever else the machine does meets both alike, and compares the fastest
/// of each: what a busy machine adds is not the code's.
fn ratio(packets: &[Vec<u8>], body: &[u8]) -> f64 {
    let time = |work: &dyn Fn() -> i64| {
        let start = Instant::now();
        black_box(work());
        start.elapsed()
    };
    let (mut bare_best, mut stream_best) = (Duration::MAX, Duration::MAX);
    for _ in 0..25 {
        bare_best = bare_best.min(time(&|| bare(packets)));
        stream_best = stream_best.min(time(&|| stream(body)));
    }
    stream_best.as_secs_f64() / bare_best.as_secs_f64()
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args().sample_size(10);
    let mono = pcm::speech_like(1, SECONDS * 48_000);
    let stereo = pcm::interleave(&mono, &pcm::speech_like(2, SECONDS * 48_000));
    let settings = opus::Settings::default();
    let mut ratios = Vec::new();
    for (name, settings, framing) in [
        ("mono-24k", opus::Settings { bitrate: 24_000, ..settings }, Framing::default()),
        ("mono-32k", settings, Framing::default()),
        (
            "mono-64k",
            opus::Settings { bitrate: 64_000, voice: false, ..settings },
            Framing::default(),
        ),
        ("stereo-32k", opus::Settings { stereo: true, ..settings }, Framing::default()),
        // 200 kb/s of video beside the audio.
        ("mono-32k-video", settings, Framing { video: Some(500), ..Framing::default() }),
    ] {
        let packets = opus::encode(&settings, if settings.stereo { &stereo } else { &mono });
        let body = getmedia::body(&framing, &getmedia::fragments(&packets, 200, 2000, 0));
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Elements(packets.len() as u64));
        group.measurement_time(Duration::from_secs(1)).warm_up_time(Duration::from_millis(300));
        group.bench_function("libopus", |bencher| bencher.iter(|| bare(&packets)));
        group.bench_function("stream", |bencher| bencher.iter(|| stream(&body)));
        group.finish();
        ratios.push((name, ratio(&packets, &body)));
    }
    for (name, ratio) in ratios {
        println!("{name}: {ratio:.3} × bare libopus");
    }
    criterion.final_summary();
}
