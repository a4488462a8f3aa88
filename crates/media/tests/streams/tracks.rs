//! The selected track: the same from every start of a run, and never one of another session.

use crate::harness::{self, Outputs, T0, decode, packets, reference};
use media::{ResumePoint, Stream, StreamOptions};
use testkit::ebml::{self, Lacing, Size, id};
use testkit::getmedia::{self, Fragment, Framing};
use testkit::{aac, snr};

#[test]
fn tracks_never_mix() {
    // The other track has the lower number and Opus too: only the name differs.
    let packets = packets(3, 4);
    let fragments = harness::fragments(&packets);
    let framing = Framing {
        name: "AUDIO_FROM_CUSTOMER".to_owned(),
        other: Some(("AUDIO_TO_CUSTOMER".to_owned(), packets[7].clone())),
        ..Framing::default()
    };
    let (outputs, _, stream) = decode(&getmedia::body(&framing, &fragments), 1460);
    assert_eq!(outputs.joined(0), reference(&packets));
    assert_eq!(stream.counters().skipped_blocks, packets.len() as u64);
}

#[test]
fn fragments_of_another_session_are_skipped() {
    let packets = packets(4, 6);
    let all = harness::fragments(&packets);
    let tagged = |session_id: Option<&str>, fragment| {
        let session_id = session_id.map(str::to_owned);
        getmedia::document(&Framing { session_id, ..Framing::default() }, fragment)
    };
    let bodies = [
        tagged(None, &all[0]),
        tagged(Some("brave-river-7"), &all[1]),
        tagged(Some("calm-stone-12"), &all[2]),
    ];
    let options =
        StreamOptions { session_id: Some("calm-stone-12".to_owned()), ..StreamOptions::default() };
    let (mut stream, mut outputs) = (Stream::start(options), Outputs::default());
    outputs.push(&mut stream, &bodies.concat(), 1000);
    assert_eq!(stream.counters().foreign_fragments, 1);
    assert_eq!(outputs.reports.len(), 1);
    assert!(outputs.reports[0].contains("brave-river-7"), "{:?}", outputs.reports);
    assert_eq!(outputs.completed.len(), 2);
    // Its time is a gap: it is not decoded, and the audio after it keeps its positions.
    let expected = reference(&packets);
    let after: Vec<_> = outputs.from(70_000).into_iter().map(|(_, sample)| sample).collect();
    assert!(snr::decibels(&expected[70_000..], &after) > 30.0);
    assert_eq!(stream.counters().filled_samples, 32_000);
}

fn document(framing: &Framing, fragment: &Fragment) -> Vec<u8> {
    getmedia::document(framing, fragment)
}

fn resumed(point: &ResumePoint, bytes: &[u8]) -> Outputs {
    let point = ResumePoint::from_text(&point.to_text()).unwrap();
    let (mut stream, mut outputs) =
        (Stream::resume(StreamOptions::default(), point, vec![]), Outputs::default());
    outputs.push(&mut stream, bytes, 1460);
    outputs
}

/// Asserts that runs from every fragment have the positions of the first run, and after `settled`
/// samples its PCM.
fn assert_resumable(bodies: &[Vec<u8>], settled: u64) -> Outputs {
    let (first, ..) = decode(&bodies.concat(), 1460);
    assert_eq!(first.resume_points.len(), bodies.len());
    for (index, point) in first.resume_points.iter().enumerate().skip(1) {
        let later = resumed(point, &bodies[index..].concat());
        let from = point.next.max(0).unsigned_abs();
        let expected: Vec<_> =
            first.positions().into_iter().filter(|&(start, _)| start >= from).collect();
        assert_eq!(later.positions(), expected, "fragment {index}");
        let samples = |outputs: &Outputs| -> Vec<i16> {
            outputs.from(from + settled).into_iter().map(|(_, sample)| sample).collect()
        };
        let decibels = snr::decibels(&samples(&first), &samples(&later));
        assert!(decibels > 40.0, "fragment {index}: {decibels:.1} dB");
    }
    first
}

