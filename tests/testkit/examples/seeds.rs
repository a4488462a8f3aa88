//! Writes seeds for the fuzz targets: `cargo run --release -p testkit --example seeds --
//! fuzz/seeds`. One short input for each supported form, preceded by the byte with which a target
//! selects a variant.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use testkit::ebml::{Lacing, Size};
use testkit::getmedia::{self, Framing, error_document};
use testkit::{aac, opus, pcm};

fn main() {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "fuzz/seeds".to_owned());
    let folder = Path::new(&folder);
    let packets = opus::encode(&opus::Settings::default(), &pcm::speech_like(1, 960 * 9));
    for (index, body) in bodies(&packets).into_iter().enumerate() {
        let input = [&[63][..], &body].concat();
        for target in ["walk", "pipeline"] {
            write(&folder.join(target), index, &input);
        }
    }
    for choice in 0..10_u8 {
        let of_codec = match choice {
            2 => aac::tone(48_000, 2, 9),
            3 => aac::tone(44_100, 1, 9),
            4 => aac::tone_with_sbr(24_000, 1, 9),
            5 => aac::tone(8_000, 1, 9)
                .iter()
                .map(|one| aac::adts(one, 8_000, 1).repeat(2))
                .collect(),
            8 => aac::tone(16_000, 1, 9),
            _ => packets.clone(),
        };
        let row = of_codec.iter().flat_map(|packet| {
            let len = packet.len().next_multiple_of(4);
            [&[(len / 4) as u8][..], packet, &vec![0; len - packet.len()]].concat()
        });
        let row: Vec<u8> = [choice].into_iter().chain(row).collect();
        write(&folder.join("decoders"), choice.into(), &row);
    }
    let descriptions: [&[u8]; 6] = [
        b"\x00OpusHead\x01\x02\x38\x01\x80\xBB\x00\x00\x00\x00\x00",
        &[1, 0x11, 0x90],
        &[1, 0x2B, 0x09, 0x88, 0x00],
        b"\x01audio/L16;rate=8000;channels=1",
        &[2, 48, 2, 16],
        &[3, 7, 0, 1, 0, 0x40, 0x1F, 0, 0, 0, 0, 0, 0, 1, 0, 8, 0],
    ];
    for (index, description) in descriptions.into_iter().enumerate() {
        write(&folder.join("descriptions"), index, description);
    }
}

fn bodies(packets: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let plain = Framing::default();
    let framings = [
        plain.clone(),
        Framing { video: Some(40), ..Framing::odd() },
        Framing { cluster: Size::Unknown(1), block_groups: true, ..plain.clone() },
        Framing { lacing: (Lacing::Xiph, 3), ..plain.clone() },
        Framing { lacing: (Lacing::Ebml, 3), ..plain.clone() },
        Framing { lacing: (Lacing::Fixed, 1), scale: 333_333, ..plain.clone() },
        Framing { mime_type: Some(("audio/L16;rate=8000".to_owned(), true)), ..plain.clone() },
        Framing::codec("A_AAC", Some(vec![0x11, 0x90])),
        Framing::codec("A_PCM/INT/LIT", None),
    ];
    let fragments = getmedia::fragments(packets, 200, 60, 1_700_000_000_000);
    let mut bodies: Vec<_> =
        framings.iter().map(|framing| getmedia::body(framing, &fragments)).collect();
    let lost = [&fragments[..1], &fragments[2..]].concat();
    bodies.push(getmedia::body(&plain, &lost));
    bodies.push(error_document(4000, "FragmentNotFound", None));
    bodies
}

fn write(folder: &Path, index: usize, input: &[u8]) {
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join(format!("seed-{index}")), input).unwrap();
}
