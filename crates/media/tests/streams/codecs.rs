//! Other codecs that producers use: PCM, G.711, and the calls of Amazon Connect.

use crate::harness::{T0, decode, flushed};
use testkit::getmedia::{self, AudioElement, Framing};
use testkit::snr;

/// A tone as G.711 or 16-bit blocks of 20 ms.
fn tone(rate: u32, block: impl Fn(i16) -> Vec<u8>) -> Vec<Vec<u8>> {
    let sample = |at: u32| {
        let angle = f64::from(at) * 440.0 * std::f64::consts::TAU / f64::from(rate);
        (angle.sin() * 8000.0) as i16
    };
    let samples: Vec<u32> = (0..rate * 4).collect();
    let blocks = samples.chunks(rate as usize / 50);
    blocks.map(|block_| block_.iter().flat_map(|at| block(sample(*at))).collect()).collect()
}

fn decoded_tone(framing: &Framing, blocks: &[Vec<u8>]) -> f64 {
    let fragments = getmedia::fragments(blocks, 200, 2000, T0);
    let (outputs, _, stream) = decode(&getmedia::body(framing, &fragments), 1460);
    assert_eq!(outputs.reports, [""; 0]);
    let found = flushed(outputs, stream);
    assert_eq!(found.len(), 64_000);
    let expected: Vec<i16> = tone(16_000, |sample| sample.to_le_bytes().to_vec())
        .concat()
        .chunks(2)
        .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
        .collect();
    snr::decibels(&expected[1000..63_000], &found[1000..63_000])
}

#[test]
fn blocks_shorter_than_an_output_sample_are_decoded() {
    for (rate, each) in [(48_000, 1), (48_000, 2), (44_100, 1), (44_100, 3), (8_000, 1)] {
        let audio = AudioElement { rate: f64::from(rate), channels: 1, bit_depth: Some(16) };
        let framing = Framing { audio: Some(audio), ..Framing::codec("A_PCM/INT/LIT", None) };
        let sound = tone(rate, |sample| sample.to_le_bytes().to_vec()).concat();
        let blocks: Vec<_> = sound.chunks(2 * each).map(<[u8]>::to_vec).collect();
        let step = (1000 * each as i64, i64::from(rate));
        let short = getmedia::body(&framing, &getmedia::paced(&blocks, step, 2000, T0));
        let (outputs, _, stream) = decode(&short, 16_384);
        assert_eq!(stream.counters().filled_samples, 0);
        let found = flushed(outputs, stream);
        let blocks: Vec<_> = sound.chunks(rate as usize / 25).map(<[u8]>::to_vec).collect();
        let long = getmedia::body(&framing, &getmedia::paced(&blocks, (20, 1), 2000, T0));
        let (outputs, _, stream) = decode(&long, 16_384);
        let expected = flushed(outputs, stream);
        let same = found.len().min(expected.len()) - 100;
        assert!(found.len().abs_diff(expected.len()) <= 16, "{rate} Hz by {each}");
        let decibels = snr::decibels(&expected[..same], &found[..same]);
        assert!(decibels > 50.0, "{rate} Hz by {each}: {decibels}");
    }
}

#[test]
fn samples_of_every_width_keep_their_positions_in_mono_and_stereo() {
    for (bits, channels) in [8, 16, 24, 32].into_iter().flat_map(|bits| [(bits, 1), (bits, 2)]) {
        let blocks = tone(48_000, |sample| {
            let wide = (i32::from(sample) << 16).to_le_bytes();
            let one = if bits == 8 {
                vec![(sample >> 8) as u8 ^ 0x80]
            } else {
                wide[4 - bits as usize / 8..].to_vec()
            };
            one.repeat(channels as usize)
        });
        let audio = AudioElement { rate: 48_000.0, channels, bit_depth: Some(bits) };
        let wave = wave_format(1, channels as u8, 48_000, bits as u8);
        let lit = Framing { audio: Some(audio), ..Framing::codec("A_PCM/INT/LIT", None) };
        for framing in [lit, Framing::codec("A_MS/ACM", Some(wave))] {
            let decibels = decoded_tone(&framing, &blocks);
            let least = if bits == 8 { 30.0 } else { 60.0 };
            assert!(decibels > least, "{bits} bits, {channels} channels: {decibels:.1} dB");
        }
    }
}

#[test]
fn a_block_of_seconds_is_emitted_in_pieces() {
    let blocks = tone(8_000, |sample| vec![nearest(&mu_law, sample)]);
    let framing = Framing::codec("A_MS/ACM", Some(wave_format(7, 1, 8_000, 8)));
    let long = [blocks.concat()];
    let fragments = getmedia::fragments(&long, 40_000, 4000, T0);
    let (outputs, _, stream) = decode(&getmedia::body(&framing, &fragments), 1460);
    assert!(outputs.pcm.iter().all(|(_, samples, ..)| samples.len() <= 1920));
    assert_eq!((stream.counters().packets, stream.counters().filled_samples), (67, 0));
    let short = getmedia::body(&framing, &getmedia::fragments(&blocks, 200, 4000, T0));
    let (reference, _, other) = decode(&short, 1460);
    assert!(snr::decibels(&flushed(reference, other), &flushed(outputs, stream)) > 90.0);
}

#[test]
fn uncompressed_audio_keeps_its_positions() {
    for rate in [8_000, 16_000, 44_100, 48_000] {
        let blocks = tone(rate, |sample| [sample.to_le_bytes(), sample.to_le_bytes()].concat());
        let audio = AudioElement { rate: rate.into(), channels: 2, bit_depth: Some(16) };
        let framing = Framing { audio: Some(audio), ..Framing::codec("A_PCM/INT/LIT", None) };
        let decibels = decoded_tone(&framing, &blocks);
        assert!(decibels > 60.0, "{rate} Hz: {decibels:.1} dB");
    }
}