#[test]
fn a_new_track_is_selected_equally_by_earlier_and_later_runs() {
    let (ours, other) = (packets(11, 16), packets(12, 1)[30].clone());
    let alone = Framing { name: "zoe".to_owned(), ..Framing::default() };
    for joins in ["adam", "AUDIO_FROM_CUSTOMER", "zora"] {
        let both = Framing { other: Some((joins.to_owned(), other.clone())), ..alone.clone() };
        let bodies: Vec<_> = harness::fragments(&ours)
            .iter()
            .enumerate()
            .map(|(index, fragment)| document(if index < 3 { &alone } else { &both }, fragment))
            .collect();
        assert_resumable(&bodies, 48_000);
    }
}

/// Blocks of 8 kHz L16 with a tone and the CodecID A_AAC.
fn mislabelled(seconds: u32) -> Vec<Vec<u8>> {
    let sample = |at: u32| (f64::from(at) * 0.3).sin() * 8000.0;
    let all: Vec<u8> =
        (0..seconds * 8000).flat_map(|at| (sample(at) as i16).to_le_bytes()).collect();
    all.chunks(320).map(<[u8]>::to_vec).collect()
}

#[test]
fn a_mime_type_after_the_audio_survives_a_resume() {
    let framing = Framing {
        mime_type: Some(("audio/L16; rate=8000; channels=1".to_owned(), true)),
        ..Framing::codec("A_AAC", Some(vec![0x11, 0x90]))
    };
    let fragments = getmedia::fragments(&mislabelled(12), 200, 2000, T0);
    let bodies: Vec<_> = fragments.iter().map(|each| document(&framing, each)).collect();
    let first = assert_resumable(&bodies, 400);
    // The codec of the first fragment is not known before its end.
    assert!(first.from(40_000).iter().any(|&(_, sample)| sample > 7000));
    assert!(
        first.resume_points[0].mime_hint.is_none() && first.resume_points[1].mime_hint.is_some()
    );
}

#[test]
fn real_aac_after_mislabelled_audio_is_decoded_as_aac() {
    let reports = ("audio/L16;rate=8000;channels=1".to_owned(), true);
    let wrong =
        Framing { mime_type: Some(reports), ..Framing::codec("A_AAC", Some(vec![0x11, 0x90])) };
    let honest = Framing::codec("A_AAC", Some(aac::config(16_000, 1)));
    let mut fragments = getmedia::fragments(&mislabelled(4), 200, 2000, T0);
    let frames = aac::tone(16_000, 1, 62);
    let mut after = getmedia::fragments(&frames, 640, 4000, T0 + 4000);
    after[0].number = Some(getmedia::number(2));
    after[0].cluster_ms = Some(4000);
    fragments.truncate(2);
    let bodies = [
        document(&wrong, &fragments[0]),
        document(&wrong, &fragments[1]),
        document(&honest, &after[0]),
    ];
    let (outputs, _, stream) = decode(&bodies.concat(), 1460);
    assert_eq!(stream.codec_id(), Some("A_AAC"));
    let (only, ..) = decode(&document(&honest, &after[0]), 1460);
    let tail = |outputs: &Outputs| {
        let all: Vec<_> = outputs.from(0).into_iter().map(|(_, sample)| sample).collect();
        all[all.len() - 40_000..].to_vec()
    };
    assert_eq!(tail(&outputs), tail(&only));
}

#[test]
fn the_tracks_of_a_foreign_fragment_have_no_effect() {
    let packets = packets(13, 6);
    let all = harness::fragments(&packets);
    let tagged = |session_id: &str, framing: Framing, fragment| {
        document(&Framing { session_id: Some(session_id.to_owned()), ..framing }, fragment)
    };
    let ours = |index: usize| tagged("ours", Framing::default(), &all[index]);
    let strange = [
        Framing::codec("A_VORBIS", Some(vec![1])),
        Framing::codec("A_AAC", Some(vec![0x11, 0x90])),
        Framing { video: Some(50), ..Framing::default() },
    ];
    let run = |bodies: &[Vec<u8>]| {
        let options =
            StreamOptions { session_id: Some("ours".to_owned()), ..StreamOptions::default() };
        let (mut stream, mut outputs) = (Stream::start(options), Outputs::default());
        outputs.push(&mut stream, &bodies.concat(), 1000);
        (outputs, stream.counters())
    };
    let (expected, _) = run(&[ours(0), ours(2)]);
    for framing in strange {
        let (outputs, counters) = run(&[ours(0), tagged("theirs", framing, &all[1]), ours(2)]);
        assert_eq!(outputs.pcm, expected.pcm);
        assert_eq!(outputs.reports.len(), 1, "{:?}", outputs.reports);
        assert!(outputs.reports[0].contains("FragmentForeign"));
        assert_eq!((counters.repeated_packets, counters.unsupported_codecs), (0, 0));
        assert!(counters.skipped_blocks >= 100, "{counters:?}");
    }
}

