//! One stream over many bodies: after truncated, repeated or rejected bodies every sample is
//! emitted once, at its position and bit-identical.

use crate::harness::{Outputs, T0, body, decode, encoded, fragments, packets, reference};
use media::{Stream, StreamOptions};
use proptest::prelude::*;
use testkit::getmedia::{self, Framing};

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_body_truncated_anywhere_and_read_again_loses_and_repeats_no_sample(
        cuts in proptest::collection::vec(0.0..1.0_f64, 1..4),
        again in 0..3_usize,
        frame in prop_oneof![Just(25_u32), Just(100), Just(200), Just(600)],
        piece in 50..2000_usize,
    ) {
        let packets = encoded(1, 8, frame);
        let all = getmedia::fragments(&packets, frame, 2000, T0);
        let bodies: Vec<_> =
            all.iter().map(|f| getmedia::document(&Framing::default(), f)).collect();
        let mut stream = Stream::start(StreamOptions::default());
        let mut outputs = Outputs::default();
        for cut in cuts {
            let next = outputs.completed.len();
            let rest = bodies[next.saturating_sub(again)..].concat();
            let here = (rest.len() as f64 * cut) as usize;
            outputs.push(&mut stream, &rest[..here], piece);
            let tail = stream.finish();
            prop_assert!(!tail.cut || tail.bytes > 0);
        }
        let next = outputs.completed.len();
        outputs.push(&mut stream, &bodies[next.saturating_sub(again)..].concat(), piece);
        prop_assert!(!stream.finish().cut);
        prop_assert!(outputs.joined(0) == reference(&packets));
        prop_assert_eq!(outputs.completed.len(), all.len());
        prop_assert_eq!(stream.counters().filled_samples, 0);
        prop_assert_eq!(stream.counters().packets, packets.len() as u64);
    }
}

#[test]
fn the_tail_reports_the_truncated_fragment() {
    let all = fragments(&packets(2, 6));
    let bytes = body(&all);
    let second = body(&all[..1]).len();
    let (_, tail, _) = decode(&bytes[..second], 100);
    assert_eq!((tail.cut, tail.bytes), (false, 0));
    let (_, tail, _) = decode(&bytes[..second + 20], 100);
    assert_eq!((tail.cut, tail.incomplete, tail.bytes), (true, None, 20));
    let (_, tail, stream) = decode(&bytes[..second + 3000], 100);
    assert_eq!(tail.incomplete.map(|number| number.to_string()), all[1].number);
    assert_eq!((tail.bytes, stream.counters().incomplete_fragments), (3000, 1));
}

#[test]
fn a_truncated_fragment_that_is_not_sent_again_leaves_a_gap_of_its_length() {
    let packets = packets(3, 8);
    let all = fragments(&packets);
    let bytes = body(&all[..2]);
    let mut stream = Stream::start(StreamOptions::default());
    let mut outputs = Outputs::default();
    outputs.push(&mut stream, &bytes[..bytes.len() - 2000], 100);
    assert!(stream.finish().cut);
    outputs.push(&mut stream, &body(&all[2..]), 100);
    assert_eq!(outputs.joined(0).len(), reference(&packets).len());
    assert!(stream.counters().filled_samples > 0);
}

#[test]
fn an_error_report_does_not_hide_fragments() {
    let packets = packets(4, 6);
    let all = fragments(&packets);
    let mut stream = Stream::start(StreamOptions::default());
    let mut outputs = Outputs::default();
    outputs.push(&mut stream, &body(&all[..1]), 100);
    let later = getmedia::number(50);
    outputs.push(
        &mut stream,
        &getmedia::error_document(4000, "FragmentNotFound", Some(&later)),
        10,
    );
    stream.finish();
    assert_eq!(outputs.reports, [r#"ErrorTag { id: 4000, code: Some("FragmentNotFound") }"#]);
    outputs.push(&mut stream, &body(&all[1..]), 100);
    assert_eq!(outputs.joined(0), reference(&packets));
    let error = getmedia::error_document(5000, "InternalError", None);
    outputs.push(&mut stream, &error, 1);
    assert_eq!(stream.counters().error_tags, 2);
}

#[test]
fn empty_bodies_have_no_effect() {
    let mut stream = Stream::start(StreamOptions::default());
    for _ in 0..3 {
        assert_eq!(stream.poll(), None);
        assert_eq!(stream.finish(), media::Tail::default());
    }
}
