//! What a stream holds, for how long, and what a reader gets of it.

use super::held::{BUFFER_MS, HOUR_MS};
use super::*;

fn keep(store: &FragmentStore, now_ms: i64) -> FragmentNumber {
    keep_open(store, store.open(ServerTime::Cloud(now_ms), now_ms, Bytes::new()), now_ms)
}

fn keep_open(store: &FragmentStore, head: Arc<FragmentHead>, now_ms: i64) -> FragmentNumber {
    let number = head.number.clone();
    let whole = ProducerFragment {
        duration_ms: 1000,
        cluster: vec![0; 100].into(),
        trailing: Bytes::new(),
    };
    store.keep(head, whole, now_ms).unwrap();
    number
}

#[test]
fn retention_is_kept_by_the_clock() {
    let store = FragmentStore::new("s", 1);
    let first = keep(&store, 0);
    let second = keep(&store, HOUR_MS);
    assert_eq!(store.sequence_of(first.as_str(), HOUR_MS), Some(1));
    assert_eq!(store.sequence_of(first.as_str(), HOUR_MS + 1), None);
    assert_eq!(store.sequence_of(second.as_str(), 2 * HOUR_MS), Some(2));
    assert_eq!(store.state(2 * HOUR_MS)["bytes"], 100);
    store.keep_for(0);
    assert!(store.after(0, HOUR_MS + BUFFER_MS + 1).is_none());
}

#[test]
fn retention_begins_when_the_fragment_is_stored() {
    let store = FragmentStore::new("s", 1);
    let number = keep_open(&store, store.open(ServerTime::Cloud(0), 0, Bytes::new()), 30 * HOUR_MS);
    assert_eq!(store.sequence_of(number.as_str(), 31 * HOUR_MS), Some(1));
    assert_eq!(store.sequence_of(number.as_str(), 31 * HOUR_MS + 1), None);
}

#[test]
fn an_open_fragment_is_read_from_its_first_block_to_its_end() {
    let store = FragmentStore::new("s", 1);
    let before = keep(&store, 0);
    let head = store.open(ServerTime::Cloud(1000), 5000, Bytes::new());
    assert_eq!(store.sequence_of(head.number.as_str(), 0), Some(2));
    assert!(store.open_after(1).is_none(), "it has no block");
    for (n, block) in [&b"first"[..], b"second"].into_iter().enumerate() {
        store.grow(Bytes::from_static(block), 20 * (n as i64 + 1));
    }
    assert!(store.open_after(2).is_none() && store.after(1, 0).is_none());
    assert_eq!(store.open_after(1).unwrap().number, head.number);
    assert_eq!(store.producer_end_ms(), Some(5040));
    assert_eq!(store.before_first(0, |_| false), 1, "NOW begins with it");
    let Growth::Open(parts) = store.growth(2, 1) else { panic!("it is open") };
    assert_eq!((&parts[0].children[..], parts.len()), (&b"second"[..], 1));
    assert_eq!(store.state(0)["lastFragment"], before.as_str());
    keep_open(&store, head, 0);
    let Growth::Complete(fragment) = store.growth(2, 2) else { panic!("it is complete") };
    assert_eq!((fragment.head.sequence, store.after(1, 0).unwrap().end_ms()), (2, 6000));
    assert!(store.open_after(1).is_none());
}

#[test]
fn a_reader_misses_no_fragment_that_is_completed_meanwhile() {
    const FRAGMENTS: u64 = 20_000;
    let store = Arc::new(FragmentStore::new("s", 1));
    let producer = std::thread::spawn({
        let store = Arc::clone(&store);
        move || {
            for _ in 0..FRAGMENTS {
                let head = store.open(ServerTime::Cloud(0), 0, Bytes::new());
                store.grow(Bytes::from_static(b"block"), 20);
                keep_open(&store, head, 0);
            }
        }
    });
    let mut last = 0;
    while last < FRAGMENTS {
        let sequence = match store.next(last, 0) {
            Some(Next::Complete(fragment)) => fragment.head.sequence,
            Some(Next::Open(head)) => head.sequence,
            None => continue,
        };
        assert_eq!(sequence, last + 1);
        last = sequence;
    }
    producer.join().unwrap();
}

#[test]
fn an_open_fragment_ends_with_its_producer() {
    let store = Arc::new(FragmentStore::new("s", 1));
    let producer = store.acquire(Access::Write, 0).unwrap();
    let head = store.open(ServerTime::Cloud(0), 0, Bytes::new());
    store.grow(Bytes::from_static(b"block"), 20);
    let changes = store.watch();
    drop(producer);
    assert!(changes.has_changed().unwrap());
    assert!(matches!(store.growth(1, 1), Growth::Dropped));
    assert_eq!(store.sequence_of(head.number.as_str(), 0), None);
    assert!(store.open_after(0).is_none());
}

#[test]
fn places_and_calls_are_limited() {
    let store = Arc::new(FragmentStore::new("s", 1));
    let permits: Vec<ConnectionPermit> =
        (0..3).map(|_| store.acquire(Access::Read, 0).unwrap()).collect();
    let full = store.acquire(Access::Read, 0).unwrap_err();
    assert_eq!(full.code, "ConnectionLimitExceededException");
    drop(permits);
    let _one = store.acquire(Access::Read, 999).unwrap();
    let often = store.acquire(Access::Read, 999).unwrap_err();
    assert_eq!(often.code, "ClientLimitExceededException");
    assert!(store.acquire(Access::Read, 1000).is_ok());
    let writer = store.acquire(Access::Write, 0).unwrap();
    assert!(store.acquire(Access::Write, 0).is_err());
    drop(writer);
}
