//! AAC-LC, raw and in ADTS, at every rate: sample-exact positions, also with damage.

use crate::harness::aac::Aac;
use crate::harness::{Outputs, T0, decode, flushed};
use media::{ResumePoint, Stream, StreamOptions};
use proptest::prelude::*;
use testkit::getmedia::{self, Framing};
use testkit::{aac, snr};

#[test]
fn aac_covers_its_time_to_the_sample_without_reports() {
    for aac in Aac::both() {
        let (outputs, _, stream) = decode(&aac.body(), 1460);
        let counters = stream.counters();
        assert_eq!(outputs.reports, [""; 0]);
        assert_eq!((counters.packets, counters.decode_errors), (aac.packets.len() as u64, 0));
        assert_eq!((counters.filled_samples, counters.gap_samples), (0, 0));
        let frames = aac.packets.len() as u64 * 1024;
        let samples = flushed(outputs, stream).len() as u64;
        assert_eq!(samples, frames * 16_000 / u64::from(aac.rate));
    }
}

#[test]
fn the_same_frames_in_adts_give_the_same_samples() {
    for aac in Aac::both() {
        let raw = decode(&aac.body(), 4096).0.joined(0);
        let adts = Aac { packets: aac.adts(), ..Aac::open("aac-48k-stereo.mka") };
        let fragments = getmedia::paced(&adts.packets, (1_024_000, aac.rate.into()), 2000, T0);
        // With CodecPrivate, and with the frames' own headers only.
        for private in [Some(aac.private.clone()), None] {
            let framing = Framing::codec("A_AAC", private);
            let (outputs, _, stream) = decode(&getmedia::body(&framing, &fragments), 4096);
            assert_eq!(stream.counters().decode_errors, 0);
            assert_eq!(outputs.joined(0), raw);
        }
    }
}

#[test]
fn a_lost_frame_is_filled_and_its_neighbours_keep_their_positions() {
    for aac in Aac::both() {
        let whole = decode(&aac.body(), 4096).0.joined(0);
        let mut fragments = aac.fragments();
        fragments[1].packets.drain(10..14);
        let (outputs, _, stream) = decode(&getmedia::body(&aac.framing(), &fragments), 4096);
        let (found, lost) = (outputs.joined(0), 4 * 1024 * 16_000 / aac.rate as usize);
        let filled = stream.counters().filled_samples as usize;
        assert!(filled.abs_diff(lost) < 32, "{filled} of {lost}");
        assert!(found.len().abs_diff(whole.len()) < 32);
        let seam = 2 * 16_000 + 14 * 1024 * 16_000 / aac.rate as usize;
        let shift = |at: usize| snr::decibels(&whole[seam + 1600..][..8000], &found[at..][..8000]);
        // Stamps of whole milliseconds may move the frames after it by up to 1 ms and a part of a
        // sample.
        let best = (seam + 1584..=seam + 1616).map(shift).fold(0.0, f64::max);
        assert!(best > 15.0, "{best:.1} dB");
    }
}

#[test]
fn a_damaged_frame_is_silence_of_its_length() {
    let mut aac = Aac::open("aac-48k-stereo.mka");
    let whole = decode(&aac.body(), 4096).0.joined(0).len();
    aac.packets[50].truncate(20);
    let (outputs, _, stream) = decode(&aac.body(), 4096);
    assert_eq!(stream.counters().decode_errors, 1);
    assert_eq!(outputs.joined(0).len(), whole);
}

fn resume(point: &ResumePoint, bytes: &[u8]) -> Outputs {
    let point = ResumePoint::from_text(&point.to_text()).unwrap();
    let mut stream = Stream::resume(StreamOptions::default(), point, vec![]);
    let mut outputs = Outputs::default();
    outputs.push(&mut stream, bytes, 4096);
    outputs
}

