use super::aac::AacConfig;
use super::pcm::{Encoding, PcmLayout};
use super::*;

fn track(codec_id: &str, codec_private: &[u8]) -> Track {
    Track {
        codec_id: codec_id.to_owned(),
        codec_private: codec_private.to_vec(),
        ..Track::default()
    }
}

#[test]
fn the_mime_type_overrides_the_codec_id_of_aac() {
    let aac = track("A_AAC", &[0x11, 0x90]);
    let config = AacConfig { rate: 48_000, channels: 2, core_only: false };
    let l16 = Some("audio/L16;rate=8000;channels=1");
    assert_eq!(Format::of(&aac, None), Ok(Format::Aac(Some(config))));
    assert_eq!(Format::of(&aac, Some("audio/aac")), Ok(Format::Aac(Some(config))));
    assert_eq!(Format::of(&aac, l16), Ok(Format::Pcm(PcmLayout::CONNECT)));
    assert_eq!(Format::of(&track("A_OPUS", &[]), l16), Ok(Format::Opus(None)));
}

#[test]
fn connect_tracks_are_detected_before_their_tag() {
    let connect = Track { name: "AUDIO_TO_CUSTOMER".to_owned(), ..track("A_AAC", &[0x11, 0x90]) };
    assert_eq!(Format::of(&connect, None), Ok(Format::Pcm(PcmLayout::CONNECT)));
    let with_rate = Track { rate: Some(8_000), ..connect.clone() };
    assert_eq!(Format::of(&with_rate, None), Ok(Format::Pcm(PcmLayout::CONNECT)));
    let honest = Track { rate: Some(48_000), ..connect };
    assert!(matches!(Format::of(&honest, None), Ok(Format::Aac(Some(_)))));
}

#[test]
fn aac_without_codec_private() {
    assert_eq!(Format::of(&track("A_AAC", &[]), None), Ok(Format::Aac(None)));
    let old = |id| Track { rate: Some(24_000), channels: Some(1), ..track(id, &[]) };
    let config = AacConfig { rate: 24_000, channels: 1, core_only: false };
    for id in ["A_AAC", "A_AAC/MPEG2/LC", "A_AAC/MPEG4/LC", "A_AAC/MPEG4/MAIN"] {
        assert_eq!(Format::of(&old(id), None), Ok(Format::Aac(Some(config))), "{id}");
    }
    let he = Format::Aac(Some(AacConfig { core_only: true, ..config }));
    assert_eq!(Format::of(&old("A_AAC/MPEG4/LC/SBR"), None), Ok(he));
    let empty = Track { channels: Some(0), ..old("A_AAC") };
    assert_eq!(Format::of(&empty, None), Ok(Format::Aac(Some(config))));
    let extended = Track { output_rate: Some(48_000), ..track("A_AAC", &[0x13, 0x08]) };
    assert_eq!(Format::of(&extended, None), Ok(he));
    assert!(Format::of(&old("A_AAC/MPEG4/SSR"), None).is_err());
    assert_eq!(Format::of(&track("A_AAC/MPEG2/MAIN", &[]), None), Ok(Format::Aac(None)));
    assert!(Format::of(&track("A_AACX", &[0x11, 0x90]), None).is_err());
}

#[test]
fn uncompressed_audio() {
    let lit = Track { bit_depth: Some(24), channels: Some(2), ..track("A_PCM/INT/LIT", &[]) };
    let Ok(Format::Pcm(layout)) = Format::of(&lit, None) else { panic!("refused") };
    assert_eq!((layout.encoding, layout.channels, layout.rate), (Encoding::Signed24, 2, 8_000));
    let empty = Track { channels: Some(0), bit_depth: Some(0), ..track("A_PCM/INT/LIT", &[]) };
    let Ok(Format::Pcm(layout)) = Format::of(&empty, None) else { panic!("refused") };
    assert_eq!((layout.encoding, layout.channels), (Encoding::Signed16, 1));
    assert!(Format::of(&track("A_MS/ACM", &[]), None).is_err());
    let encoded = Track { encoded: true, ..track("A_OPUS", &[]) };
    assert!(Format::of(&encoded, None).is_err());
    assert!(Format::of(&track("A_AC3", &[]), None).is_err());
}
