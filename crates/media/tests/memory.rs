//! The heap memory of one stream: at most 256 KB for any input, a few KB for usual input.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod harness;

use harness::{body, fragments, packets};
use media::{Stream, StreamOptions};
use peak_alloc::PeakAlloc;
use testkit::aac::{self, Adts};
use testkit::ebml::{self, Lacing, Size, id};
use testkit::pcm::Random;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// The state of libopus, allocated in C: `opus_decoder_get_size(1)`, rounded up.
const LIBOPUS: usize = 19_000;
const MEMORY_LIMIT: usize = 256 * 1024;

/// Returns the peak of heap memory for `bytes`, where a reallocation counts both the old and the
/// new memory, and the codecs of the decoded packets.
fn peak(bytes: &[u8], piece: usize) -> (usize, Vec<String>) {
    let mut decoded = Vec::with_capacity(16);
    let before = HEAP.current_usage();
    HEAP.reset_peak_usage();
    let options = StreamOptions { max_fill_ms: 10_000, ..StreamOptions::default() };
    let (mut stream, mut packets) = (Stream::start(options), 0);
    for mut rest in bytes.chunks(piece) {
        while !rest.is_empty() {
            rest = stream.push(rest);
            while stream.poll().is_some() {}
            let codec = stream.codec_id().filter(|_| stream.counters().packets > packets);
            packets = stream.counters().packets;
            if let Some(codec) = codec.filter(|codec| decoded.iter().all(|known| known != codec)) {
                decoded.push(codec.to_owned());
            }
        }
    }
    let _ = stream.finish();
    stream.flush();
    while stream.poll().is_some() {}
    let opus = decoded.iter().any(|codec| codec == "A_OPUS");
    (HEAP.peak_usage() - before + if opus { LIBOPUS } else { 0 }, decoded)
}

/// Asserts that `bytes` in any pieces stay within the limit, decode `codecs` and take at least
/// `least` bytes of memory: less would mean that the input does not exercise the intended case.
fn check(what: &str, bytes: &[u8], codecs: &[&str], least: usize) {
    for piece in [1460, 1_000_000] {
        let (peak, decoded) = peak(bytes, piece);
        assert_eq!(decoded, codecs, "{what} in pieces of {piece}");
        assert!(peak >= least, "{what} in pieces of {piece}: only {peak} bytes");
        assert!(peak <= MEMORY_LIMIT, "{what} in pieces of {piece}: {peak} bytes");
    }
}

/// The entry of a track that is not decoded, with all stored fields at their longest.
fn junk(number: u64) -> Vec<u8> {
    let children = [
        ebml::unsigned(b"\xD7", number),
        ebml::unsigned(b"\x83", 2),
        ebml::element(b"\x86", &[b'X'; 256]),
        ebml::element(b"\x53\x6E", &[b'n'; 256]),
        ebml::element(id::CODEC_PRIVATE, &[7; 512]),
    ];
    ebml::element(id::TRACK_ENTRY, &children.concat())
}

/// The entry of track 1, which is decoded.
fn entry(codec: &str, more: &[u8]) -> Vec<u8> {
    let children = [
        ebml::unsigned(b"\xD7", 1),
        ebml::unsigned(b"\x83", 2),
        ebml::element(b"\x86", codec.as_bytes()),
        more.to_vec(),
    ];
    ebml::element(id::TRACK_ENTRY, &children.concat())
}

fn simple_tag(name: &[u8], value: &[u8], inner: &[u8]) -> Vec<u8> {
    let children =
        [ebml::element(b"\x45\xA3", name), ebml::element(b"\x44\x87", value), inner.to_vec()];
    ebml::element(b"\x67\xC8", &children.concat())
}

fn tags(simple: &[u8]) -> Vec<u8> {
    ebml::master(id::TAGS, &[ebml::element(b"\x73\x73", simple)])
}

/// One kind of audio: its codec, its entry and a block of the longest allowed length.
struct Kind {
    codec: &'static str,
    entry: Vec<u8>,
    block: Vec<u8>,
}

impl Kind {
    fn aac(rate: u32, channels: u8) -> Self {
        let frames = aac::tone(rate, channels, 40);
        let row: Vec<u8> =
            frames.iter().flat_map(|frame| aac::adts(frame, rate, channels)).collect();
        Self { codec: "A_AAC", entry: entry("A_AAC", &[]), block: row.repeat(32_000 / row.len()) }
    }