#[test]
fn a_resumed_run_repeats_positions_and_samples() {
    for aac in Aac::both() {
        let bodies: Vec<_> =
            aac.fragments().iter().map(|f| getmedia::document(&aac.framing(), f)).collect();
        let (first, ..) = decode(&bodies.concat(), 4096);
        for (index, point) in first.resume_points.iter().enumerate().skip(1) {
            let resumed = resume(point, &bodies[index..].concat());
            let from = point.next.unsigned_abs();
            let expected: Vec<_> =
                first.positions().into_iter().filter(|&(start, _)| start >= from).collect();
            assert_eq!(resumed.positions(), expected, "fragment {index}");
            // The start has no effect after two frames and the length of the filter.
            let settled = from + 2 * 1024 * 16_000 / u64::from(aac.rate) + 300;
            let samples = |outputs: &Outputs| -> Vec<i16> {
                outputs.from(settled).into_iter().map(|(_, sample)| sample).collect()
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
        prop_assert_eq!(decode(&body, piece).0, decode(&body, body.len()).0);
    }
}

/// Returns the share of the power that is a tone of `hertz`.
fn share_of(hertz: f64, pcm: &[i16]) -> f64 {
    let step = hertz * std::f64::consts::TAU / 16_000.0;
    let turn = |at: usize, sample: i16| {
        let (sin, cos) = (step * at as f64).sin_cos();
        (f64::from(sample) * sin, f64::from(sample) * cos)
    };
    let (mut sin, mut cos, mut power) = (0.0, 0.0, 0.0);
    for (at, sample) in pcm.iter().enumerate() {
        let (s, c) = turn(at, *sample);
        (sin, cos, power) = (sin + s, cos + c, power + f64::from(*sample).powi(2));
    }
    (sin.powi(2) + cos.powi(2)) * 2.0 / pcm.len() as f64 / power
}

#[test]
fn every_rate_of_aac_is_resampled_in_mono_and_stereo() {
    for rate in aac::RATES {
        for channels in [1, 2] {
            let frames = aac::tone(rate, channels, rate as usize * 4 / 1024);
            let in_adts = frames.iter().map(|frame| aac::adts(frame, rate, channels)).collect();
            let raw = Aac::with(frames.clone(), Some(aac::config(rate, channels)), rate);
            for body in [raw, Aac::with(in_adts, None, rate)] {
                let (outputs, _, stream) = decode(&body, 1460);
                let counters = stream.counters();
                assert_eq!((outputs.reports.len(), counters.decode_errors), (0, 0), "{rate} Hz");
                assert_eq!(counters.filled_samples, 0, "{rate} Hz");
                let pcm = flushed(outputs, stream);
                let expected = frames.len() as u64 * 1024 * 16_000 / u64::from(rate);
                assert!((pcm.len() as u64).abs_diff(expected) <= 1, "{rate} Hz: {}", pcm.len());
                let share = share_of(aac::hertz(rate), &pcm[4000..pcm.len() - 4000]);
                assert!(share > 0.75, "{rate} Hz, {channels} channels: {share:.3}");
                assert!(
                    pcm[4000..].iter().any(|sample| (1000..20_000).contains(sample)),
                    "{rate} Hz: {:?}",
                    pcm.iter().max()
                );
            }
        }
    }
}

#[test]
fn a_damaged_first_frame_costs_no_more_than_itself() {
    for aac in Aac::both() {
        let whole = flushed_after(&aac.body(), 0);
        // Another element instead of the channel element; the end of a frame only; noise.
        for damage in [0x00, 0x20, 0x40, 0xE0, 0xFF] {
            let mut packets = aac.packets.clone();
            if packets[0][0] & 0xE0 == damage & 0xE0 {
                continue;
            }
            packets[0][0] = damage;
            let body = Aac::with(packets, Some(aac.private.clone()), aac.rate);
            let found = flushed_after(&body, 1);
            assert_eq!(found.len(), whole.len());
            // The frame after it overlaps with it.
            assert!(snr::decibels(&whole[1200..], &found[1200..]) > 60.0, "{damage:#x}");
        }
    }
}

fn flushed_after(body: &[u8], errors: u64) -> Vec<i16> {
    let (outputs, _, stream) = decode(body, 4096);
    assert_eq!(stream.counters().decode_errors, errors);
    flushed(outputs, stream)
}

#[test]
fn frames_after_noise_are_decoded() {
    for aac in Aac::both() {
        let mut random = testkit::pcm::Random::new(7);
        let mut packets = aac.packets.clone();
        // A second and a half: a gap longer than two is skipped.
        let damaged = aac.rate as usize * 3 / 2 / 1024;
        for packet in &mut packets[..damaged] {
            packet.iter_mut().for_each(|byte| *byte = random.below(256) as u8);
        }
        let whole = flushed_after(&aac.body(), 0);
        let body = Aac::with(packets, Some(aac.private.clone()), aac.rate);
        let (outputs, _, stream) = decode(&body, 4096);
        assert!(stream.counters().decode_errors > damaged as u64 / 2);
        let found = flushed(outputs, stream);
        assert!(found.len().abs_diff(whole.len()) <= 16, "{} of {}", found.len(), whole.len());
        let from = (damaged + 2) * 1024 * 16_000 / aac.rate as usize + 100;
        // Stamps of whole milliseconds determine the duration of the noise.
        let moved = found.len() as i64 - whole.len() as i64;
        let found = &found[(from as i64 + moved) as usize..];
        assert!(snr::decibels(&whole[from..], found) > 10.0, "{moved}");
    }
}

#[test]
fn a_frame_without_a_channel_element_is_concealed_and_does_not_repeat_the_previous_one() {
    let (rate, channels) = (16_000, 1);
    let mut packets = aac::tone(rate, channels, 60);
    // Only the end of a frame, and a fill element before it.
    packets[20] = vec![0xE0];
    packets[40] = vec![0xC0, 0xE0];
    let (outputs, _, stream) =
        decode(&Aac::with(packets, Some(aac::config(rate, channels)), rate), 1460);
    let counters = stream.counters();
    assert_eq!((counters.decode_errors, counters.filled_samples), (2, 2 * 1024));
    let pcm = outputs.joined(0);
    assert_eq!(pcm.len(), 60 * 1024);
    for frame in [20, 40] {
        assert!(pcm[frame * 1024..][..1024].iter().all(|sample| *sample == 0));
    }
}

#[test]
fn consecutive_frames_are_split_and_empty_ones_dropped() {
    let (rate, channels) = (16_000, 1);
    let frames: Vec<_> = aac::tone(rate, channels, 60)
        .iter()
        .map(|frame| aac::adts(frame, rate, channels))
        .collect();
    let single = flushed_after(&Aac::with(frames.clone(), None, rate), 0);
    let in_one = |frames: Vec<Vec<u8>>| {
        let blocks: Vec<_> = frames.chunks(10).map(<[_]>::concat).collect();
        let fragments = getmedia::paced(&blocks, (10_240_000, rate.into()), 2000, T0);
        getmedia::body(&Framing::codec("A_AAC", None), &fragments)
    };
    assert_eq!(flushed_after(&in_one(frames.clone()), 0), single);
    let mut with_empty = frames;
    with_empty[25] = aac::adts(&[], rate, channels);
    // Time lost at the end of the block is filled by the stamp of the next block.
    let found = flushed_after(&in_one(with_empty), 1);
    assert_eq!(found.len(), single.len());
    assert_eq!(found[31 * 1024..], single[31 * 1024..]);
}

#[test]
fn frames_without_a_configuration_are_reported() {
    let frames = aac::tone(44_100, 1, 20);
    let (outputs, _, stream) = decode(&Aac::with(frames.clone(), None, 44_100), 4096);
    assert_eq!((outputs.pcm.len(), stream.counters().decode_errors), (0, 20));
    assert_eq!(stream.counters().unsupported_codecs, 1);
    assert!(
        outputs.reports.len() == 1 && outputs.reports[0].contains("CodecPrivate"),
        "{:?}",
        outputs.reports
    );
    // Frames with a description after them are decoded.
    let described = frames.iter().map(|frame| aac::adts(frame, 44_100, 1));
    let (outputs, ..) = decode(
        &Aac::with(frames[..3].iter().cloned().chain(described).collect(), None, 44_100),
        4096,
    );
    assert!(!outputs.pcm.is_empty());
}

#[test]
fn a_block_full_of_headers_does_not_become_hours_of_silence() {
    for (payload, samples, errors) in [(&[][..], 0, 257), (&[0xE0], 0, 257)] {
        let frame = aac::adts(payload, 44_100, 1);
        let block = frame.repeat(32_000 / frame.len());
        let (outputs, _, stream) = decode(&Aac::with(vec![block], None, 44_100), 4096);
        let counters = stream.counters();
        assert_eq!(counters.decode_errors, errors);
        assert!(counters.samples.abs_diff(samples) < 100, "{}", counters.samples);
        assert!(outputs.pcm.iter().all(|(_, pcm, ..)| pcm.len() <= 1024));
    }
}

#[test]
fn a_configuration_may_change_with_every_block() {
    let frames = |rate: u32| {
        aac::tone(rate, 1, 400).into_iter().map(move |frame| aac::adts(&frame, rate, 1))
    };
    let changing = frames(44_100).zip(frames(48_000)).flat_map(|(one, other)| [one, other]);
    let packets: Vec<_> = changing.take(400).collect();
    let fragments = getmedia::paced(&packets, (22, 1), 2000, T0);
    let body = getmedia::body(&Framing::codec("A_AAC", None), &fragments);
    let (outputs, _, stream) = decode(&body, 4096);
    let counters = stream.counters();
    assert_eq!((counters.packets, counters.decode_errors), (400, 0));
    assert_eq!((counters.gap_samples, counters.reanchors), (0, 0));
    let samples = flushed(outputs, stream).len();
    // Half of the frames last 1024 samples at 44.1 kHz, half at 48 kHz; none is cut to its stamp.
    let expected = 200 * 1024 * 160 / 441 + 200 * 1024 / 3;
    assert!(samples.abs_diff(expected) < 400, "{samples}");
}

#[test]
fn sbr_is_reported_once_in_every_description() {
    let explicit = vec![0x13, 0x08, 0x56, 0xE5, 0xA5, 0x48, 0x80];
    let plain = aac::config(24_000, 1);
    for (packets, private, reports) in [
        (aac::tone(24_000, 1, 100), explicit, 1),
        (aac::tone_with_sbr(24_000, 1, 100), plain.clone(), 1),
        (aac::tone(24_000, 1, 100), plain, 0),
    ] {
        let (outputs, _, stream) = decode(&Aac::with(packets, Some(private), 24_000), 1460);
        assert_eq!(outputs.reports.len(), reports, "{:?}", outputs.reports);
        assert!(outputs.reports.iter().all(|reports| reports.contains("ReducedCodec")));
        assert_eq!(stream.counters().reduced_codecs, reports as u64);
        assert_eq!(stream.counters().decode_errors, 0);
    }
}

#[test]
fn padding_at_the_end_is_dropped_to_the_sample() {
    for aac in Aac::both() {
        let whole = flushed_after(&aac.body(), 0);
        for padding in [1, 50, 100, 500, 1024] {
            let mut fragments = aac.fragments();
            let last = fragments.last_mut().and_then(|all| all.packets.last_mut()).unwrap();
            last.discard_padding = padding * 1_000_000_000 / i64::from(aac.rate);
            let found = flushed_after(&getmedia::body(&aac.framing(), &fragments), 0);
            let dropped = (padding * 16_000) as f64 / f64::from(aac.rate);
            let missing = (whole.len() - found.len()) as f64;
            assert!((missing - dropped).abs() <= 1.0, "{padding}: {missing} of {dropped}");
            assert_eq!(found, whole[..found.len()]);
            // It is audio if a packet follows it.
            let mut fragments = aac.fragments();
            fragments[0].packets[20].discard_padding = padding * 20_000;
            let found = flushed_after(&getmedia::body(&aac.framing(), &fragments), 0);
            assert_eq!(found, whole);
        }
    }
}

#[test]
fn a_decoder_without_input_has_no_tail() {
    let aac = Aac::open("aac-48k-stereo.mka");
    let (first, ..) = decode(&aac.body(), 4096);
    let mut stream =
        Stream::resume(StreamOptions::default(), first.resume_points[2].clone(), vec![]);
    let mut outputs = Outputs::default();
    let mut silent = aac.fragments()[2].clone();
    silent.packets.clear();
    outputs.push(&mut stream, &getmedia::document(&aac.framing(), &silent), 4096);
    assert!(flushed(outputs, stream).is_empty());
}

/// Frames in fragments of 2 s, with 3 s missing before the fragment `from`.
fn with_a_gap(frames: &[Vec<u8>], rate: u32, from: usize) -> Vec<getmedia::Fragment> {
    let mut all = getmedia::paced(frames, (1_024_000, rate.into()), 2000, T0);
    for fragment in &mut all[from..] {
        for time in [&mut fragment.producer_ms, &mut fragment.server_ms, &mut fragment.cluster_ms] {
            *time = time.map(|ms| ms + 3000);
        }
    }
    all
}

#[test]
fn a_run_resumed_before_a_gap_skips_as_much_as_the_first_run() {
    let frames: Vec<_> =
        aac::tone(48_000, 1, 380).iter().map(|frame| aac::adts(frame, 48_000, 1)).collect();
    let all = with_a_gap(&frames, 48_000, 2);
    for private in [None, Some(aac::config(48_000, 1))] {
        let framing = Framing::codec("A_AAC", private);
        let (first, ..) = decode(&getmedia::body(&framing, &all), 1460);
        let options = StreamOptions::default();
        let mut stream = Stream::resume(options, first.resume_points[2].clone(), vec![]);
        let mut resumed = Outputs::default();
        resumed.push(&mut stream, &getmedia::body(&framing, &all[2..]), 1460);
        assert!(!first.gaps.is_empty());
        assert_eq!(resumed.gaps, first.gaps);
        let after = first.gaps[0].0 + first.gaps[0].1;
        assert_eq!(resumed.from(after)[0].0, first.from(after)[0].0);
    }
}

#[test]
fn no_audio_from_before_a_gap_is_emitted_after_it() {
    for rate in [16_000, 48_000] {
        let all = with_a_gap(&aac::tone(rate, 1, rate as usize * 4 / 1024), rate, 1);
        let body = getmedia::body(&Framing::codec("A_AAC", Some(aac::config(rate, 1))), &all);
        let outputs = |max_fill_ms| {
            let options = StreamOptions { max_fill_ms, ..Default::default() };
            let (mut stream, mut outputs) = (Stream::start(options), Outputs::default());
            outputs.push(&mut stream, &body, 1460);
            outputs
        };
        let (skipped, filled) = (outputs(2000), outputs(10_000));
        let after = skipped.gaps[0].0 + skipped.gaps[0].1;
        assert_eq!(skipped.from(after), filled.from(after), "{rate} Hz");
    }
}
