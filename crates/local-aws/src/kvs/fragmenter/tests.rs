use proptest::prelude::*;

use super::*;

fn element(id: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    ebml::write(&mut out, id, 4, payload);
    out
}

fn head() -> Vec<u8> {
    let track = element(id::TRACK_ENTRY, &element(id::TRACK_NUMBER, &[1]));
    let mut out = element(id::EBML, &[]);
    out.extend([0x18, 0x53, 0x80, 0x67, 0xFF]);
    out.extend(element(0xEC, &[0; 5]));
    out.extend(element(id::TRACKS, &track));
    out
}

fn block(track: u8, offset: i16) -> Vec<u8> {
    let offset = offset.to_be_bytes();
    element(id::SIMPLE_BLOCK, &[0x80 | track, offset[0], offset[1], 0x80, 1, 2, 3])
}

fn cluster_body(timecode: u16, offsets: &[i16]) -> Vec<u8> {
    let mut body = element(id::TIMECODE, &timecode.to_be_bytes());
    for offset in offsets {
        body.extend(block(1, *offset));
    }
    body
}

fn unknown_cluster(body: &[u8]) -> Vec<u8> {
    let mut out = vec![0x1F, 0x43, 0xB6, 0x75, 0xFF];
    out.extend_from_slice(body);
    out
}

fn events_of(bytes: &[u8], step: usize) -> Result<Vec<FragmentEvent>, IngestError> {
    let mut fragmenter = Fragmenter::default();
    let mut out = Vec::new();
    for piece in bytes.chunks(step) {
        fragmenter.push(piece, &mut out)?;
    }
    fragmenter.finish(&mut out)?;
    Ok(out)
}

/// Returns the events with all children of a fragment in one.
fn joined(events: Vec<FragmentEvent>) -> Vec<FragmentEvent> {
    let mut out: Vec<FragmentEvent> = Vec::new();
    for event in events {
        match (out.last_mut(), event) {
            (
                Some(FragmentEvent::Grew { children, duration_ms }),
                FragmentEvent::Grew { children: more, duration_ms: longer },
            ) => {
                (*children, *duration_ms) = ([&children[..], &more].concat().into(), longer);
            }
            (_, event) => out.push(event),
        }
    }
    out
}

fn recording() -> Vec<u8> {
    let mut bytes = head();
    bytes.extend(unknown_cluster(&cluster_body(0, &[0, 20, 40])));
    bytes.extend(element(id::TAGS, b"tags of the first"));
    bytes.extend(element(id::CUES, &[9; 300]));
    bytes.extend(element(id::CLUSTER, &cluster_body(60, &[0, 20])));
    bytes.extend(unknown_cluster(&cluster_body(100, &[0])));
    bytes
}

#[test]
fn a_fragment_is_one_cluster_with_its_raw_bytes() {
    let events = events_of(&recording(), 4096).unwrap();
    let whole: Vec<&ProducerFragment> = events
        .iter()
        .filter_map(|event| match event {
            FragmentEvent::Complete(whole) => Some(whole),
            _ => None,
        })
        .collect();
    assert_eq!(events.len(), 9);
    let started = |event: &FragmentEvent| match event {
        FragmentEvent::Started { timecode_ms, preamble } => (*timecode_ms, preamble.clone()),
        other => panic!("{other:?}"),
    };
    assert_eq!([0, 3, 6].map(|at| started(&events[at]).0), [0, 60, 100]);
    let durations: Vec<i64> = whole.iter().map(|whole| whole.duration_ms).collect();
    assert_eq!(durations, [60, 40, 0]);
    assert_eq!(whole[0].trailing, element(id::TAGS, b"tags of the first"));
    assert!(whole[1].trailing.is_empty());
    assert_eq!(&whole[0].cluster[12..], cluster_body(0, &[0, 20, 40]));
    let mut preamble = element(id::EBML, &[]);
    preamble.extend(ebml::SEGMENT_START);
    preamble.extend(&head()[10..]);
    assert_eq!(started(&events[6]).1[..20], preamble[..20]);
    assert_eq!(started(&events[6]).1.len(), head().len() + 7);
}

#[test]
fn a_cluster_of_known_size_is_whole_with_its_last_byte() {
    let mut bytes = head();
    bytes.extend(element(id::CLUSTER, &cluster_body(0, &[0, 20])));
    let mut fragmenter = Fragmenter::default();
    let mut out = Vec::new();
    fragmenter.push(&bytes[..bytes.len() - 1], &mut out).unwrap();
    let grew = |timecodes: &[i16], duration_ms| FragmentEvent::Grew {
        children: cluster_body(0, timecodes).into(),
        duration_ms,
    };
    assert_eq!(out[1..], [grew(&[0], 0)]);
    fragmenter.push(&bytes[bytes.len() - 1..], &mut out).unwrap();
    assert!(matches!(out[3], FragmentEvent::Complete(_)));
    assert_eq!(joined(out)[1], grew(&[0, 20], 40));
}

