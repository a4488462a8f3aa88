//! What producers store besides Opus: AAC from two encodings, ADTS, PCM, G.711, and Amazon Connect's calls.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod harness;

use harness::{Heard, T0, listen, packets};
use media::{Anchor, Stream, StreamOptions};
use proptest::prelude::*;
use testkit::getmedia::{self, AudioElement, Fragment, Framing};
use testkit::snr;

/// An AAC recording of the testkit: its packets, CodecPrivate and rate.
struct Aac {
    packets: Vec<Vec<u8>>,
    private: Vec<u8>,
    rate: u32,
}

impl Aac {
    fn open(file: &str) -> Self {
        let bytes = std::fs::read(testkit::recording().with_file_name(file)).unwrap();
        let mut file = matroska_demuxer::MatroskaFile::open(std::io::Cursor::new(bytes)).unwrap();
        let track = &file.tracks()[0];
        let private = track.codec_private().unwrap().to_vec();
        let rate = track.audio().unwrap().sampling_frequency() as u32;
        let (mut packets, mut frame) = (Vec::new(), matroska_demuxer::Frame::default());
        while file.next_frame(&mut frame).unwrap() {
            packets.push(frame.data.clone());
        }
        Self { packets, private, rate }
    }

    fn both() -> [Self; 2] {
        [Self::open("aac-48k-stereo.mka"), Self::open("aac-44k1-mono.mka")]
    }

    fn framing(&self) -> Framing {
        Framing::codec("A_AAC", Some(self.private.clone()))
    }

    fn fragments(&self) -> Vec<Fragment> {
        getmedia::paced(&self.packets, (1_024_000, self.rate.into()), 2000, T0)
    }

    fn body(&self) -> Vec<u8> {
        getmedia::body(&self.framing(), &self.fragments())
    }

    /// The packets with an ADTS header each.
    fn adts(&self) -> Vec<Vec<u8>> {
        let [high, low, ..] = self.private[..] else { panic!("no AudioSpecificConfig") };
        let (index, channels) = ((high & 7) << 1 | low >> 7, low >> 3 & 15);
        let frame = |packet: &Vec<u8>| {
            let len = packet.len() + 7;
            let mut frame = vec![0xFF, 0xF1, 1 << 6 | index << 2, channels << 6];
            frame[3] |= (len >> 11) as u8;
            frame.extend([(len >> 3) as u8, (len << 5) as u8 | 0x1F, 0xFC]);
            frame.extend(packet);
            frame
        };
        self.packets.iter().map(frame).collect()
    }
}

fn flushed(mut heard: Heard, mut stream: Stream) -> Vec<i16> {
    stream.flush();
    heard.push(&mut stream, &[0], 1);
    heard.joined(0)
}

#[test]
fn aac_covers_its_time_to_the_sample_and_says_nothing() {
    for aac in Aac::both() {
        let (heard, _, stream) = listen(&aac.body(), 1460);
        let counters = stream.counters();
        assert_eq!(heard.said, [""; 0]);
        assert_eq!((counters.packets, counters.decode_errors), (aac.packets.len() as u64, 0));
        assert_eq!((counters.filled_samples, counters.gap_samples, counters.overlaps), (0, 0, 0));
        let frames = aac.packets.len() as u64 * 1024;
        let samples = flushed(heard, stream).len() as u64;
        assert_eq!(samples, frames * 16_000 / u64::from(aac.rate));
    }
}

#[test]
fn the_same_frames_in_adts_give_the_same_samples() {
    for aac in Aac::both() {
        let raw = listen(&aac.body(), 4096).0.joined(0);
        let adts = Aac { packets: aac.adts(), ..Aac::open("aac-48k-stereo.mka") };
        let fragments = getmedia::paced(&adts.packets, (1_024_000, aac.rate.into()), 2000, T0);
        // With CodecPrivate, and with nothing but the frames' own headers.
        for private in [Some(aac.private.clone()), None] {
            let framing = Framing::codec("A_AAC", private);
            let (heard, _, stream) = listen(&getmedia::body(&framing, &fragments), 4096);
            assert_eq!(stream.counters().decode_errors, 0);
            assert_eq!(heard.joined(0), raw);
        }
    }
}

#[test]
fn a_lost_frame_is_filled_and_its_neighbours_keep_their_place() {
    for aac in Aac::both() {
        let whole = listen(&aac.body(), 4096).0.joined(0);
        let mut fragments = aac.fragments();
        fragments[1].packets.drain(10..14);
        let (heard, _, stream) = listen(&getmedia::body(&aac.framing(), &fragments), 4096);
        let (found, lost) = (heard.joined(0), 4 * 1024 * 16_000 / aac.rate as usize);
        let filled = stream.counters().filled_samples as usize;
        assert!(filled.abs_diff(lost) < 32, "{filled} of {lost}");
        assert!(found.len().abs_diff(whole.len()) < 32);
        let seam = 2 * 16_000 + 14 * 1024 * 16_000 / aac.rate as usize;
        let shift = |at: usize| snr::decibels(&whole[seam + 1600..][..8000], &found[at..][..8000]);
        // The clock's whole milliseconds may move what follows by up to 1 ms, and a part of a sample.
        let best = (seam + 1584..=seam + 1616).map(shift).fold(0.0, f64::max);
        assert!(best > 15.0, "{best:.1} dB");
    }
}

