//! Info and Tracks.

use super::{AudioElement, Framing};
use crate::ebml::{self, id};

pub(crate) fn info(framing: &Framing) -> Vec<u8> {
    ebml::master(
        id::INFO,
        &[
            if framing.crc { ebml::element(id::CRC32, &[4, 3, 2, 1]) } else { Vec::new() },
            ebml::element(b"\x2A\xD7\xB1", &framing.scale.to_be_bytes()),
            ebml::element(b"\x4D\x80", b"testkit"),
            ebml::element(b"\x57\x41", b"testkit"),
        ],
    )
}

pub(crate) fn tracks(framing: &Framing) -> Vec<u8> {
    let text = |text: &str| {
        let mut bytes = text.as_bytes().to_vec();
        if framing.nul_padding {
            bytes.resize(32, 0);
        }
        bytes
    };
    let entry = |number: u64, kind: u64, name: &str, codec_id: &str, rest: Vec<Vec<u8>>| {
        let common = [
            ebml::unsigned(b"\xD7", number),
            ebml::unsigned(b"\x73\xC5", number + 1000),
            ebml::unsigned(b"\x83", kind),
            ebml::element(b"\x86", &text(codec_id)),
            ebml::element(b"\x53\x6E", &text(name)),
        ];
        ebml::element(id::TRACK_ENTRY, &[common.concat(), rest.concat()].concat())
    };
    let mut entries = Vec::new();
    if framing.crc {
        entries.push(ebml::element(id::CRC32, &[9, 9, 9, 9]));
    }
    if framing.video.is_some() {
        let size = [ebml::unsigned(b"\xB0", 640), ebml::unsigned(b"\xBA", 480)];
        let private = ebml::element(b"\x63\xA2", b"\x01\x4D\x40\x1E");
        entries.push(entry(
            1,
            1,
            "video",
            "V_MPEG4/ISO/AVC",
            vec![private, ebml::master(b"\xE0", &size)],
        ));
    }
    let mut audio = Vec::new();
    audio.extend(framing.codec_private.as_ref().map(|private| ebml::element(b"\x63\xA2", private)));
    audio.extend(framing.codec_delay.map(|delay| ebml::unsigned(b"\x56\xAA", delay)));
    audio.push(ebml::unsigned(b"\x56\xBB", 80_000_000));
    audio.extend(framing.default_duration.map(|ns| ebml::unsigned(b"\x23\xE3\x83", ns)));
    audio.extend(framing.audio.map(audio_element));
    if let Some((name, _)) = &framing.other {
        entries.push(entry(1, 2, name, &framing.codec_id, audio.clone()));
    }
    entries.push(entry(framing.audio_track(), 2, &framing.name, &framing.codec_id, audio));
    ebml::master(id::TRACKS, &entries)
}

fn audio_element(audio: AudioElement) -> Vec<u8> {
    let mut children =
        vec![ebml::float(b"\xB5", audio.rate), ebml::unsigned(b"\x9F", audio.channels)];
    children.extend(audio.bit_depth.map(|bits| ebml::unsigned(b"\x62\x64", bits)));
    ebml::master(b"\xE1", &children)
}
