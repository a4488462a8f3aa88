//! A fragment gives no more audio than its own stamps and KVS's limit of 20 s allow.

use crate::harness::{T0, body, decode, fragments, packets, reference};
use testkit::ebml::Lacing;
use testkit::getmedia::{self, Framing, Timed};

/// One fragment with packets that are all at its start.
fn at_once(data: &[u8], packets: usize) -> getmedia::Fragment {
    let mut all = getmedia::fragments(&[data.to_vec()], 200, 2000, T0);
    let packet = Timed { offset_ms: 0, data: data.to_vec(), discard_padding: 0 };
    all[0].packets = vec![packet; packets];
    all.remove(0)
}

#[test]
fn laces_at_time_0_are_limited_to_the_longest_fragment() {
    // 120 ms in two bytes.
    let packet = vec![0xE3, 48];
    for (lacing, each) in [(Lacing::Xiph, 200), (Lacing::None, 1)] {
        let framing = Framing { lacing: (lacing, each), ..Framing::default() };
        let bytes = getmedia::body(&framing, &[at_once(&packet, 20_000)]);
        let (outputs, _, stream) = decode(&bytes, 16_384);
        let counters = stream.counters();
        // A lace of 200 packets lasts 24 s: only KVS's limit applies.
        let most = if each == 1 { 20 * 16_000 } else { 4 * 25 * 16_000 + 3 * 16_000 };
        assert!(counters.samples <= most, "{} samples", counters.samples);
        assert!(counters.excess_samples > 1000 * 1920, "{}", counters.excess_samples);
        assert_eq!(outputs.reports.len(), 1, "{:?}", outputs.reports);
        assert!(outputs.reports[0].contains("FragmentExceeded"));
    }
}

#[test]
fn a_stamp_beyond_the_longest_fragment_changes_no_position() {
    let packets = packets(1, 8);
    let mut all = fragments(&packets);
    for packet in &mut all[1].packets[50..] {
        packet.offset_ms += 30_000;
    }
    let (outputs, _, stream) = decode(&body(&all), 1460);
    assert!(outputs.joined(0) == reference(&packets));
    assert_eq!(stream.counters().excess_samples, 0);
}

#[test]
fn fragments_of_20_s_are_not_limited() {
    let packets = packets(1, 45);
    let all = getmedia::fragments(&packets, 200, 20_000, T0);
    let (outputs, _, stream) = decode(&body(&all), 16_384);
    assert!(outputs.joined(0) == reference(&packets));
    assert_eq!(stream.counters().excess_samples, 0);
}
