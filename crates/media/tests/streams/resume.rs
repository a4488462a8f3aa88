//! A run resumed at any fragment gives every sample the position of the first run, and after three
//! seconds the same PCM.

use crate::harness::{Outputs, T0, body, decode, fragments, packets, reference};
use media::{ResumePoint, Stream, StreamOptions};
use proptest::prelude::*;
use testkit::getmedia::{self, Fragment, Framing};
use testkit::{opus, snr};

fn resume(point: &ResumePoint, bytes: &[u8], piece: usize) -> Outputs {
    // Through text, as a checkpoint stores it.
    let point = ResumePoint::from_text(&point.to_text()).unwrap();
    let mut stream = Stream::resume(StreamOptions::default(), point, vec![]);
    let mut outputs = Outputs::default();
    outputs.push(&mut stream, bytes, piece);
    outputs
}

/// A session with a lost fragment, a lost packet, overlapping time, wrong block times, a producer
/// restart with another clock, and constant timecodes.
fn eventful(seed: u64) -> Vec<Fragment> {
    let mut all = fragments(&packets(seed, 30));
    all.remove(3);
    all[5].packets.remove(40);
    for fragment in &mut all[7..] {
        fragment.producer_ms = fragment.producer_ms.map(|ms| ms - 300);
        fragment.server_ms = fragment.server_ms.map(|ms| ms + 20);
    }
    let restart = all[10].producer_ms.unwrap();
    for (index, fragment) in all[10..].iter_mut().enumerate() {
        fragment.cluster_ms = Some(2000 * index as i64);
        fragment.producer_ms = Some(restart + 3_600_000 + 2000 * index as i64);
        fragment.server_ms = fragment.server_ms.map(|ms| ms + 3500 + 40 * (index as i64 % 3));
    }
    for (fragment, block, off_ms) in [(2, 30, 1500), (4, 0, -3000), (8, 99, 3000), (11, 0, 2500)] {
        all[fragment].packets[block].offset_ms += off_ms;
    }
    for fragment in &mut all[12..] {
        fragment.cluster_ms = Some(0);
    }
    all
}

#[test]
fn the_resume_point_of_the_first_fragment_contains_the_origin() {
    let all = fragments(&packets(1, 6));
    let (first, ..) = decode(&body(&all), 1460);
    assert_eq!(first.resume_points[0].origin_ms, Some(T0));
    assert_eq!(first.resume_points[0].next, -104);
    // If the fragment itself is missing, the next one keeps its position.
    let later = resume(&first.resume_points[0], &body(&all[1..]), 1460);
    let outputs =
        later.pcm.iter().find(|(_, samples, filled, _)| (*filled as usize) < samples.len());
    assert_eq!(outputs.map(|(start, _, filled, _)| start + u64::from(*filled)), Some(32_000 - 104));
}

