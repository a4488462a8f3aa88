//! Writes live Matroska as AWS's producers do (mkvgen of the producer SDK): a Segment and Clusters
//! of unknown size, Timecodes and SimpleBlock sizes of eight bytes, one track.

use ebml::id;

use crate::recording::{Packet, Recording};

/// The track's number in every block.
const TRACK: u8 = 1;

/// Consecutive packets that form one Cluster, and so one fragment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fragment {
    /// The index of its first packet.
    pub(crate) first: usize,
    /// One past the index of its last packet.
    pub(crate) end: usize,
    /// Its Cluster's timecode in ms.
    pub(crate) timecode_ms: u64,
}

/// Cuts packets into fragments of at most `fragment_ms` of media. Each starts after the latest
/// packet before it: KVS refuses any other (error 4004), so packets whose time goes back stay in
/// the current fragment.
pub(crate) fn fragments(packets: &[Packet], fragment_ms: u64) -> Vec<Fragment> {
    let mut cut: Vec<Fragment> = Vec::new();
    let mut latest_ms = 0;
    for (index, packet) in packets.iter().enumerate() {
        // A block has no duration on the wire; a reader may assume that it lasts as long as the
        // step before it.
        let step = packet.at_ms.saturating_sub(latest_ms);
        let end_ms = packet.at_ms + step.max(u64::from(packet.samples_48k).div_ceil(48));
        match cut.last_mut() {
            Some(open) if end_ms <= open.timecode_ms + fragment_ms || packet.at_ms <= latest_ms => {
                open.end = index + 1;
            }
            _ => {
                cut.push(Fragment { first: index, end: index + 1, timecode_ms: packet.at_ms });
            }
        }
        latest_ms = latest_ms.max(packet.at_ms);
    }
    cut
}

/// Returns everything before the first Cluster.
pub(crate) fn head(recording: &Recording) -> Vec<u8> {
    let mut header = Vec::new();
    for (id, value) in [(0x4286, 1), (0x42F7, 1), (0x42F2, 4), (0x42F3, 8)] {
        ebml::write(&mut header, id, 1, &[value]);
    }
    ebml::write(&mut header, 0x4282, 1, b"matroska");
    ebml::write(&mut header, 0x4287, 1, &[4]);
    ebml::write(&mut header, 0x4285, 1, &[2]);
    let mut info = Vec::new();
    ebml::write(&mut info, id::TIMECODE_SCALE, 1, &[0x0F, 0x42, 0x40]);
    ebml::write(&mut info, 0x4D80, 1, b"speech-relay producer");
    ebml::write(&mut info, 0x5741, 1, b"speech-relay producer");
    let mut tracks = Vec::new();
    ebml::write(&mut tracks, id::TRACK_ENTRY, 4, &track_entry(recording));
    let mut out = Vec::new();
    ebml::write(&mut out, id::EBML, 1, &header);
    ebml::write_id(&mut out, id::SEGMENT);
    out.push(0xFF);
    ebml::write(&mut out, id::INFO, 1, &info);
    ebml::write(&mut out, id::TRACKS, 4, &tracks);
    out
}

fn track_entry(recording: &Recording) -> Vec<u8> {
    let mut audio = Vec::new();
    ebml::write(&mut audio, 0xB5, 1, &recording.sampling_hz.to_be_bytes());
    ebml::write(&mut audio, 0x9F, 1, &recording.channels.to_be_bytes());
    let mut entry = Vec::new();
    ebml::write(&mut entry, id::TRACK_NUMBER, 1, &[TRACK]);
    ebml::write(&mut entry, 0x73C5, 1, &[TRACK]);
    ebml::write(&mut entry, 0x83, 1, &[2]);
    ebml::write(&mut entry, 0x9C, 1, &[0]);
    ebml::write(&mut entry, 0x536E, 1, b"audio");
    ebml::write(&mut entry, 0x86, 1, b"A_OPUS");
    if let Some(codec_private) = &recording.codec_private {
        ebml::write(&mut entry, 0x63A2, 4, codec_private);
    }
    if let Some(delay) = recording.codec_delay_ns {
        ebml::write(&mut entry, 0x56AA, 1, &delay.to_be_bytes());
    }
    if let Some(pre_roll) = recording.seek_pre_roll_ns {
        ebml::write(&mut entry, 0x56BB, 1, &pre_roll.to_be_bytes());
    }
    ebml::write(&mut entry, 0xE1, 4, &audio);
    entry
}

