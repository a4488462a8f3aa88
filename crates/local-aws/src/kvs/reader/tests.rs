use ebml::id;
use futures_util::FutureExt as _;
use proptest::prelude::*;
use sam_template::Account;

use super::super::fragment::ServerTime;
use super::super::fragment_store::Access;
use super::super::fragmenter::{FragmentEvent, Fragmenter, ProducerFragment};
use super::*;
use crate::faults::Faults;

fn keep(store: &FragmentStore, now_ms: i64) {
    let whole = ProducerFragment {
        duration_ms: 1000,
        cluster: Bytes::from_static(b"cluster"),
        trailing: Bytes::new(),
    };
    store.keep(store.open(ServerTime::Cloud(now_ms), now_ms, Bytes::new()), whole, now_ms).unwrap();
}

fn reader(store: &Arc<FragmentStore>, clock: &Clock) -> Reader {
    let kvs = Kvs::new(clock.clone(), Faults::default(), Account::default(), String::new());
    let permit = store.acquire(Access::Read, 0).unwrap();
    Reader::start(kvs, Arc::clone(store), permit, &Selector::Earliest, clock.now_ms())
}

fn element(id: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    ebml::write(&mut out, id, 4, payload);
    out
}

/// Fragments of known and of unknown size, with and without tags, of these numbers of blocks.
fn recording(blocks: &[usize]) -> Vec<u8> {
    let track = element(id::TRACK_ENTRY, &element(id::TRACK_NUMBER, &[1]));
    let mut out = element(id::EBML, &[]);
    out.extend(ebml::SEGMENT_START);
    out.extend(element(id::TRACKS, &track));
    for (n, blocks) in blocks.iter().enumerate() {
        let mut cluster = element(id::TIMECODE, &(1000 * n as u32).to_be_bytes());
        for block in 0..*blocks as u8 {
            let payload = [&[0x81, 0, 20 * block, 0x80][..], &vec![block; 9 * n]].concat();
            cluster.extend(element(id::SIMPLE_BLOCK, &payload));
        }
        if n % 3 == 0 {
            out.extend(element(id::CLUSTER, &cluster));
        } else {
            out.extend([&ebml::OPEN_CLUSTER[..], &cluster].concat());
            out.extend(element(id::TAGS, &vec![b'x'; 100 * n]));
        }
    }
    out
}

/// Writes the fragments that these bytes complete or continue.
fn put(store: &FragmentStore, fragmenter: &mut Fragmenter, bytes: Option<&[u8]>) {
    let mut events = Vec::new();
    match bytes {
        Some(bytes) => fragmenter.push(bytes, &mut events).unwrap(),
        None => fragmenter.finish(&mut events).unwrap(),
    }
    let mut open = None;
    for event in events {
        match event {
            FragmentEvent::Started { timecode_ms, preamble } => {
                open = Some(store.open(ServerTime::Cloud(0), timecode_ms, preamble));
            }
            FragmentEvent::Grew { children, duration_ms } => store.grow(children, duration_ms),
            FragmentEvent::Complete(whole) => {
                let opened = || store.open_after(0).unwrap();
                let now_ms = crate::clock::real_now_ms();
                store.keep(open.take().unwrap_or_else(opened), whole, now_ms).unwrap();
            }
        }
    }
}

/// Adds the bytes that are ready.
fn read_on(reader: &mut Reader, read: &mut Vec<u8>) {
    while let Some(Some(bytes)) = reader.next().now_or_never() {
        read.extend_from_slice(&bytes);
    }
}

/// Returns the elements of a body without the heads of Segments and Clusters and without AWS's
/// last Tags, which state the time of reading.
fn content(mut body: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    while let Some(head) = ebml::header(body).unwrap() {
        let is_entered = matches!(head.id, id::SEGMENT | id::CLUSTER);
        let size = if is_entered { 0 } else { head.size.unwrap() as usize };
        let (element, rest) = body.split_at(head.len + size);
        let behind = b"AWS_KINESISVIDEO_MILLIS_BEHIND_NOW";
        if !is_entered && !element.windows(behind.len()).any(|window| window == behind) {
            found.push(element);
        }
        body = rest;
    }
    found
}

proptest! {
    #[test]
    fn a_reader_gets_the_same_blocks_from_open_and_from_complete_fragments(
        blocks in proptest::collection::vec(1_usize..12, 1..6),
        cuts in proptest::collection::vec(1_usize..120, 1..200),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let _entered = runtime.as_ref().unwrap().enter();
        let (clock, store) = (Clock::new(1.0), Arc::new(FragmentStore::new("s", 24)));
        let (mut fragmenter, mut live, mut read) =
            (Fragmenter::default(), reader(&store, &clock), Vec::new());
        let bytes = recording(&blocks);
        let mut rest = &bytes[..];
        for cut in cuts.into_iter().cycle() {
            let (piece, after) = rest.split_at(cut.min(rest.len()));
            put(&store, &mut fragmenter, Some(piece));
            read_on(&mut live, &mut read);
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        put(&store, &mut fragmenter, None);
        read_on(&mut live, &mut read);
        prop_assert!(live.is_between_fragments());
        let (mut later, mut stored) = (reader(&store, &clock), Vec::new());
        read_on(&mut later, &mut stored);
        prop_assert_eq!(content(&read), content(&stored));
        let ends = |body: &[u8]| body.windows(12).filter(|it| it == b"MILLIS_BEHIN").count();
        prop_assert_eq!((ends(&read), ends(&stored)), (blocks.len(), blocks.len()));
    }
}

#[tokio::test]
async fn the_longest_connection_ends_although_fragments_come() {
    let clock = Clock::new(1.0);
    let store = Arc::new(FragmentStore::new("s", 24));
    let mut reader = reader(&store, &clock);
    let left = reader.ends_at - Instant::now();
    assert!(left <= LONGEST && left > LONGEST - Duration::from_secs(60));
    keep(&store, clock.now_ms());
    assert!(reader.next().await.is_some());
    keep(&store, clock.now_ms());
    reader.ends_at = Instant::now();
    assert_eq!(reader.next().await, None);
}
