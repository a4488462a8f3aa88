use proptest::prelude::*;

use super::*;

fn chunk(start: u64, count: u64, outcome: Outcome) -> Delivery {
    Delivery {
        trace: String::new(),
        start_sample: start,
        sample_count: count,
        filled_samples: 0,
        chunk_count: 1,
        producer_ms: 1_000_000 + (start / SAMPLES_PER_MS) as i64,
        is_final: false,
        received_us: 0,
        answered_us: 0,
        outcome,
    }
}

fn accepted(start: u64, count: u64) -> Delivery {
    chunk(start, count, Outcome::Accepted { next_sample: Some(start + count) })
}

#[test]
fn each_sample_counts_once() {
    let failed = chunk(8000, 8000, Outcome::Failed { error: "Unhandled".into() });
    let again = chunk(0, 8000, Outcome::Duplicate { next_sample: Some(16_000) });
    let mut last = accepted(16_000, 0);
    last.is_final = true;
    last.answered_us = 9;
    let all = [accepted(0, 8000), failed, accepted(8000, 8000), again, last];
    let stats = DeliveryStats::of("s", &all, &[]);
    assert_eq!(stats.samples_delivered, 16_000);
    assert_eq!(stats.samples_duplicated, 0);
    assert_eq!(stats.offered_twice, 16_000);
    assert_eq!((stats.chunks, stats.failed_deliveries), (3, 1));
    assert_eq!((stats.next_sample, stats.final_accepted_us), (16_000, Some(9)));
}

#[test]
fn a_refused_chunk_that_is_called_a_duplicate_was_not_delivered() {
    let refused = chunk(8000, 8000, Outcome::Failed { error: "InvalidPayload".into() });
    let passed = chunk(8000, 8000, Outcome::Duplicate { next_sample: Some(24_000) });
    let all = [accepted(0, 8000), refused, accepted(16_000, 8000), passed];
    let stats = DeliveryStats::of("s", &all, &[]);
    assert_eq!((stats.samples_delivered, stats.samples_duplicated), (16_000, 0));
    let processed = DeliveryStats::of("s", &[&all[..], &[accepted(8000, 8000)]].concat(), &[]);
    assert_eq!(processed.samples_delivered, 24_000);
}

#[test]
fn samples_that_were_taken_before_the_function_crashed_count_once() {
    let died = chunk(0, 8000, Outcome::Failed { error: "Sandbox.Timedout".into() });
    let had = chunk(0, 8000, Outcome::Duplicate { next_sample: Some(8000) });
    let stats = DeliveryStats::of("s", &[died, had.clone(), had, accepted(8000, 8000)], &[]);
    assert_eq!((stats.samples_delivered, stats.samples_duplicated), (16_000, 0));
    assert_eq!((stats.chunks, stats.offered_twice), (2, 16_000));
}

#[test]
fn a_partly_known_chunk_counts_by_its_tail() {
    let stats = DeliveryStats::of("s", &[accepted(0, 8000), accepted(4000, 8000)], &[]);
    assert_eq!((stats.samples_delivered, stats.samples_duplicated), (12_000, 0));
    assert_eq!(stats.offered_twice, 4000);
}

#[test]
fn a_processor_that_takes_samples_twice_is_found_out() {
    let stats = DeliveryStats::of("s", &[accepted(0, 8000), accepted(0, 8000)], &[]);
    assert_eq!((stats.samples_delivered, stats.samples_duplicated), (8000, 8000));
}

#[test]
fn latency_counts_from_the_fragment_that_holds_the_last_sample() {
    let fragment = |sequence: u64, sent_us| SentPart {
        sequence,
        producer_start_ms: 1_000_000 + 2000 * (sequence as i64 - 1),
        producer_end_ms: 1_000_000 + 2000 * sequence as i64,
        codec_delay_us: 6500,
        sent_us,
    };
    let sent = [fragment(1, 10_000), fragment(2, 2_010_000)];
    let mut inside = accepted(0, 8000);
    inside.received_us = 15_000;
    // Its last samples come 6.5 ms into the second fragment, because of the decoder's delay.
    let mut across = accepted(24_000, 8000);
    across.received_us = 2_011_000;
    let stats = DeliveryStats::of("s", &[inside, across], &sent);
    assert_eq!(stats.delivery_latency_ms, Some(Latency { p50: 1.0, p99: 5.0 }));
}

proptest! {
    #[test]
    fn ranges_count_like_a_bitmap(
        adds in proptest::collection::vec((0_u64..200, 0_u64..40), 1..40)
    ) {
        let (mut ranges, mut bits) = (Ranges::default(), [false; 256]);
        for (start, len) in adds {
            let cells = &mut bits[start as usize..(start + len) as usize];
            let before = cells.iter().filter(|bit| **bit).count() as u64;
            cells.fill(true);
            prop_assert_eq!(ranges.add(start, start + len), before);
        }
        prop_assert_eq!(ranges.total(), bits.iter().filter(|bit| **bit).count() as u64);
    }
}
