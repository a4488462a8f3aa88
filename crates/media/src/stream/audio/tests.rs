use super::*;
use crate::codec::opus::OpusHead;

fn track(kind: TrackKind, codec_id: &str, number: u64) -> Track {
    Track { number, kind, codec_id: codec_id.to_owned(), ..Track::default() }
}

fn named(name: &str, number: u64) -> Track {
    Track { name: name.to_owned(), ..track(TrackKind::Audio, "A_OPUS", number) }
}

fn audio() -> Audio {
    Audio::new("AUDIO_FROM_CUSTOMER".to_owned(), None)
}

fn choose(audio: &mut Audio, tracks: &[Track], mime_type: Option<&str>) -> TrackChoice {
    let plan = audio.plan(tracks, mime_type);
    audio.take(plan)
}

fn chosen(audio: &mut Audio, tracks: &[Track]) -> Option<u64> {
    match choose(audio, tracks, None) {
        TrackChoice::Track(timing, _) => Some(timing.selected.number),
        _ => None,
    }
}

#[test]
fn the_track_is_selected_by_type_and_codec() {
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
    assert_eq!(choose(&mut audio(), &tracks[..1], None), TrackChoice::None);
}

#[test]
fn equal_codecs_are_selected_by_name_independent_of_order() {
    let two = |first: &str, second: &str| [named(first, 1), named(second, 2)];
    let (from, to) = ("AUDIO_FROM_CUSTOMER", "AUDIO_TO_CUSTOMER");
    assert_eq!(chosen(&mut audio(), &two(from, to)), Some(1));
    assert_eq!(chosen(&mut audio(), &two(to, from)), Some(2));
    let mut other = Audio::new(to.to_owned(), None);
    assert_eq!(chosen(&mut other, &two(from, to)), Some(2));
}

#[test]
fn the_selection_does_not_depend_on_earlier_documents() {
    let mut audio = audio();
    assert_eq!(chosen(&mut audio, &[named("zoe", 1)]), Some(1));
    assert_eq!(chosen(&mut audio, &[named("zoe", 1), named("adam", 2)]), Some(2));
    assert_eq!(chosen(&mut audio, &[named("bert", 1), named("zoe", 2)]), Some(1));
}

#[test]
fn a_plan_that_is_not_applied_has_no_effect() {
    let mut audio = audio();
    assert_eq!(chosen(&mut audio, &[named("zoe", 1)]), Some(1));
    let l16 = Some("audio/L16;rate=8000;channels=1");
    assert_eq!(audio.plan(&[track(TrackKind::Audio, "A_VORBIS", 3)], l16).selected(), None);
    assert_eq!(
        audio.plan(&[track(TrackKind::Audio, "A_AAC", 3)], l16).selected().map(|it| it.number),
        Some(3)
    );
    assert_eq!((audio.codec_id(), audio.mime_hint()), (Some("A_OPUS"), None));
    assert!(audio.decoder().is_some());
}

#[test]
fn the_mime_type_applies_to_later_documents_with_the_same_tracks() {
    let mut audio = audio();
    let aac = |private: &[u8]| Track {
        codec_private: private.to_vec(),
        ..track(TrackKind::Audio, "A_AAC", 1)
    };
    let format = |audio: &mut Audio, track: Track, mime_type: Option<&str>| {
        choose(audio, &[track], mime_type);
        audio.active.as_ref().map(|active| active.format)
    };
    let l16 = Some("audio/L16;rate=8000;channels=1");
    let (pcm, honest) = (aac(&[0x11, 0x90]), aac(&[0x12, 0x10]));
    assert!(matches!(format(&mut audio, pcm.clone(), None), Some(Format::Aac(_))));
    assert!(matches!(format(&mut audio, pcm.clone(), l16), Some(Format::Pcm(_))));
    assert!(matches!(format(&mut audio, pcm.clone(), None), Some(Format::Pcm(_))));
    let mut resumed = Audio::new(String::new(), audio.mime_hint().as_deref());
    assert!(matches!(format(&mut resumed, pcm.clone(), None), Some(Format::Pcm(_))));
    // Another CodecPrivate is another track, whose CodecID may be right.
    assert!(matches!(format(&mut audio, honest, None), Some(Format::Aac(_))));
    assert!(matches!(format(&mut audio, pcm, None), Some(Format::Aac(_))));
}

#[test]
fn an_unknown_codec_is_reported_once_per_change() {
    let mut audio = audio();
    let mut report =
        |codec_id| match choose(&mut audio, &[track(TrackKind::Audio, codec_id, 1)], None) {
            TrackChoice::Unsupported(report) => report.map(|(codec_id, _)| codec_id),
            _ => None,
        };
    assert_eq!(report("A_VORBIS").as_deref(), Some("A_VORBIS"));
    assert_eq!(report("A_VORBIS"), None);
    assert_eq!(report("A_AC3").as_deref(), Some("A_AC3"));
    assert_eq!(report("A_OPUS"), None);
    assert_eq!(report("A_AC3").as_deref(), Some("A_AC3"));
}

#[test]
fn he_aac_is_decoded_and_reported_once() {
    let mut audio = audio();
    let he = Track {
        codec_private: vec![0x2B, 0x09, 0x88, 0x00],
        ..track(TrackKind::Audio, "A_AAC", 1)
    };
    for is_reported in [true, false] {
        let TrackChoice::Track(_, report) = choose(&mut audio, std::slice::from_ref(&he), None)
        else {
            panic!("unsupported")
        };
        assert_eq!(report.is_some(), is_reported);
    }
}

#[test]
fn codec_delay_and_pre_skip_replace_each_other() {
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
