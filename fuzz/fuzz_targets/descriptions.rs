//! Arbitrary bytes as the description of a track: a format, or a typed error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use media::codec::{Decoder, Format};
use media::mkv::Track;

const CODECS: [&str; 4] = ["A_OPUS", "A_AAC", "A_PCM/INT/LIT", "A_MS/ACM"];

fuzz_target!(|input: &[u8]| {
    let Some((&choice, private)) = input.split_first() else { return };
    let number = |at: usize| private.get(at).map(|byte| u64::from(*byte));
    let track = Track {
        codec_id: CODECS[usize::from(choice) % CODECS.len()].to_owned(),
        codec_private: private.to_vec(),
        rate: number(0).map(|value| value as u32 * 1000),
        channels: number(1),
        bit_depth: number(2),
        ..Track::default()
    };
    let mime_type = String::from_utf8_lossy(private);
    for mime_type in [None, Some(&*mime_type)] {
        if let Ok(format) = Format::of(&track, mime_type) {
            Decoder::new(format).expect("a detected format can be decoded");
        }
    }
});
