//! A document truncated anywhere, directly followed by the next one: only the truncated bytes are
//! lost.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod harness;

use harness::{Outputs, decode, fragments, packets};
use media::mkv::{Event, Parser, Selected, limits};
use testkit::ebml::Size;
use testkit::getmedia::{self, Fragment, Framing};

/// Numbers of the completed fragments.
fn completed(bytes: &[u8], piece: usize) -> Vec<String> {
    let mut parser = Parser::new();
    let (mut numbers, mut accounted) = (Vec::new(), 0);
    for mut chunk in bytes.chunks(piece) {
        while !chunk.is_empty() {
            chunk = parser.push(chunk);
            while let Some(event) = parser.poll() {
                match event {
                    Event::FragmentEnd(tags) => {
                        numbers.push(tags.fragment_number.as_ref().unwrap().to_string());
                    }
                    Event::DocumentEnd { bytes, .. } | Event::Skipped { bytes } => {
                        accounted += bytes
                    }
                    Event::Tracks { tracks, .. } => {
                        let audio = tracks.last().map(|track| Selected::any(track.number));
                        parser.select(audio);
                    }
                    _ => {}
                }
            }
            assert!(parser.held() <= limits::MAX_HELD);
        }
    }
    let end = parser.finish();
    assert_eq!(accounted + end.document.unwrap_or(0) + end.tail, bytes.len() as u64);
    numbers
}

fn short(seed: u64) -> Vec<Fragment> {
    getmedia::fragments(&packets(seed, 1), 200, 300, harness::T0)
}

/// Every fragment but the second, which is truncated after each of its bytes in turn.
fn check(framing: &Framing) {
    let all = short(1);
    let documents: Vec<Vec<u8>> =
        all.iter().map(|fragment| getmedia::document(framing, fragment)).collect();
    let numbers: Vec<String> = all.iter().filter_map(|fragment| fragment.number.clone()).collect();
    let whole = [&numbers[..1], &numbers[2..]].concat();
    let mut eaten = Vec::new();
    for cut in 1..documents[1].len() {
        let bytes = [&documents[0][..], &documents[1][..cut], &documents[2..].concat()].concat();
        let outputs = completed(&bytes, 700);
        // If only the end of its last tags is missing, the fragment itself is complete.
        if outputs != whole && outputs != numbers {
            eaten.push((cut, outputs.len()));
        }
    }
    let total = documents[1].len();
    assert!(eaten.is_empty(), "{} of {total} cuts of {framing:?}: {eaten:?}", eaten.len());
}

#[test]
fn a_fragment_truncated_anywhere_leaves_the_next_one_intact() {
    check(&Framing::default());
    check(&Framing { cluster: Size::Unknown(1), ..Framing::default() });
    check(&Framing { block_groups: true, segment: Size::Unknown(1), ..Framing::odd() });
}

#[test]
fn a_cut_in_video_leaves_the_next_fragment_intact() {
    check(&Framing { video: Some(700), ..Framing::default() });
    check(&Framing { video: Some(2_500), cluster: Size::Unknown(8), ..Framing::default() });
}

#[test]
fn a_cut_in_random_video_leaves_the_next_fragment_intact() {
    let noise = Framing { video_is_noise: true, ..Framing::default() };
    check(&Framing { video: Some(700), ..noise.clone() });
    check(&Framing { video: Some(2_500), cluster: Size::Unknown(8), ..noise.clone() });
    check(&Framing { video: Some(1_179), block_groups: true, ..noise });
}

#[test]
fn reports_of_a_cut_do_not_depend_on_pieces() {
    let framing = Framing { video: Some(900), cluster: Size::Unknown(1), ..Framing::default() };
    check_pieces(&framing);
    check_pieces(&Framing { video_is_noise: true, ..framing });
}

fn check_pieces(framing: &Framing) {
    let documents: Vec<Vec<u8>> =
        short(2).iter().map(|fragment| getmedia::document(framing, fragment)).collect();
    for cut in (1..documents[1].len()).step_by(37) {
        let bytes = [&documents[0][..], &documents[1][..cut], &documents[2..].concat()].concat();
        let (whole, ..) = decode(&bytes, bytes.len());
        for piece in [1, 13, 512] {
            assert!(decode(&bytes, piece).0 == whole, "cut {cut}, pieces of {piece}");
        }
    }
}

#[test]
fn the_audio_after_a_cut_is_decoded_from_its_first_sample() {
    let all = fragments(&packets(3, 6));
    let documents: Vec<Vec<u8>> =
        all.iter().map(|fragment| getmedia::document(&Framing::default(), fragment)).collect();
    for cut in [60, 1_000, 3_777, documents[1].len() - 100] {
        let bytes = [&documents[0][..], &documents[1][..cut], &documents[2]].concat();
        let (outputs, tail, stream) = decode(&bytes, 1460);
        assert!(!tail.cut && outputs.completed.len() == 2, "{cut}: {:?}", outputs.completed);
        assert_eq!(stream.counters().incomplete_fragments, u64::from(cut > 400), "{cut}");
        let last: Outputs = decode(&documents[2], 1460).0;
        let samples: usize = last.pcm.iter().map(|(_, samples, ..)| samples.len()).sum();
        let behind = outputs.from(64_000 - 104);
        assert!(behind.len() >= samples, "{cut}: {} of {samples}", behind.len());
    }
}

#[test]
fn a_fragment_truncated_after_its_number_is_reported() {
    let all = fragments(&packets(4, 6));
    let documents: Vec<Vec<u8>> =
        all.iter().map(|fragment| getmedia::document(&Framing::default(), fragment)).collect();
    let number = all[1].number.clone().unwrap();
    let at = documents[1].windows(number.len()).position(|text| text == number.as_bytes()).unwrap();
    for cut in (at + number.len()..documents[1].len() - 200).step_by(101) {
        let cut_off = [&documents[0][..], &documents[1][..cut]].concat();
        let (_, tail, stream) = decode(&cut_off, 1460);
        assert_eq!(tail.incomplete.unwrap().to_string(), number, "{cut}");
        assert_eq!(stream.counters().incomplete_fragments, 1);
        let (outputs, _, stream) = decode(&[&cut_off[..], &documents[2]].concat(), 1460);
        assert!(
            outputs.reports.iter().any(|reports| reports.contains(&number)),
            "{cut}: {:?}",
            outputs.reports
        );
        assert_eq!(stream.counters().incomplete_fragments, 1);
    }
}