#[test]
fn a_damaged_frame_is_silence_of_its_length() {
    let mut aac = Aac::open("aac-48k-stereo.mka");
    let whole = listen(&aac.body(), 4096).0.joined(0).len();
    aac.packets[50].truncate(20);
    let (heard, _, stream) = listen(&aac.body(), 4096);
    assert_eq!(stream.counters().decode_errors, 1);
    assert_eq!(heard.joined(0).len(), whole);
}

fn resume(anchor: &Anchor, bytes: &[u8]) -> Heard {
    let anchor = Anchor::from_text(&anchor.to_text()).unwrap();
    let mut stream = Stream::resume(StreamOptions::default(), anchor);
    let mut heard = Heard::default();
    heard.push(&mut stream, bytes, 4096);
    heard
}

#[test]
fn a_resumed_run_repeats_positions_and_sound() {
    for aac in Aac::both() {
        let bodies: Vec<_> =
            aac.fragments().iter().map(|f| getmedia::document(&aac.framing(), f)).collect();
        let (first, ..) = listen(&bodies.concat(), 4096);
        for (index, anchor) in first.anchors.iter().enumerate().skip(1) {
            let resumed = resume(anchor, &bodies[index..].concat());
            let from = anchor.next.unsigned_abs();
            let expected: Vec<_> =
                first.positions().into_iter().filter(|&(start, _)| start >= from).collect();
            assert_eq!(resumed.positions(), expected, "fragment {index}");
            // Two frames and the filter's length later nothing remembers the start.
            let settled = from + 2 * 1024 * 16_000 / u64::from(aac.rate) + 300;
            let samples = |heard: &Heard| -> Vec<i16> {
                heard.from(settled).into_iter().map(|(_, sample)| sample).collect()
            };
            let decibels = snr::decibels(&samples(&first), &samples(&resumed));
            assert!(decibels > 60.0, "fragment {index}: {decibels:.1} dB");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pieces_of_any_size_give_the_same(piece in 1..5000_usize, which in 0..2_usize) {
        let aac = &Aac::both()[which];
        let body = aac.body();
        prop_assert_eq!(listen(&body, piece).0, listen(&body, body.len()).0);
    }
}

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

fn heard_tone(framing: &Framing, blocks: &[Vec<u8>]) -> f64 {
    let fragments = getmedia::fragments(blocks, 200, 2000, T0);
    let (heard, _, stream) = listen(&getmedia::body(framing, &fragments), 1460);
    assert_eq!(heard.said, [""; 0]);
    let found = flushed(heard, stream);
    assert_eq!(found.len(), 64_000);
    let expected: Vec<i16> = tone(16_000, |sample| sample.to_le_bytes().to_vec())
        .concat()
        .chunks(2)
        .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
        .collect();
    snr::decibels(&expected[1000..63_000], &found[1000..63_000])
}

#[test]
fn uncompressed_sound_arrives_in_its_place() {
    for rate in [8_000, 16_000, 44_100, 48_000] {
        let blocks = tone(rate, |sample| [sample.to_le_bytes(), sample.to_le_bytes()].concat());
        let audio = AudioElement { rate: rate.into(), channels: 2, bit_depth: Some(16) };
        let framing = Framing { audio: Some(audio), ..Framing::codec("A_PCM/INT/LIT", None) };
        let decibels = heard_tone(&framing, &blocks);
        assert!(decibels > 60.0, "{rate} Hz: {decibels:.1} dB");
    }
}

/// The µ-law and A-law bytes whose value is nearest, by search through what the decoder says of all.
fn nearest(law: &dyn Fn(u8) -> i32, sample: i16) -> u8 {
    (0..=255).min_by_key(|byte| (law(*byte) - i32::from(sample)).abs()).unwrap()
}

/// G.711's definition, independent of the decoder: segments of 16 steps, each twice the one before.
fn mu_law(byte: u8) -> i32 {
    let byte = !byte;
    let segment = usize::from(byte >> 4 & 7);
    let value = mu_start(segment) + (i32::from(byte & 15) << (segment + 3));
    if byte & 0x80 == 0 { value } else { -value }
}

/// Where a segment begins: after the steps of those below it.
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

#[test]
fn telephone_speech_is_understood_in_both_laws() {
    for (tag, law) in [(7, &mu_law as &dyn Fn(u8) -> i32), (6, &a_law)] {
        let mut private = vec![tag, 0, 1, 0];
        private.extend(8_000_u32.to_le_bytes());
        private.extend(8_000_u32.to_le_bytes());
        private.extend([1, 0, 8, 0, 0, 0]);
        let blocks = tone(8_000, |sample| vec![nearest(law, sample)]);
        let decibels = heard_tone(&Framing::codec("A_MS/ACM", Some(private)), &blocks);
        assert!(decibels > 33.0, "law {tag}: {decibels:.1} dB");
    }
}

/// A call as Amazon Connect stores it: two tracks under the label A_AAC, no Audio element, L16 inside.
fn connect(name: &str, other: &str) -> Framing {
    Framing {
        name: name.to_owned(),
        other: Some((other.to_owned(), vec![0x55; 1024])),
        ..Framing::codec("A_AAC", Some(vec![0x11, 0x90]))
    }
}

#[test]
fn connects_caller_is_heard_whichever_track_it_is_and_wherever_the_tag_stands() {
    let said = "audio/L16;rate=8000;channels=1".to_owned();
    let blocks = tone(8_000, |sample| sample.to_le_bytes().to_vec());
    for mime_type in [None, Some((said.clone(), false)), Some((said, true))] {
        let framing = Framing { mime_type, ..connect("AUDIO_FROM_CUSTOMER", "AUDIO_TO_CUSTOMER") };
        let decibels = heard_tone(&framing, &blocks);
        assert!(decibels > 60.0, "{decibels:.1} dB");
    }
}

#[test]
fn the_mime_type_alone_tells_too() {
    let said = ("audio/L16;rate=8000;channels=1".to_owned(), false);
    let blocks = tone(8_000, |sample| sample.to_le_bytes().to_vec());
    let framing =
        Framing { mime_type: Some(said), ..Framing::codec("A_AAC", Some(vec![0x11, 0x90])) };
    assert!(heard_tone(&framing, &blocks) > 60.0);
}

#[test]
fn tracks_never_mix() {
    // The other track takes the lower number, and Opus too: only the name tells.
    let packets = packets(3, 4);
    let fragments = harness::fragments(&packets);
    let framing = Framing {
        name: "AUDIO_FROM_CUSTOMER".to_owned(),
        other: Some(("AUDIO_TO_CUSTOMER".to_owned(), packets[7].clone())),
        ..Framing::default()
    };
    let (heard, _, stream) = listen(&getmedia::body(&framing, &fragments), 1460);
    assert_eq!(heard.joined(0), harness::reference(&packets));
    assert_eq!(stream.counters().skipped_blocks, packets.len() as u64);
}

#[test]
fn fragments_of_another_session_are_refused() {
    let packets = packets(4, 6);
    let all = harness::fragments(&packets);
    let tagged = |session_id: Option<&str>, fragment| {
        let session_id = session_id.map(str::to_owned);
        getmedia::document(&Framing { session_id, ..Framing::default() }, fragment)
    };
    let bodies = [
        tagged(None, &all[0]),
        tagged(Some("brave-river-7"), &all[1]),
        tagged(Some("calm-stone-12"), &all[2]),
    ];
    let options =
        StreamOptions { session_id: Some("calm-stone-12".to_owned()), ..StreamOptions::default() };
    let (mut stream, mut heard) = (Stream::start(options), Heard::default());
    heard.push(&mut stream, &bodies.concat(), 1000);
    assert_eq!(stream.counters().foreign_fragments, 1);
    assert_eq!(heard.said.len(), 1);
    assert!(heard.said[0].contains("brave-river-7"), "{:?}", heard.said);
    assert_eq!(heard.completed.len(), 2);
    // Its time is a gap like any other: nothing of it is heard, and what follows keeps its place.
    let expected = harness::reference(&packets);
    let after: Vec<_> = heard.from(70_000).into_iter().map(|(_, sample)| sample).collect();
    assert!(snr::decibels(&expected[70_000..], &after) > 30.0);
    assert_eq!(stream.counters().filled_samples, 32_000);
}

#[test]
fn what_is_not_decoded_is_said_by_name() {
    for (codec_id, private, reason) in [
        ("A_AAC", Some(vec![0x09, 0x90]), "Main"),
        ("A_AAC", Some(vec![0x11, 0xB0]), "two channels"),
        ("A_MS/ACM", Some(vec![0x55, 0, 1, 0, 0, 0, 0, 0]), "G.711"),
        ("A_VORBIS", None, "no decoder"),
    ] {
        let fragments = getmedia::fragments(&[vec![1, 2, 3]], 200, 2000, T0);
        let (heard, ..) =
            listen(&getmedia::body(&Framing::codec(codec_id, private), &fragments), 100);
        assert_eq!(heard.said.len(), 1, "{:?}", heard.said);
        assert!(heard.said[0].contains(codec_id) && heard.said[0].contains(reason));
        assert!(heard.pcm.is_empty());
    }
}

#[test]
fn a_decoder_that_heard_nothing_has_no_tail() {
    let aac = Aac::open("aac-48k-stereo.mka");
    let (first, ..) = listen(&aac.body(), 4096);
    let mut stream = Stream::resume(StreamOptions::default(), first.anchors[2].clone());
    let mut heard = Heard::default();
    let mut silent = aac.fragments()[2].clone();
    silent.packets.clear();
    heard.push(&mut stream, &getmedia::document(&aac.framing(), &silent), 4096);
    assert_eq!(flushed(heard, stream), []);
}
