//! AAC framing: frames take precedence over descriptions, and other data is never decoded as AAC.

use crate::harness::aac::Aac;
use media::codec::{Decoder, Format, Span};
use media::mkv::Track;
use testkit::aac::{self, Adts};
use testkit::pcm::{Random, speech_like};

/// Recordings, their channels and their decoded samples.
fn recordings() -> [(Aac, u8, Vec<i16>); 2] {
    Aac::both().map(|aac| {
        let channels = aac.private[1] >> 3 & 15;
        let outputs = aac.decode_with(&aac.packets, Some(aac.private.clone()));
        (aac, channels, outputs)
    })
}

/// Each packet preceded by `first`.
fn behind(first: &[u8], packets: &[Vec<u8>]) -> Vec<Vec<u8>> {
    packets.iter().map(|packet| [first, packet].concat()).collect()
}

#[test]
fn the_frames_override_the_channels_of_codec_private() {
    for (aac, channels, whole) in recordings() {
        for reports in [0, 1, 2].into_iter().filter(|reports| *reports != channels) {
            let private = aac::config(aac.rate, reports);
            assert!(
                aac.decode_with(&aac.packets, Some(private)) == whole,
                "{reports} of {channels}"
            );
            let frames = aac.packets.iter().map(|packet| aac::adts(packet, aac.rate, reports));
            assert!(aac.decode_with(&frames.collect::<Vec<_>>(), None) == whole);
        }
    }
}

#[test]
fn program_configs_are_skipped_at_every_place() {
    for (aac, channels, whole) in recordings() {
        let program = aac::program_config(aac.rate, channels);
        let (private, none) = (aac::config(aac.rate, channels), aac::config(aac.rate, 0));
        let inside = aac::config_with_program(aac.rate, channels);
        let every = behind(&program, &aac.packets);
        let first = [&every[..1], &aac.packets[1..]].concat();
        let twice = behind(&program, &every);
        for packets in [&every, &first, &twice, &aac.packets] {
            for private in [&private, &none, &inside] {
                assert!(aac.decode_with(packets, Some(private.clone())) == whole);
            }
            let header = Adts { profile: 1, channels: 0, checked: false };
            let frames: Vec<_> =
                packets.iter().map(|packet| header.frame(&[packet], aac.rate)).collect();
            assert!(aac.decode_with(&frames, None) == whole);
            assert!(aac.decode_with(&frames, Some(private.clone())) == whole);
        }
    }
}

#[test]
fn several_blocks_after_one_header_are_each_decoded() {
    for (aac, channels, whole) in recordings() {
        let packets = &aac.packets[..aac.packets.len() / 12 * 12];
        let some = Aac { packets: packets.to_vec(), private: aac.private.clone(), rate: aac.rate };
        for (blocks, checked) in [(2, false), (3, true), (4, false), (4, true)] {
            let header = Adts { profile: 1, channels, checked };
            let frame = |blocks: &[Vec<u8>]| header.frame(blocks, aac.rate);
            let frames: Vec<_> = packets.chunks(blocks).map(frame).collect();
            let outputs = some.decode_with(&frames, None);
            assert!(outputs == whole[..outputs.len()], "{blocks} {checked}");
            assert_eq!(outputs.len(), packets.len() * 1024 * 16_000 / aac.rate as usize);
        }
        // One block with a checksum, and program configs within each of several.
        let checked = Adts { profile: 1, channels, checked: true };
        let singles: Vec<_> = packets.iter().map(|one| checked.frame(&[one], aac.rate)).collect();
        let with_program = behind(&aac::program_config(aac.rate, channels), packets);
        let pairs = with_program.chunks(2).map(|pair| checked.frame(pair, aac.rate));
        for frames in [singles, pairs.collect()] {
            let outputs = some.decode_with(&frames, None);
            assert!(outputs == whole[..outputs.len()]);
        }
    }
}