    /// Several raw data blocks after one header, whose ends must be searched.
    fn aac_in_fours(rate: u32, channels: u8) -> Self {
        let header = Adts { profile: 1, channels, checked: true };
        let frames = aac::tone(rate, channels, 40);
        let row: Vec<u8> = frames.chunks(4).flat_map(|blocks| header.frame(blocks, rate)).collect();
        Self { codec: "A_AAC", entry: entry("A_AAC", &[]), block: row.repeat(32_000 / row.len()) }
    }

    fn pcm(rate: u32, bits: u64) -> Self {
        let children = [
            ebml::float(b"\xB5", rate.into()),
            ebml::unsigned(b"\x9F", 2),
            ebml::unsigned(b"\x62\x64", bits),
        ];
        let mut random = Random::new(u64::from(rate));
        let block = (0..96_000).map(|_| random.below(256) as u8).collect();
        let entry = entry("A_PCM/INT/LIT", &ebml::master(id::AUDIO, &children));
        Self { codec: "A_PCM/INT/LIT", entry, block }
    }

    fn opus(packet: Vec<u8>) -> Self {
        Self { codec: "A_OPUS", entry: entry("A_OPUS", &[]), block: packet }
    }

    /// All causes of memory use together: many tracks, deep and long tags, documents inside of
    /// skipped blocks, blocks of the audio track in BlockGroups, and jumping stamps. With a number
    /// it is a fragment.
    fn hostile(&self, number: Option<&str>) -> Vec<u8> {
        let recording = body(&fragments(&packets(3, 6))).repeat(2);
        let tracks: Vec<u8> = self.entry.iter().copied().chain((2..40).flat_map(junk)).collect();
        let long =
            (0..8).fold(Vec::new(), |inner, _| simple_tag(&[b'a'; 1024], &[b'v'; 1024], &inner));
        let group = |offset| {
            let passed = ebml::block(2, offset, 0, Lacing::None, &[&recording]);
            let outputs = ebml::block(1, offset, 0, Lacing::None, &[&self.block]);
            let padding = ebml::unsigned(id::DISCARD_PADDING, 1_000_000);
            let children = [ebml::element(id::BLOCK, &outputs), padding];
            let group = ebml::master(id::BLOCK_GROUP, &children);
            [ebml::element(id::SIMPLE_BLOCK, &passed), group].concat()
        };
        let blocks: Vec<u8> = [0, 9_000, 9_100, 32_000, 0].into_iter().flat_map(group).collect();
        let cluster = [ebml::unsigned(id::TIMESTAMP, 0), blocks].concat();
        let aws = |name: &str, value: &str| {
            let name = format!("AWS_KINESISVIDEO_{name}");
            simple_tag(name.as_bytes(), value.as_bytes(), &[])
        };
        let mut segment = vec![
            number.map_or_else(Vec::new, |number| tags(&aws("FRAGMENT_NUMBER", number))),
            tags(&long),
            ebml::element(id::TRACKS, &tracks),
            ebml::sized(id::CLUSTER, Size::Unknown(1), &cluster),
        ];
        if number.is_some() {
            let trailing = [aws("MILLIS_BEHIND_NOW", "0"), aws("CONTINUATION_TOKEN", "t")];
            segment.push(tags(&trailing.concat()));
        }
        document(&segment.concat())
    }
}

fn document(segment: &[u8]) -> Vec<u8> {
    [ebml::header(b"webm"), ebml::sized(id::SEGMENT, Size::Unknown(1), segment)].concat()
}

fn usual_input() {
    let (usual, _) = peak(&body(&fragments(&packets(1, 20))), 16_384);
    assert!(usual <= 64 * 1024, "what is usual takes {usual} bytes");
}

fn every_codec_at_its_longest() {
    // The longest possible packet: 48 frames of 2.5 ms, each of the longest length.
    let mut longest = vec![0xE3, 0x80 | 48];
    longest.extend([255, 255].repeat(47));
    longest.resize(2 + 94 + 48 * 1275, 1);
    for packet in [longest, packets(5, 1).swap_remove(30)] {
        let kind = Kind::opus(packet);
        check("Opus", &kind.hostile(None), &[kind.codec], MEMORY_LIMIT / 4);
    }
    for rate in aac::RATES {
        let kinds = [1, 2].map(|channels| Kind::aac(rate, channels));
        for kind in kinds.into_iter().chain([8, 16, 32].map(|bits| Kind::pcm(rate, bits))) {
            check(&format!("{rate} Hz"), &kind.hostile(None), &[kind.codec], MEMORY_LIMIT / 2);
        }
    }
}

