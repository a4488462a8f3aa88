//! A fragment without its end, directly followed by the next one. If it ends between two elements,
//! only its missing part is lost. If it ends inside an element, it is reported, and the parser
//! finds the documents after it again.

use crate::harness::{self, Outputs, decode, fragments, packets};
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
    getmedia::fragments(&packets(seed, 2), 200, 300, harness::T0)
}

fn numbers(fragments: &[Fragment]) -> Vec<String> {
    fragments.iter().filter_map(|fragment| fragment.number.clone()).collect()
}

fn documents(framing: &Framing, fragments: &[Fragment]) -> Vec<Vec<u8>> {
    fragments.iter().map(|fragment| getmedia::document(framing, fragment)).collect()
}

/// Ends of the audio blocks in the document of `fragment`.
fn block_ends<'a>(
    document: &'a [u8],
    fragment: &'a Fragment,
) -> impl Iterator<Item = usize> + use<'a> {
    fragment.packets.iter().map(|packet| {
        let data = &packet.data;
        let start = document.windows(data.len()).position(|window| window == data).unwrap();
        start + data.len()
    })
}

fn framings() -> [Framing; 4] {
    let plain = Framing::default;
    [
        plain(),
        Framing { cluster: Size::Unknown(1), ..plain() },
        Framing { video: Some(700), ..plain() },
        Framing { video: Some(2_500), cluster: Size::Unknown(8), ..plain() },
    ]
}

#[test]
fn a_fragment_that_ends_between_elements_leaves_the_next_one_whole() {
    let all = short(1);
    let whole = [&numbers(&all)[..1], &numbers(&all)[2..]].concat();
    for framing in framings() {
        let documents = documents(&framing, &all);
        for end in block_ends(&documents[1], &all[1]) {
            let bytes =
                [&documents[0][..], &documents[1][..end], &documents[2..].concat()].concat();
            assert_eq!(completed(&bytes, 700), whole, "{end} of {framing:?}");
        }
    }
}

#[test]
fn after_a_fragment_cut_anywhere_the_documents_are_found_again() {
    let all = short(1);
    let all_numbers = numbers(&all);
    for framing in framings() {
        let documents = documents(&framing, &all);
        for cut in 1..documents[1].len() {
            let bytes =
                [&documents[0][..], &documents[1][..cut], &documents[2..].concat()].concat();
            let outputs = completed(&bytes, 700);
            // An element that is cut may skip the beginning of the next document.
            let found =
                outputs.starts_with(&all_numbers[..1]) && outputs.ends_with(&all_numbers[3..]);
            assert!(found, "{cut} of {framing:?}: {outputs:?}");
        }
    }
}

#[test]
fn reports_of_a_cut_do_not_depend_on_pieces() {
    let framing = Framing { video: Some(900), cluster: Size::Unknown(1), ..Framing::default() };
    check_pieces(&framing);
    check_pieces(&Framing { video_is_noise: true, ..framing });
}

fn check_pieces(framing: &Framing) {
    let documents = documents(framing, &short(2));
    for cut in (1..documents[1].len()).step_by(37) {
        let bytes = [&documents[0][..], &documents[1][..cut], &documents[2..].concat()].concat();
        let (whole, ..) = decode(&bytes, bytes.len());
        for piece in [1, 13, 512] {
            assert!(decode(&bytes, piece).0 == whole, "cut {cut}, pieces of {piece}");
        }
    }
}

#[test]
fn the_audio_behind_a_fragment_without_its_end_is_decoded_from_its_first_sample() {
    let all = fragments(&packets(3, 6));
    let documents = documents(&Framing::default(), &all);
    for end in block_ends(&documents[1], &all[1]).step_by(9) {
        let bytes = [&documents[0][..], &documents[1][..end], &documents[2]].concat();
        let (outputs, tail, stream) = decode(&bytes, 1460);
        assert!(!tail.cut && outputs.completed.len() == 2, "{end}: {:?}", outputs.completed);
        assert_eq!(stream.counters().incomplete_fragments, 1, "{end}");
        let last: Outputs = decode(&documents[2], 1460).0;
        let samples: usize = last.pcm.iter().map(|(_, samples, ..)| samples.len()).sum();
        let behind = outputs.from(64_000 - 104);
        assert!(behind.len() >= samples, "{end}: {} of {samples}", behind.len());
    }
}

#[test]
fn a_fragment_truncated_after_its_number_is_reported() {
    let all = fragments(&packets(4, 8));
    let documents = documents(&Framing::default(), &all);
    let number = all[1].number.clone().unwrap();
    let at = documents[1].windows(number.len()).position(|text| text == number.as_bytes()).unwrap();
    for cut in (at + number.len()..documents[1].len() - 200).step_by(101) {
        let cut_off = [&documents[0][..], &documents[1][..cut]].concat();
        let (_, tail, stream) = decode(&cut_off, 1460);
        assert_eq!(tail.incomplete.unwrap().to_string(), number, "{cut}");
        assert_eq!(stream.counters().incomplete_fragments, 1);
        let (outputs, _, stream) = decode(&[&cut_off[..], &documents[2..].concat()].concat(), 1460);
        assert!(
            outputs.reports.iter().any(|report| report.contains(&number)),
            "{cut}: {:?}",
            outputs.reports
        );
        assert_eq!(stream.counters().incomplete_fragments, 1);
    }
}
