use super::*;
use crate::opus::OpusHead;

fn track(kind: TrackKind, codec_id: &str, number: u64) -> Track {
    Track { number, kind, codec_id: codec_id.to_owned(), ..Track::default() }
}

fn named(name: &str, number: u64) -> Track {
    Track { name: name.to_owned(), ..track(TrackKind::Audio, "A_OPUS", number) }
}

fn audio() -> Audio {
    Audio::new("AUDIO_FROM_CUSTOMER".to_owned())
}

fn chosen(audio: &mut Audio, tracks: &[Track]) -> Option<u64> {
    match audio.choose(tracks, None) {
        Choice::Track(timing, _) => Some(timing.number),
        _ => None,
    }
}

#[test]
fn the_track_is_chosen_by_type_and_codec() {
    let tracks = [
        track(TrackKind::Video, "A_OPUS", 1),
        track(TrackKind::Audio, "A_PCM/INT/LIT", 2),
        track(TrackKind::Audio, "A_AC3", 3),
        track(TrackKind::Audio, "A_AAC", 4),
        track(TrackKind::Audio, "A_OPUS", 7),
    ];
    assert_eq!(chosen(&mut audio(), &tracks), Some(7));
    assert_eq!(chosen(&mut audio(), &tracks[..4]), Some(4));
    assert_eq!(chosen(&mut audio(), &tracks[..3]), Some(2));
    assert_eq!(audio().choose(&tracks[..1], None), Choice::None);
}

#[test]
fn among_equals_the_name_decides_whatever_the_order() {
    let two = |first: &str, second: &str| [named(first, 1), named(second, 2)];
    let (from, to) = ("AUDIO_FROM_CUSTOMER", "AUDIO_TO_CUSTOMER");
    assert_eq!(chosen(&mut audio(), &two(from, to)), Some(1));
    assert_eq!(chosen(&mut audio(), &two(to, from)), Some(2));
    let mut other = Audio::new(to.to_owned());
    assert_eq!(chosen(&mut other, &two(from, to)), Some(2));
}

#[test]
fn a_track_once_taken_is_gone_on_with() {
    let mut audio = audio();
    assert_eq!(chosen(&mut audio, &[named("zoe", 1)]), Some(1));
    assert_eq!(chosen(&mut audio, &[named("adam", 1), named("zoe", 2)]), Some(2));
    assert_eq!(chosen(&mut audio, &[named("adam", 1), named("bert", 2)]), Some(1));
}

#[test]
fn the_mime_type_is_remembered_for_documents_that_have_none() {
    let mut audio = audio();
    let aac = Track { codec_private: vec![0x11, 0x90], ..track(TrackKind::Audio, "A_AAC", 1) };
    let l16 = Some("audio/L16;rate=8000;channels=1");
    let format = |audio: &Audio| audio.active.as_ref().map(|active| active.format);
    audio.choose(std::slice::from_ref(&aac), None);
    assert!(matches!(format(&audio), Some(Format::Aac(_))));
    audio.choose(std::slice::from_ref(&aac), l16);
    assert!(matches!(format(&audio), Some(Format::Pcm(_))));
    audio.choose(&[aac], None);
    assert!(matches!(format(&audio), Some(Format::Pcm(_))));
}

#[test]
fn an_unknown_codec_is_said_once_per_change() {
    let mut audio = audio();
    let mut say = |codec_id| match audio.choose(&[track(TrackKind::Audio, codec_id, 1)], None) {
        Choice::Refused(said) => said.map(|(codec_id, _)| codec_id),
        _ => None,
    };
    assert_eq!(say("A_VORBIS").as_deref(), Some("A_VORBIS"));
    assert_eq!(say("A_VORBIS"), None);
    assert_eq!(say("A_AC3").as_deref(), Some("A_AC3"));
    assert_eq!(say("A_OPUS"), None);
    assert_eq!(say("A_AC3").as_deref(), Some("A_AC3"));
}

#[test]
fn he_aac_is_decoded_and_said() {
    let mut audio = audio();
    let he = Track {
        codec_private: vec![0x2B, 0x09, 0x88, 0x00],
        ..track(TrackKind::Audio, "A_AAC", 1)
    };
    for said in [true, false] {
        let Choice::Track(_, reduced) = audio.choose(std::slice::from_ref(&he), None) else {
            panic!("refused")
        };
        assert_eq!(reduced.is_some(), said);
    }
}

#[test]
fn codec_delay_and_pre_skip_stand_in_for_each_other() {
    let delayed = |codec_delay| Track { codec_delay, ..track(TrackKind::Audio, "A_OPUS", 1) };
    let both = |codec_delay, pre_skip: Option<u16>| {
        let head = pre_skip.map(|pre_skip| OpusHead { pre_skip, gain: 0 });
        let timing = timing(&delayed(codec_delay), Format::Opus(head));
        (timing.delay, timing.pre_skip.frames)
    };
    assert_eq!(both(Some(6_500_000), None), (6_500_000, 312));
    assert_eq!(both(None, Some(312)), (6_500_000, 312));
    assert_eq!(both(Some(5_000_000), Some(312)), (5_000_000, 312));
    assert_eq!(both(None, None), (0, 0));
    assert_eq!(both(Some(u64::MAX), None), (1_000_000_000, 48_000));
}
