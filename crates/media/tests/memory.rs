//! What one stream holds of the heap, whatever it is sent: never more than 256 KB, and a few KB of what is usual.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod harness;

use harness::{body, fragments, packets};
use media::{Stream, StreamOptions};
use peak_alloc::PeakAlloc;
use testkit::ebml::{self, Lacing, Size, id};
use testkit::{aac, pcm::Random};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// The state of libopus, which C allocates: `opus_decoder_get_size(1)`, rounded up.
const LIBOPUS: usize = 19_000;
const PROMISED: usize = 256 * 1024;

/// Most bytes of the heap that `bytes` take, reallocations counted with both the old memory and the new; and whether
/// a sample was heard.
fn peak(bytes: &[u8], piece: usize) -> (usize, bool) {
    let before = HEAP.current_usage();
    HEAP.reset_peak_usage();
    let options = StreamOptions { max_fill_ms: 10_000, ..StreamOptions::default() };
    let mut stream = Stream::start(options);
    for mut rest in bytes.chunks(piece) {
        while !rest.is_empty() {
            rest = stream.push(rest);
            while stream.poll().is_some() {}
        }
    }
    let _ = stream.finish();
    stream.flush();
    while stream.poll().is_some() {}
    (HEAP.peak_usage() - before + LIBOPUS, stream.counters().packets > 0)
}

/// A TrackEntry of track `number`, with all that is kept of one at its longest, and `more`.
fn entry(number: u64, codec: &str, kind: u64, more: &[Vec<u8>]) -> Vec<u8> {
    let children = [
        ebml::unsigned(b"\xD7", number),
        ebml::unsigned(b"\x83", kind),
        ebml::element(b"\x86", codec.as_bytes()),
        ebml::element(b"\x53\x6E", &[b'n'; 256]),
    ];
    ebml::element(id::TRACK_ENTRY, &[children.concat(), more.concat()].concat())
}

/// Everything that costs memory at once: many tracks, deep and long tags, documents inside of blocks that are passed
/// over, the longest blocks of the audio track in BlockGroups, and times that jump.
fn hostile(audio: &[u8], block: &[u8], recording: &[u8]) -> Vec<u8> {
    let junk = |number| {
        let private = ebml::element(id::CODEC_PRIVATE, &[7; 512]);
        entry(number, &"X".repeat(256), 2, &[private])
    };
    let tracks: Vec<u8> = audio.iter().copied().chain((2..40).flat_map(junk)).collect();
    let tag = |inner: &[u8]| {
        let name = ebml::element(b"\x45\xA3", &[b'a'; 1024]);
        let value = ebml::element(b"\x44\x87", &[b'v'; 1024]);
        ebml::element(b"\x67\xC8", &[&name[..], &value, inner].concat())
    };
    let nested = (0..8).fold(Vec::new(), |inner, _| tag(&inner));
    let tags = ebml::master(id::TAGS, &[ebml::element(b"\x73\x73", &nested)]);
    let group = |offset| {
        let passed = ebml::block(2, offset, 0, Lacing::None, &[recording]);
        let heard = ebml::block(1, offset, 0, Lacing::None, &[block]);
        let padding = ebml::unsigned(id::DISCARD_PADDING, 1_000_000);
        let children = [ebml::element(id::BLOCK, &heard), padding];
        [ebml::element(id::SIMPLE_BLOCK, &passed), ebml::master(id::BLOCK_GROUP, &children)]
            .concat()
    };
    let blocks: Vec<u8> = [0, 9_000, 9_100, 32_000, 0].into_iter().flat_map(group).collect();
    let cluster = [ebml::unsigned(id::TIMESTAMP, 0), blocks].concat();
    let segment = [
        tags,
        ebml::element(id::TRACKS, &tracks),
        ebml::sized(id::CLUSTER, Size::Unknown(1), &cluster),
    ];
    [ebml::header(b"webm"), ebml::sized(id::SEGMENT, Size::Unknown(1), &segment.concat())].concat()
}

fn audio_element(rate: u32, channels: u64, bits: u64) -> Vec<u8> {
    let children = [
        ebml::float(b"\xB5", rate.into()),
        ebml::unsigned(b"\x9F", channels),
        ebml::unsigned(b"\x62\x64", bits),
    ];
    ebml::master(id::AUDIO, &children)
}

/// Named so that it is taken before all others.
fn taken(codec: &str, more: &[Vec<u8>]) -> Vec<u8> {
    let children = [
        ebml::unsigned(b"\xD7", 1),
        ebml::unsigned(b"\x83", 2),
        ebml::element(b"\x86", codec.as_bytes()),
    ];
    ebml::element(id::TRACK_ENTRY, &[children.concat(), more.concat()].concat())
}

fn check(what: &str, bytes: &[u8]) {
    for piece in [1460, 16_384, 1_000_000] {
        let (peak, heard) = peak(bytes, piece);
        assert!(heard, "{what}: nothing was decoded");
        // Less would mean that the input does not do what it was made for.
        assert!(peak >= PROMISED / 2, "{what} in pieces of {piece}: only {peak} bytes");
        assert!(peak <= PROMISED, "{what} in pieces of {piece}: {peak} bytes");
    }
}

/// One test, because all of them would measure the same heap.
#[test]
fn no_stream_holds_more_than_it_promises() {
    let recording = body(&fragments(&packets(3, 6))).repeat(4);
    let usual = body(&fragments(&packets(1, 20)));
    let (usual, _) = peak(&usual, 16_384);
    assert!(usual <= 64 * 1024, "what is usual takes {usual} bytes");

    // The longest packet there is: 48 frames of 2.5 ms, each as long as a frame can be.
    let mut longest = vec![0xE3, 0x80 | 48];
    longest.extend([255, 255].repeat(47));
    longest.resize(2 + 94 + 48 * 1275, 1);
    let short = packets(5, 1).swap_remove(30);
    for (packet, what) in [(&longest, "the longest packet"), (&short, "a short packet")] {
        check(what, &hostile(&taken("A_OPUS", &[]), packet, &recording));
    }
    for rate in aac::RATES {
        for channels in [1, 2] {
            let frames = aac::tone(rate, channels, 40);
            let all: Vec<u8> =
                frames.iter().flat_map(|frame| aac::adts(frame, rate, channels)).collect();
            let block = all.repeat(96_000 / all.len());
            check(&format!("AAC at {rate} Hz"), &hostile(&taken("A_AAC", &[]), &block, &recording));
        }
        for bits in [8_u64, 16, 32] {
            let mut random = Random::new(u64::from(rate));
            let block: Vec<u8> = (0..96_000).map(|_| random.below(256) as u8).collect();
            let track = taken("A_PCM/INT/LIT", &[audio_element(rate, 2, bits)]);
            check(&format!("PCM at {rate} Hz"), &hostile(&track, &block, &recording));
        }
    }
}