#[test]
fn the_tracks_of_a_repeated_fragment_have_no_effect() {
    let packets = packets(14, 6);
    let all = harness::fragments(&packets);
    let plain = Framing::default();
    let gain = Framing { codec_private: Some(testkit::opus::head(1, 312, -1536)), ..plain.clone() };
    let bodies = [
        document(&plain, &all[0]),
        document(&plain, &all[1]),
        document(&gain, &all[0]),
        document(&gain, &all[1]),
        document(&plain, &all[2]),
    ];
    let (outputs, ..) = decode(&bodies.concat(), 1000);
    assert_eq!(outputs.joined(0), reference(&packets));
    assert_eq!(outputs.repeated.len(), 2);
}

#[test]
fn damaged_blocks_before_their_tracks_are_reported() {
    let packets = packets(15, 4);
    let entry = |number: u64, kind: u64, codec_id: &str| {
        let fields = [
            ebml::unsigned(b"\xD7", number),
            ebml::unsigned(b"\x83", kind),
            ebml::element(b"\x86", codec_id.as_bytes()),
        ];
        ebml::element(id::TRACK_ENTRY, &fields.concat())
    };
    let tracks = |audio: u64| {
        let video = entry(3 - audio, 1, "V_MPEG4/ISO/AVC");
        ebml::master(id::TRACKS, &[entry(audio, 2, "A_OPUS"), video])
    };
    let cluster = |audio: u64, start: usize| {
        let mut children = vec![ebml::unsigned(id::TIMESTAMP, start as u64 * 20)];
        for (index, packet) in packets[start..start + 50].iter().enumerate() {
            // A code 3 packet with a count of no frames, and one that lasts too long.
            let frame = vec![0x67 + (index % 2) as u8 * 4, 0, 1, 2, 3];
            for (track, data) in [(audio, packet), (3 - audio, &frame)] {
                let block = ebml::block(track, index as i16 * 20, 0x80, Lacing::None, &[data]);
                children.push(ebml::element(id::SIMPLE_BLOCK, &block));
            }
        }
        ebml::sized(id::CLUSTER, Size::Short, &children.concat())
    };
    let whole = |children: [Vec<u8>; 2]| {
        let segment = ebml::sized(id::SEGMENT, Size::Unknown(8), &children.concat());
        [ebml::header(b"matroska"), segment].concat()
    };
    let bytes = [
        whole([tracks(1), cluster(1, 0)]),
        // The numbers are swapped, and Tracks follow the blocks.
        whole([cluster(2, 50), tracks(2)]),
        whole([tracks(2), cluster(2, 100)]),
    ];
    let (outputs, _, stream) = decode(&bytes.concat(), 700);
    let counters = stream.counters();
    assert_eq!((counters.decode_errors, counters.packets), (3, 100));
    // One report about the wrong blocks that were decoded, one about the right ones that were not.
    assert_eq!(outputs.reports.len(), 2, "{:?}", outputs.reports);
    assert!(outputs.reports[0].contains("may be of another track"));
    assert!(outputs.reports[1].contains("blocks preceded their Tracks"));
    assert_eq!(outputs.from(0).len(), 150 * 320);
}

#[test]
fn a_document_with_only_tracks_reports_unsupported_codecs() {
    let nothing = Fragment {
        number: None,
        server_ms: None,
        producer_ms: None,
        cluster_ms: None,
        packets: Vec::new(),
        millis_behind_now: None,
    };
    let bytes = document(&Framing::codec("A_VORBIS", None), &nothing);
    let (mut outputs, _, mut stream) = decode(&bytes, 100);
    stream.flush();
    outputs.drain(&mut stream);
    assert_eq!(outputs.reports.len(), 1, "{:?}", outputs.reports);
    assert!(outputs.reports[0].contains("A_VORBIS"));
}
