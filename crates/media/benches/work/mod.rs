//! The measured work: bare libopus, and the pipeline from GetMedia bytes to PCM, on the same
//! packets.
#![allow(dead_code, unreachable_pub, reason = "each bench uses its part")]

use audiopus::coder::Decoder;
use audiopus::packet::Packet;
use audiopus::{Channels, MutSignals, SampleRate};
use media::{Output, Stream, StreamOptions};
use testkit::getmedia::{self, Framing};
use testkit::{opus, pcm};

/// Bytes per read.
pub const READ_SIZE: usize = 16 * 1024;

/// Speech of one encoding, as packets and as a GetMedia body.
pub struct Set {
    pub name: &'static str,
    pub packets: Vec<Vec<u8>>,
    pub framing: Framing,
    pub body: Vec<u8>,
}

/// Returns the sets: mono and stereo at 24, 32 and 64 kb/s in fragments of 2 s, and fragments of 10
/// s with 2 Mb/s of video.
pub fn sets(seconds: usize) -> Vec<Set> {
    let settings = opus::Settings::default();
    let music = opus::Settings { voice: false, ..settings };
    let video = Framing { video: Some(5000), video_is_noise: true, ..Framing::default() };
    [
        ("mono24k", opus::Settings { bitrate: 24_000, ..settings }, None),
        ("mono32k", settings, None),
        ("mono64k", opus::Settings { bitrate: 64_000, ..music }, None),
        ("stereo24k", opus::Settings { stereo: true, bitrate: 24_000, ..settings }, None),
        ("stereo32k", opus::Settings { stereo: true, ..settings }, None),
        ("stereo64k", opus::Settings { stereo: true, bitrate: 64_000, ..music }, None),
        ("mono32kVideo", settings, Some(video)),
    ]
    .map(|(name, settings, video)| set(name, settings, video, seconds))
    .into()
}

fn set(
    name: &'static str,
    settings: opus::Settings,
    video: Option<Framing>,
    seconds: usize,
) -> Set {
    let mono = pcm::speech_like(1, seconds * 48_000);
    let packets = if settings.stereo {
        let other = pcm::speech_like(2, seconds * 48_000);
        opus::encode(&settings, &pcm::interleave(&mono, &other))
    } else {
        opus::encode(&settings, &mono)
    };
    let fragment_ms = if video.is_some() { 10_000 } else { 2000 };
    let framing = video.unwrap_or_default();
    let body = getmedia::body(&framing, &getmedia::fragments(&packets, 200, fragment_ms, 0));
    Set { name, packets, framing, body }
}

/// Decodes all packets with libopus at 16 kHz mono: the lower bound.
pub fn bare(packets: &[Vec<u8>]) -> i64 {
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

/// Runs the whole pipeline, in reads of [`READ_SIZE`].
pub fn stream(body: &[u8]) -> i64 {
    let mut stream = Stream::start(StreamOptions::default());
    let mut sum = 0;
    for chunk in body.chunks(READ_SIZE) {
        sum += feed(&mut stream, chunk);
    }
    sum
}

/// Pushes one read completely.
pub fn feed(stream: &mut Stream, mut chunk: &[u8]) -> i64 {
    let mut sum = 0;
    while !chunk.is_empty() {
        chunk = stream.push(chunk);
        sum += drain(stream);
    }
    sum
}

fn drain(stream: &mut Stream) -> i64 {
    let mut sum = 0;
    while let Some(output) = stream.poll() {
        if let Output::Pcm { samples, .. } = output {
            sum += i64::from(samples[samples.len() - 1]);
        }
    }
    sum
}