#[test]
fn fragments_before_the_resume_point_are_skipped() {
    let all = fragments(&packets(2, 10));
    let (first, ..) = decode(&body(&all), 1460);
    let point = &first.resume_points[2];
    let resumed = resume(point, &body(&all), 1460);
    assert_eq!(resumed.repeated.len(), 2);
    assert_eq!(resumed.from(0)[0].0 as i64, point.next);
    assert_eq!(resumed.positions()[..], first.positions()[200..]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn positions_are_the_same_from_every_fragment(
        seed in 0..4_u64,
        pieces in (20..3000_usize, 20..3000_usize),
        odd in any::<bool>(),
    ) {
        let framing = if odd {
            Framing { video: Some(60), ..Framing::odd() }
        } else {
            Framing::default()
        };
        let all = eventful(seed);
        let bodies: Vec<_> = all.iter().map(|f| getmedia::document(&framing, f)).collect();
        let (first, _, stream) = decode(&bodies.concat(), pieces.0);
        let counters = stream.counters();
        prop_assert!(counters.filled_samples > 0 && counters.gap_samples > 0);
        prop_assert!(counters.reanchors > 0);
        prop_assert_eq!(first.resume_points.len(), all.len());
        for (index, point) in first.resume_points.iter().enumerate() {
            let resumed = resume(point, &bodies[index..].concat(), pieces.1);
            let from = point.next.max(0).unsigned_abs();
            let expected: Vec<_> =
                first.positions().into_iter().filter(|&(start, _)| start >= from).collect();
            prop_assert_eq!(resumed.positions(), expected, "fragment {}", index);
            prop_assert_eq!(&resumed.resume_points[..], &first.resume_points[index..]);
            let gaps: Vec<_> = first.gaps.iter().copied().filter(|gap| gap.0 >= from).collect();
            prop_assert_eq!(&resumed.gaps, &gaps);
        }
    }
}

/// SNR of the 20 ms frames above −50 dBFS: of all together, and of the worst.
fn loud_snr(expected: &[i16], found: &[i16]) -> (f64, f64) {
    let (mut expected_loud, mut found_loud, mut worst) = (Vec::new(), Vec::new(), f64::INFINITY);
    for (a, b) in expected.chunks(320).zip(found.chunks(320)) {
        let power = a.iter().map(|&s| f64::from(s).powi(2)).sum::<f64>() / a.len() as f64;
        if power.sqrt() > 32_768.0 * 10_f64.powf(-50.0 / 20.0) {
            expected_loud.extend_from_slice(a);
            found_loud.extend_from_slice(b);
            worst = worst.min(snr::decibels(a, b));
        }
    }
    (snr::decibels(&expected_loud, &found_loud), worst)
}

/// Resumes at every fragment and compares the PCM from three seconds after the resume point on.
fn seams(name: &str, packets: &[Vec<u8>]) -> [usize; 3] {
    let all = fragments(packets);
    let bodies: Vec<_> = all.iter().map(|f| getmedia::document(&Framing::default(), f)).collect();
    let (first, ..) = decode(&bodies.concat(), 16_384);
    let whole = first.joined(0);
    let [mut points, mut good, mut identical, mut every_frame] = [0; 4];
    for (index, point) in first.resume_points.iter().enumerate().skip(1) {
        let from = point.next as usize + 3 * 16_000;
        if from + 16_000 > whole.len() {
            break;
        }
        let resumed = resume(point, &bodies[index..].concat(), 16_384);
        let found: Vec<i16> = resumed.from(from as u64).iter().map(|&(_, sample)| sample).collect();
        let (together, worst) = loud_snr(&whole[from..], &found);
        points += 1;
        good += usize::from(together >= 40.0);
        every_frame += usize::from(worst >= 40.0);
        identical += usize::from(found == whole[from..]);
        if together < 40.0 {
            println!("{name}: {together:.1} dB from fragment {index}");
        }
    }
    println!(
        "{name}: {points} resume points, {good} at 40 dB or more ({every_frame} in every frame), \
         {identical} identical"
    );
    [points, good, identical]
}

#[test]
fn three_seconds_of_warm_up_restore_the_pcm() {
    let recording = recording_packets();
    // Speech at 48 kHz for the encoder, from the recording's 16 kHz by linear interpolation.
    let decoded = opus::decode(&recording);
    let between = |pair: &[i16], third: i32| {
        ((i32::from(pair[0]) * (3 - third) + i32::from(pair[1]) * third) / 3) as i16
    };
    let speech: Vec<i16> =
        decoded.windows(2).flat_map(|pair| [0, 1, 2].map(|third| between(pair, third))).collect();
    let settings = opus::Settings::default();
    let mut total = seams("bundled recording", &recording);
    for (name, settings) in [
        ("SILK 16 kb/s", opus::Settings { bitrate: 16_000, ..settings }),
        ("CELT 64 kb/s", opus::Settings { bitrate: 64_000, voice: false, ..settings }),
        ("SILK, FEC, DTX", opus::Settings { bitrate: 24_000, fec: true, dtx: true, ..settings }),
    ] {
        let found = seams(name, &opus::encode(&settings, &speech));
        total = [0, 1, 2].map(|index| total[index] + found[index]);
    }
    let [points, good, identical] = total;
    println!("all: {points} resume points, {good} at 40 dB or more, {identical} identical");
    assert!(good * 100 >= points * 99, "{total:?}");
    assert!(identical * 2 > points, "{total:?}");
}

fn recording_packets() -> Vec<Vec<u8>> {
    let mut file = std::io::Cursor::new(testkit::recording_bytes());
    let mut demuxer = matroska_demuxer::MatroskaFile::open(&mut file).unwrap();
    let (mut packets, mut frame) = (Vec::new(), matroska_demuxer::Frame::default());
    while demuxer.next_frame(&mut frame).unwrap() {
        packets.push(frame.data.clone());
    }
    packets
}

#[test]
fn the_uninterrupted_run_is_the_reference() {
    let packets = packets(9, 6);
    let (first, ..) = decode(&body(&fragments(&packets)), 100);
    assert_eq!(first.joined(0), reference(&packets));
}