/// The µ-law and A-law bytes with the nearest value, by a search through all bytes.
fn nearest(law: &dyn Fn(u8) -> i32, sample: i16) -> u8 {
    (0..=255).min_by_key(|byte| (law(*byte) - i32::from(sample)).abs()).unwrap()
}

/// G.711 by its definition, independent of the decoder: segments of 16 steps of doubling size.
fn mu_law(byte: u8) -> i32 {
    let byte = !byte;
    let segment = usize::from(byte >> 4 & 7);
    let value = mu_start(segment) + (i32::from(byte & 15) << (segment + 3));
    if byte & 0x80 == 0 { value } else { -value }
}

/// Start of a segment: after the steps of those below it.
fn mu_start(segment: usize) -> i32 {
    (0..segment).map(|below| 16 << (below + 3)).sum::<i32>() + 4 * ((1 << segment) - 1)
}

fn a_law(byte: u8) -> i32 {
    let byte = byte ^ 0x55;
    let segment = i32::from(byte >> 4 & 7);
    let (step, start) = if segment == 0 { (16, 0) } else { (8 << segment, 128 << segment) };
    let value = start + i32::from(byte & 15) * step + step / 2;
    if byte & 0x80 == 0 { -value } else { value }
}

/// A WAVEFORMATEX.
fn wave_format(tag: u8, channels: u8, rate: u32, bits: u8) -> Vec<u8> {
    let frame = channels * bits / 8;
    let mut bytes = vec![tag, 0, channels, 0];
    bytes.extend(rate.to_le_bytes());
    bytes.extend((rate * u32::from(frame)).to_le_bytes());
    bytes.extend([frame, 0, bits, 0, 0, 0]);
    bytes
}

#[test]
fn telephone_speech_is_decoded_in_both_laws() {
    for (tag, law) in [(7, &mu_law as &dyn Fn(u8) -> i32), (6, &a_law)] {
        for channels in [1, 2] {
            let private = wave_format(tag, channels, 8_000, 8);
            let blocks = tone(8_000, |sample| vec![nearest(law, sample); channels.into()]);
            let decibels = decoded_tone(&Framing::codec("A_MS/ACM", Some(private)), &blocks);
            assert!(decibels > 33.0, "law {tag}, {channels} channels: {decibels:.1} dB");
        }
    }
}

/// A call as Amazon Connect stores it: two tracks of L16 with the CodecID A_AAC.
fn connect(name: &str, other: &str) -> Framing {
    Framing {
        name: name.to_owned(),
        other: Some((other.to_owned(), vec![0x55; 1024])),
        ..Framing::codec("A_AAC", Some(vec![0x11, 0x90]))
    }
}

#[test]
fn the_caller_of_connect_is_decoded_for_any_track_order_and_tag_position() {
    let reports = "audio/L16;rate=8000;channels=1".to_owned();
    let blocks = tone(8_000, |sample| sample.to_le_bytes().to_vec());
    let element = AudioElement { rate: 8_000.0, channels: 1, bit_depth: None };
    for mime_type in [None, Some((reports.clone(), false)), Some((reports, true))] {
        for audio in [None, Some(element)] {
            let mime_type = mime_type.clone();
            let names = connect("AUDIO_FROM_CUSTOMER", "AUDIO_TO_CUSTOMER");
            let decibels = decoded_tone(&Framing { mime_type, audio, ..names }, &blocks);
            assert!(decibels > 60.0, "{decibels:.1} dB");
        }
    }
}

#[test]
fn the_mime_type_alone_identifies_the_codec() {
    let reports = ("audio/L16;rate=8000;channels=1".to_owned(), false);
    let blocks = tone(8_000, |sample| sample.to_le_bytes().to_vec());
    let framing =
        Framing { mime_type: Some(reports), ..Framing::codec("A_AAC", Some(vec![0x11, 0x90])) };
    assert!(decoded_tone(&framing, &blocks) > 60.0);
}

#[test]
fn unsupported_codecs_are_reported_by_name() {
    for (codec_id, private, reason) in [
        ("A_AAC", Some(vec![0x19, 0x90]), "SSR"),
        ("A_AAC", Some(vec![0x11, 0xB0]), "two channels"),
        ("A_MS/ACM", Some(vec![0x55, 0, 1, 0, 0, 0, 0, 0]), "G.711"),
        ("A_VORBIS", None, "no decoder"),
    ] {
        let fragments = getmedia::fragments(&[vec![1, 2, 3]], 200, 2000, T0);
        let (outputs, ..) =
            decode(&getmedia::body(&Framing::codec(codec_id, private), &fragments), 100);
        assert_eq!(outputs.reports.len(), 1, "{:?}", outputs.reports);
        assert!(outputs.reports[0].contains(codec_id) && outputs.reports[0].contains(reason));
        assert!(outputs.pcm.is_empty());
    }
}

#[test]
fn the_limit_of_blocks_depends_on_the_detected_codec() {
    let blocks = vec![vec![1; 48 * 4 * 200]; 10];
    let mime_type = Some(("audio/L16;rate=48000;channels=2".to_owned(), false));
    let framing = Framing { mime_type, ..Framing::codec("A_AAC", None) };
    let fragments = getmedia::fragments(&blocks, 2000, 2000, T0);
    let (outputs, _, stream) = decode(&getmedia::body(&framing, &fragments), 1460);
    assert_eq!((stream.counters().resyncs, outputs.reports.len()), (0, 0));
    assert_eq!(flushed(outputs, stream).len(), 32_000);
}