#[test]
fn a_damaged_block_among_several_only_damages_its_frame() {
    let (rate, header) = (16_000, Adts { profile: 1, channels: 1, checked: false });
    let blocks = aac::tone(rate, 1, 80);
    let frame = |blocks: &[Vec<u8>]| header.frame(blocks, rate);
    let mut frames: Vec<_> = blocks.chunks(4).map(frame).collect();
    let len = frames[10].len();
    frames[10][len / 2..].fill(0xFF);
    let mut decoder = decoder(&[], None);
    for (index, frame) in frames.iter().enumerate() {
        let mut out = Vec::new();
        let packet = decoder.packet(frame).unwrap();
        assert_eq!(packet.length().frames, 4096);
        let span = Span { samples: 4096, fraction: 0 };
        let whole = index != 10;
        assert_eq!(decoder.decode(packet, span, &mut out), whole);
        // The stamp of the next packet determines the time lost by a damaged one.
        assert_eq!(out.len(), if whole { 4096 } else { 0 });
    }
}

#[test]
fn main_is_decoded_unless_it_uses_prediction() {
    for (aac, channels, whole) in recordings() {
        let mut private = aac.private.clone();
        // Object type 1.
        private[0] = private[0] & 0x07 | 1 << 3;
        assert!(aac.decode_with(&aac.packets, Some(private)) == whole);
        let header = Adts { profile: 0, channels, checked: false };
        let frames = aac.packets.iter().map(|packet| header.frame(&[packet], aac.rate));
        assert!(aac.decode_with(&frames.collect::<Vec<_>>(), None) == whole);
    }
    let mut predicted = aac::tone(16_000, 1, 20);
    // The flag follows the element's id and tag, the gain and the other fields of the window.
    predicted.iter_mut().for_each(|frame| frame[25 / 8] |= 0x80 >> (25 % 8));
    refused(&mut decoder(&[0x0C, 0x08], None), &predicted, "no AAC-LC frames");
}

#[test]
fn data_and_fill_elements_do_not_change_the_output() {
    for channels in [1, 2] {
        let plain = aac::tone(48_000, channels, 100);
        let private = Some(aac::config(48_000, channels));
        let tone = Aac { packets: plain, private: Vec::new(), rate: 48_000 };
        let whole = tone.decode_with(&tone.packets, private.clone());
        let among = aac::tone_among_data(48_000, channels, 100);
        assert!(tone.decode_with(&among, private.clone()) == whole);
        let behind_program = behind(&aac::program_config(48_000, channels), &among);
        assert!(tone.decode_with(&behind_program, private) == whole);
    }
}

#[test]
fn the_number_of_channels_may_change() {
    let [one, two] = [1, 2].map(|channels| aac::tone(48_000, channels, 60));
    let packets = [&one[..20], &two[20..40], &one[40..]].concat();
    let tone = Aac { packets, private: Vec::new(), rate: 48_000 };
    let whole = tone.decode_with(&one, Some(aac::config(48_000, 1)));
    let found = tone.decode_with(&tone.packets, Some(aac::config(48_000, 2)));
    assert_eq!(found.len(), whole.len());
    // The frame after a change has no previous one to overlap with, so it begins with silence; the
    // filter reaches back before it.
    let frame = |index: usize| index * 1024 / 3;
    for (from, to) in [(0, 19), (22, 39), (42, 60)] {
        let decibels =
            testkit::snr::decibels(&whole[frame(from)..frame(to)], &found[frame(from)..frame(to)]);
        assert!(decibels > 60.0, "{from}: {decibels:.1} dB");
    }
}

#[test]
fn the_adts_header_overrides_the_rate() {
    for (aac, channels, whole) in recordings() {
        let other = aac::config(if aac.rate == 48_000 { 44_100 } else { 16_000 }, channels);
        assert!(aac.decode_with(&aac.adts(), Some(other)) == whole);
    }
}