#[test]
fn a_first_block_lasts_as_long_as_those_of_the_cluster_before() {
    let mut fragmenter = Fragmenter::default();
    let mut bytes = head();
    bytes.extend(unknown_cluster(&cluster_body(0, &[0, 20])));
    bytes.extend(unknown_cluster(&cluster_body(40, &[0])));
    let mut out = Vec::new();
    fragmenter.push(&bytes, &mut out).unwrap();
    assert!(matches!(out.last(), Some(FragmentEvent::Grew { duration_ms: 20, .. })));
}

#[test]
fn what_breaks_a_rule_is_told_as_aws_tells_it() {
    let with = |tail: Vec<u8>| events_of(&[head(), tail].concat(), 7).unwrap_err().id_and_code().0;
    assert_eq!(with(unknown_cluster(&cluster_body(0, &[]))), 4011);
    assert_eq!(with(unknown_cluster(&[cluster_body(0, &[0]), block(2, 0)].concat())), 4010);
    assert_eq!(with(unknown_cluster(&cluster_body(0, &[0, 20_001]))), 4002);
    assert_eq!(with(unknown_cluster(&block(1, 0))), 4006);
    assert_eq!(with(element(id::CLUSTER, &cluster_body(0, &[0]))[..20].to_vec()), 4000);
    let huge = vec![0x1F, 0x43, 0xB6, 0x75, 0xFF, 0xA3, 0x08, 0xFF, 0xFF, 0xFF, 0xFF];
    assert_eq!(with(huge), 4001);
    assert_eq!(events_of(b"not a matroska file", 5).unwrap_err().id_and_code().0, 4006);
}

#[test]
fn a_cluster_starts_after_the_last_frame_of_those_before() {
    let put = |clusters: &[(u16, &[i16])]| {
        let mut bytes = head();
        for (timecode, offsets) in clusters {
            bytes.extend(unknown_cluster(&cluster_body(*timecode, offsets)));
        }
        let (mut fragmenter, mut out) = (Fragmenter::default(), Vec::new());
        let end = fragmenter.push(&bytes, &mut out).and_then(|()| fragmenter.finish(&mut out));
        let whole = out.iter().filter(|event| matches!(event, FragmentEvent::Complete(_))).count();
        (end.err().map(|error| error.id_and_code().0), whole, out.pop())
    };
    let fine = |clusters: &[(u16, &[i16])]| put(clusters).0.is_none();
    assert!(fine(&[(0, &[0, 20, 40]), (41, &[0])]));
    // The latest frame counts, at any position, also across Clusters.
    assert!(fine(&[(0, &[0, 40, 20]), (41, &[0])]));
    for (clusters, whole) in [
        (&[(0, &[0, 20, 40][..]), (40, &[0][..])][..], 1),
        (&[(0, &[0, 20, 40]), (39, &[20])], 1),
        (&[(0, &[0, 40, 20]), (40, &[0])], 1),
        (&[(50, &[0]), (50, &[0])], 1),
        (&[(50, &[-20, -10]), (40, &[0])], 1),
        (&[(0, &[0, 90]), (91, &[-90]), (60, &[0])], 2),
    ] {
        let timecode_ms = i64::from(clusters.last().unwrap().0);
        let (error, complete, last) = put(clusters);
        assert_eq!((error, complete), (Some(4004), whole), "{clusters:?}");
        let Some(FragmentEvent::Started { timecode_ms: refused, .. }) = last else {
            panic!("{last:?}")
        };
        assert_eq!(refused, timecode_ms, "{clusters:?}");
    }
    assert!(fine(&[(50, &[-20, -10]), (41, &[0])]));
}

proptest! {
    #[test]
    fn the_size_of_pieces_changes_nothing(step in 1_usize..400) {
        let bytes = recording();
        let events = |step| joined(events_of(&bytes, step).unwrap());
        prop_assert_eq!(events(step), events(bytes.len()));
    }

    #[test]
    fn any_bytes_end_in_fragments_or_an_error(
        mut noise in proptest::collection::vec(any::<u8>(), 0..600),
        at in 0_usize..200,
        step in 1_usize..64,
    ) {
        let mut bytes = recording();
        let at = at.min(bytes.len());
        bytes.truncate(at);
        bytes.append(&mut noise);
        let _ = events_of(&bytes, step);
    }
}
