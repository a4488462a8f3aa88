//! Arbitrary bytes as packets of each codec: no panic, exactly the requested number of samples, and
//! none for a damaged packet.
#![no_main]

use libfuzzer_sys::fuzz_target;
use media::codec::{Decoder, Format, Span};
use media::mkv::Track;

/// Descriptions of tracks; the first byte of the input selects one.
const TRACKS: [(&str, &[u8], Option<u32>); 11] = [
    ("A_OPUS", b"", None),
    ("A_OPUS", b"OpusHead\x01\x02\x38\x01\x80\xBB\x00\x00\x00\x01\x00", None),
    ("A_AAC", &[0x11, 0x90], None),
    ("A_AAC", &[0x12, 0x08], None),
    ("A_AAC", &[0x2B, 0x09, 0x88, 0x00], None),
    ("A_AAC", b"", None),
    ("A_PCM/INT/LIT", b"", Some(44_100)),
    ("A_PCM/INT/LIT", b"", Some(8_000)),
    ("A_AAC", &[0x14, 0x08], None),
    ("A_AAC", &[0x09, 0x80], None),
    ("A_MS/ACM", &[7, 0, 2, 0, 0x40, 0x1F, 0, 0], None),
];

fuzz_target!(|input: &[u8]| {
    let Some((&choice, input)) = input.split_first() else { return };
    let (codec_id, private, rate) = TRACKS[usize::from(choice) % TRACKS.len()];
    let track = Track {
        codec_id: codec_id.to_owned(),
        codec_private: private.to_vec(),
        rate,
        ..Track::default()
    };
    let mut decoder = Decoder::new(Format::of(&track, None).unwrap()).unwrap();
    let (mut rest, mut out, mut fraction) = (input, Vec::new(), 0);
    while let Some((&len, behind)) = rest.split_first() {
        let (mut block, next) = behind.split_at(behind.len().min(usize::from(len) * 4));
        rest = next;
        while !block.is_empty() {
            let (data, behind) = decoder.split(block);
            assert!(behind.len() < block.len());
            block = behind;
            out.clear();
            assert!(!decoder.diagnose(data).is_empty());
            let Some(packet) = decoder.packet(data) else { continue };
            if len == 7 {
                let plan = decoder.plan_concealment(3000, Some(packet));
                assert_eq!(plan.concealed + plan.silence + plan.recovered, 3000);
                decoder.conceal(plan.concealed, &mut out);
                decoder.recover(plan.recovered, packet, &mut out);
                assert_eq!(out.len(), 3000 - plan.silence);
                (fraction, out) = (0, Vec::new());
            }
            let length = packet.length();
            // A remainder of another rate is ignored.
            fraction = if fraction < length.rate { fraction } else { 0 };
            let ahead = u64::from(fraction) + u64::from(length.frames) * 16_000;
            let samples = (ahead / u64::from(length.rate)) as usize;
            let whole = decoder.decode(packet, Span { samples, fraction }, &mut out);
            assert_eq!(out.len(), if whole { samples } else { 0 });
            fraction = (ahead % u64::from(length.rate)) as u32;
        }
    }
});