fn decoder(private: &[u8], rate: Option<u32>) -> Decoder {
    let track = Track {
        codec_id: "A_AAC".to_owned(),
        codec_private: private.to_vec(),
        rate,
        ..Track::default()
    };
    Decoder::new(Format::of(&track, None).unwrap()).unwrap()
}

/// Asserts that none of `packets` is decoded, and that the diagnosis of each contains `reason`.
fn refused(decoder: &mut Decoder, packets: &[Vec<u8>], reason: &str) {
    for (index, data) in packets.iter().enumerate() {
        let mut out = Vec::new();
        if let Some(packet) = decoder.packet(data) {
            let length = packet.length();
            let samples = (length.frames * 16_000 / length.rate) as usize;
            let decoded = decoder.decode(packet, Span { samples, fraction: 0 }, &mut out);
            assert!(!decoded, "{reason}: packet {index}, {data:x?}");
        }
        assert!(out.iter().all(|sample| *sample == 0));
        let reports = decoder.diagnose(data);
        assert!(reports.contains(reason), "{reason}: packet {index} is {reports}");
    }
}

/// Decoders for every kind of AAC description.
fn decoders() -> Vec<Decoder> {
    let described = [aac::config(8_000, 1), aac::config(48_000, 2), aac::config(16_000, 0)];
    described.iter().map(|private| decoder(private, None)).collect()
}

fn l16(samples: &[i16], bytes: fn(i16) -> [u8; 2], block: usize) -> Vec<Vec<u8>> {
    samples
        .chunks_exact(block)
        .map(|block| block.iter().flat_map(|s| bytes(*s)).collect())
        .collect()
}

#[test]
fn loas_is_reported() {
    for mut decoder in decoders() {
        let frames = aac::tone(48_000, 2, 50);
        let packets: Vec<_> = frames.iter().map(|frame| aac::loas(frame)).collect();
        refused(&mut decoder, &packets, "LOAS");
    }
}

#[test]
fn mislabelled_uncompressed_samples_are_reported() {
    let speech = speech_like(11, 80_000);
    let quiet: Vec<_> = speech.iter().map(|sample| sample / 256).collect();
    for samples in [speech, quiet, vec![0; 16_000], vec![-1; 16_000]] {
        for (bytes, block) in [
            (i16::to_le_bytes as fn(i16) -> [u8; 2], 160),
            (i16::to_be_bytes, 320),
            (i16::to_le_bytes, 1024),
        ] {
            let packets = l16(&samples, bytes, block);
            for mut decoder in decoders() {
                refused(&mut decoder, &packets, "16-bit PCM");
            }
        }
    }
}

#[test]
fn noise_is_never_decoded() {
    let mut random = Random::new(29);
    let noise = |_| {
        let len = 1 + random.below(700) as usize;
        (0..len).map(|_| random.below(256) as u8).collect()
    };
    let packets: Vec<Vec<u8>> = (0..4000).map(noise).collect();
    for mut decoder in decoders() {
        refused(&mut decoder, &packets, "");
    }
}

#[test]
fn other_channel_elements_are_rejected() {
    // Another single channel, LFE or coupling, by its id, after one whole channel element.
    for (channels, id) in [(1, 0), (1, 1), (1, 2), (1, 3), (2, 0), (2, 1)] {
        let packets = aac::tone_and_element(48_000, channels, 20, id);
        for mut decoder in decoders() {
            refused(&mut decoder, &packets, "no AAC-LC frames");
        }
    }
}

#[test]
fn frames_before_their_description_are_rejected() {
    let frames = aac::tone(44_100, 1, 20);
    refused(&mut decoder(&[], None), &frames, "CodecPrivate");
    let ssr = Adts { profile: 2, channels: 1, checked: false };
    let packets: Vec<_> = frames.iter().map(|frame| ssr.frame(&[frame], 44_100)).collect();
    refused(&mut decoder(&[], None), &packets, "ADTS profile");
}
