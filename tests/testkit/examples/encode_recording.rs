//! Concatenates WAV files (16 bit, mono, one rate) with half a second between them and writes 20 ms
//! Opus in Matroska: `encode_recording OUT.mka IN.wav…`. Creates the bundled recording.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use testkit::ebml::Size;
use testkit::getmedia::Framing;
use testkit::{opus, recorded};

const RATE: usize = 48_000;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let out = arguments.next().expect("usage: encode_recording OUT.mka IN.wav…");
    let mut pcm = Vec::new();
    for path in arguments {
        let (rate, samples) = read_wav(&std::fs::read(&path).unwrap());
        pcm.extend(resample(&samples, rate));
        pcm.extend(vec![0; RATE / 2]);
    }
    let settings = opus::Settings::default();
    let lookahead = opus::lookahead(&settings);
    // Beyond the end, so that the decoder emits the last sample; the surplus is DiscardPadding.
    let frame = settings.frame_samples();
    let wanted = pcm.len() + usize::from(lookahead);
    pcm.resize(wanted.next_multiple_of(frame), 0);
    let surplus = pcm.len() - wanted;
    let mut packets = recorded::timed(&opus::encode(&settings, &pcm), settings.frame);
    packets.last_mut().unwrap().discard_padding = surplus as i64 * 1_000_000 / 48;
    let framing = Framing {
        segment: Size::Bytes(8),
        codec_private: Some(opus::head(1, lookahead, 0)),
        codec_delay: Some(u64::from(lookahead) * 1_000_000 / 48),
        ..Framing::default()
    };
    let file = recorded::file(&framing, &packets);
    println!(
        "{out}: {:.2} s, {} packets, {} bytes",
        pcm.len() as f64 / 48e3,
        packets.len(),
        file.len()
    );
    std::fs::write(out, file).unwrap();
}

/// Returns the rate and the samples of a PCM WAV file.
fn read_wav(bytes: &[u8]) -> (usize, Vec<i16>) {
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    assert_eq!((&bytes[..4], &bytes[8..12]), (&b"RIFF"[..], &b"WAVE"[..]));
    let (mut at, mut rate) = (12, 0);
    loop {
        let (name, size, body) = (&bytes[at..at + 4], word(at + 4), at + 8);
        match name {
            b"fmt " => {
                assert_eq!(bytes[body + 2], 1, "mono is wanted");
                rate = word(body + 4);
            }
            b"data" => {
                let end = (body + size).min(bytes.len());
                let samples = bytes[body..end].chunks_exact(2);
                return (rate, samples.map(|s| i16::from_le_bytes([s[0], s[1]])).collect());
            }
            _ => {}
        }
        at = body + size.next_multiple_of(2);
    }
}

/// Resamples to 48 kHz with a windowed sinc of 32 input samples.
fn resample(input: &[i16], rate: usize) -> Vec<i16> {
    const HALF: isize = 16;
    (0..input.len() * RATE / rate)
        .map(|index| {
            let place = index as f64 * rate as f64 / RATE as f64;
            let center = place.floor() as isize;
            let sum: f64 = (center - HALF + 1..=center + HALF)
                .filter_map(|at| {
                    let sample = f64::from(*input.get(usize::try_from(at).ok()?)?);
                    let x = place - at as f64;
                    let pi_x = std::f64::consts::PI * x;
                    let sinc = if x == 0.0 { 1.0 } else { pi_x.sin() / pi_x };
                    let window = (pi_x / (2.0 * HALF as f64)).cos().powi(2);
                    Some(sample * sinc * window)
                })
                .sum();
            sum.round().clamp(-32_768.0, 32_767.0) as i16
        })
        .collect()
}