/// Frames with four blocks: the ends of blocks must be searched, and the output is longest.
fn aac_in_fours() {
    let kind = Kind::aac_in_fours(8_000, 2);
    check("four blocks in a frame", &kind.hostile(None), &[kind.codec], MEMORY_LIMIT / 2);
}

fn codecs_that_change() {
    for rate in aac::RATES {
        let (aac, pcm) = (Kind::aac(rate, 2), Kind::pcm(rate, 8));
        let (a, p) = (aac.hostile(Some("5")), pcm.hostile(Some("6")));
        check(&format!("AAC, then PCM at {rate} Hz"), &[a, p].concat(), &[aac.codec, pcm.codec], 1);
        let (p, a) = (pcm.hostile(Some("5")), aac.hostile(Some("6")));
        check(&format!("PCM, then AAC at {rate} Hz"), &[p, a].concat(), &[pcm.codec, aac.codec], 1);
        // The same fragment again, which is skipped independent of its tracks.
        let (a, again) = (aac.hostile(Some("5")), pcm.hostile(Some("5")));
        check(&format!("repeated at {rate} Hz"), &[a, again].concat(), &[aac.codec], 1);
    }
}

/// A BlockGroup that does not end: the bytes after its block are not buffered.
fn groups_without_end() {
    let packet = packets(5, 1).swap_remove(30);
    let padding = ebml::element(id::DISCARD_PADDING, &[0; 8]);
    for filler in [&[0xEC, 0x80][..], &[0x9B, 0x81, 20], &[0xFD, 0x80], &padding] {
        let block = ebml::block(1, 0, 0, Lacing::None, &[&packet]);
        let inner = [ebml::element(id::BLOCK, &block), filler.repeat(1_000_000)].concat();
        let group = ebml::sized(id::BLOCK_GROUP, Size::Unknown(1), &inner);
        let cluster = ebml::sized(id::CLUSTER, Size::Unknown(1), &group);
        let tracks = ebml::element(id::TRACKS, &entry("A_OPUS", &[]));
        let bytes = document(&[tracks, cluster].concat());
        let (peak, _) = peak(&bytes, 16_384);
        assert!(peak <= 64 * 1024, "{filler:x?}: {peak} bytes");
    }
}

/// Blocks of one sample with the same, far too late stamp: they do not confirm each other.
fn samples_that_wait() {
    let kind = Kind::pcm(96_000, 8);
    let blocks = |count: usize, offset| {
        let block = ebml::block(1, offset, 0, Lacing::None, &[&[0x80, 0x80]]);
        ebml::element(id::SIMPLE_BLOCK, &block).repeat(count)
    };
    let cluster = [ebml::unsigned(id::TIMESTAMP, 0), blocks(1, 0), blocks(20_000, 9_000)].concat();
    let cluster = ebml::sized(id::CLUSTER, Size::Unknown(1), &cluster);
    let tracks = ebml::element(id::TRACKS, &kind.entry);
    let (peak, decoded) = peak(&document(&[tracks, cluster].concat()), 16_384);
    assert_eq!(decoded, [kind.codec]);
    assert!(peak <= 64 * 1024, "{peak} bytes");
}

/// One test, because parallel tests would measure the same heap.
#[test]
fn no_stream_exceeds_its_memory_limit() {
    // The tables of the AAC decoder, and one decoder that searches the ends of blocks, are created
    // once for all streams.
    let (first, decoded) = peak(&Kind::aac(48_000, 2).hostile(None), 16_384);
    let (second, _) = peak(&Kind::aac(48_000, 2).hostile(None), 16_384);
    assert_eq!(decoded, ["A_AAC"]);
    assert!(first - second <= 224 * 1024, "{first} bytes, then {second}");
    usual_input();
    every_codec_at_its_longest();
    aac_in_fours();
    codecs_that_change();
    groups_without_end();
    samples_that_wait();
}