/// Returns the start of a Cluster.
pub(crate) fn cluster(timecode_ms: u64) -> Vec<u8> {
    let mut out = Vec::new();
    ebml::write_id(&mut out, id::CLUSTER);
    out.push(0xFF);
    ebml::write(&mut out, id::TIMECODE, 1, &timecode_ms.to_be_bytes());
    out
}

/// Returns one packet as a block of the Cluster that starts at `timecode_ms`.
pub(crate) fn block(packet: &Packet, timecode_ms: u64) -> Vec<u8> {
    // Fragments are far shorter than 32 s, the maximum of an offset.
    let offset = i16::try_from(packet.at_ms.saturating_sub(timecode_ms)).unwrap_or(i16::MAX);
    let mut payload = vec![0x80 | TRACK];
    payload.extend_from_slice(&offset.to_be_bytes());
    payload.push(0x80);
    payload.extend_from_slice(&packet.data);
    let mut out = Vec::new();
    ebml::write(&mut out, id::SIMPLE_BLOCK, 8, &payload);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_fragment_starts_after_every_packet_before_it(
            times in proptest::collection::vec(0_u64..60_000, 1..200),
            fragment_ms in 1_000_u64..=20_000,
        ) {
            let packet = |at_ms| Packet { at_ms, samples_48k: 960, data: vec![0x08] };
            let packets: Vec<Packet> = times.into_iter().map(packet).collect();
            let (mut next, mut latest_ms) = (0, None);
            for fragment in fragments(&packets, fragment_ms) {
                prop_assert_eq!(fragment.first, next);
                prop_assert!(latest_ms < Some(fragment.timecode_ms));
                let held = &packets[fragment.first..fragment.end];
                latest_ms = latest_ms.max(held.iter().map(|packet| packet.at_ms).max());
                next = fragment.end;
            }
            prop_assert_eq!(next, packets.len());
        }
    }

    #[test]
    fn no_fragment_is_longer_than_asked_for() {
        // Packets of 60 ms do not fill 20 s exactly; after a pause the last one may count as
        // longer.
        let steps = [60, 60, 60, 400, 60, 60, 2_000];
        let times = steps.into_iter().cycle().scan(0, |at_ms, step| {
            *at_ms += step;
            Some(*at_ms)
        });
        let packet = |at_ms| Packet { at_ms, samples_48k: 2_880, data: vec![0x08] };
        let packets: Vec<Packet> = times.take(500).map(packet).collect();
        for fragment_ms in [1_000, 2_000, 10_000, 20_000] {
            let cut = fragments(&packets, fragment_ms);
            assert!(cut.len() > 1);
            for fragment in cut {
                let held = &packets[fragment.first..fragment.end];
                let mut steps = held.windows(2).map(|pair| pair[1].at_ms - pair[0].at_ms);
                let last = held.last().unwrap().at_ms - fragment.timecode_ms;
                assert!(last + steps.next_back().unwrap_or(60) <= fragment_ms, "{fragment_ms}");
            }
        }
    }

    #[test]
    fn fragments_hold_every_packet_once() {
        let packets: Vec<Packet> = (0..250)
            .map(|n| Packet { at_ms: n * 20, samples_48k: 960, data: vec![0x08] })
            .collect();
        let cut = fragments(&packets, 2000);
        let shape: Vec<(usize, usize, u64)> =
            cut.iter().map(|f| (f.first, f.end, f.timecode_ms)).collect();
        assert_eq!(shape, [(0, 100, 0), (100, 200, 2000), (200, 250, 4000)]);
    }

    #[test]
    fn the_demuxer_reads_what_is_written() {
        let recording = Recording {
            codec_private: Some([&b"OpusHead"[..], &[1, 1, 0x38, 1]].concat()),
            codec_delay_ns: Some(6_500_000),
            seek_pre_roll_ns: None,
            sampling_hz: 48_000.0,
            channels: 1,
            packets: (0..5)
                .map(|n| Packet { at_ms: n * 20, samples_48k: 960, data: vec![0x08, n as u8] })
                .collect(),
            unusable_end: None,
        };
        let mut bytes = head(&recording);
        bytes.extend(cluster(0));
        for packet in &recording.packets {
            bytes.extend(block(packet, 0));
        }
        let path = std::env::temp_dir().join(format!("muxer-{}.mka", std::process::id()));
        std::fs::write(&path, bytes).unwrap();
        let read = Recording::open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(read, recording);
        assert_eq!(read.samples_16k(), (5 * 960 - 312) / 3);
        let beginning = read.first(40);
        assert_eq!(beginning.packets, recording.packets[..2]);
        assert_eq!((beginning.samples_16k(), beginning.fragments(1_000)), ((2 * 960 - 312) / 3, 1));
    }
}
