//! Lost or doubled time and another producer's clock do not change the position of later samples.

use crate::harness::{self, T0, body, decode, fragments, packets, reference};
use testkit::getmedia::{self, Framing, Timed};
use testkit::{opus, pcm, snr};

#[test]
fn a_lost_packet_is_filled_and_no_position_changes() {
    let packets = packets(1, 6);
    let mut all = fragments(&packets);
    all[1].packets.drain(20..25);
    let (outputs, _, stream) = decode(&body(&all), 1460);
    let (found, expected) = (outputs.joined(0), reference(&packets));
    assert_eq!(found.len(), expected.len());
    let counters = stream.counters();
    assert_eq!((counters.filled_samples, counters.gap_samples), (5 * 320, 0));
    let lost = 120 * 320 - 104;
    assert_eq!(found[..lost], expected[..lost]);
    let (_, samples, filled, producer_ms) = &outputs.pcm[120];
    assert_eq!((samples.len(), *filled), (6 * 320, 5 * 320));
    // Block 120 is due at 2.4 s less CodecDelay; position 0 is at T0.
    assert_eq!(*producer_ms, T0 + 2393 + 1);
    let late = expected.len() - 16_000;
    assert!(snr::decibels(&expected[late..], &found[late..]) > 40.0);
}

#[test]
fn up_to_two_seconds_are_filled_and_more_is_skipped() {
    let packets = packets(2, 12);
    for (lost, filled, skipped) in [(1, 32_000, 0), (2, 0, 64_000)] {
        let mut all = fragments(&packets);
        all.drain(2..2 + lost);
        let (outputs, _, stream) = decode(&body(&all), 1460);
        let counters = stream.counters();
        assert_eq!((counters.filled_samples, counters.gap_samples), (filled, skipped));
        let last = outputs.pcm.last().unwrap();
        assert_eq!(last.0 as usize + last.1.len(), reference(&packets).len());
        let gaps: &[(u64, u64)] = if skipped > 0 { &[(64_000 - 104, 64_000)] } else { &[] };
        assert_eq!(outputs.gaps, gaps);
    }
}

#[test]
fn a_long_fill_is_emitted_in_pieces_with_the_right_clock() {
    let packets = packets(2, 14);
    let mut all = fragments(&packets);
    all.drain(2..5);
    let options = media::StreamOptions { max_fill_ms: 10_000, ..Default::default() };
    let mut stream = media::Stream::start(options);
    let mut outputs = harness::Outputs::default();
    outputs.push(&mut stream, &body(&all), 1460);
    let counters = stream.counters();
    assert_eq!((counters.filled_samples, counters.gap_samples), (96_000, 0));
    assert_eq!(outputs.joined(0).len() as u64, counters.samples);
    for (start, samples, filled, producer_ms) in &outputs.pcm {
        assert!(samples.len() <= 4000 && *filled as usize <= samples.len());
        let due = T0 + (*start as i64 + 8).div_euclid(16);
        assert!((producer_ms - due).abs() <= 1, "{start}: {producer_ms} is not {due}");
    }
    let whole =
        outputs.pcm.iter().filter(|(_, samples, filled, _)| samples.len() == *filled as usize);
    // PLC first, then silence; the FEC of the next packet, if it has any, fills the end.
    assert!(whole.count() >= 96_000 / 4000);
}

#[test]
fn dtx_pauses_keep_the_clock() {
    let settings = opus::Settings { dtx: true, bitrate: 24_000, ..opus::Settings::default() };
    let mut sound = pcm::speech_like(3, 8 * 48_000);
    sound[2 * 48_000..5 * 48_000].fill(0);
    let packets = opus::encode(&settings, &sound);
    let mut all = fragments(&packets);
    for fragment in &mut all {
        fragment.packets.retain(|packet| packet.data.len() > 2);
    }
    // The last packets are present, so they confirm the lost time before them.
    let last = all.last_mut().unwrap();
    last.packets.retain(|packet| packet.offset_ms < 1860);
    last.packets.extend((93..100).map(|packet| Timed {
        offset_ms: 20 * packet,
        data: packets[300 + packet as usize].clone(),
        discard_padding: 0,
    }));
    let (outputs, _, stream) = decode(&body(&all), 1460);
    assert_eq!(outputs.joined(0).len(), reference(&packets).len());
    assert!(stream.counters().filled_samples > 16_000, "{:?}", stream.counters());
}

#[test]
fn overlapping_time_with_other_content_is_emitted_completely() {
    let (others, packets) = (packets(14, 2), packets(4, 8));
    let mut all = fragments(&packets);
    // The third fragment begins half a second before the second ends, with other content.
    for (index, packet) in others[..25].iter().enumerate() {
        let offset_ms = -500 + 20 * index as i64;
        let packet = Timed { offset_ms, data: packet.clone(), discard_padding: 0 };
        all[2].packets.insert(index, packet);
    }
    let all_packets = [&packets[..200], &others[..25], &packets[200..]].concat();
    let (outputs, _, stream) = decode(&body(&all), 1460);
    assert_eq!(stream.counters().filled_samples, 0);
    assert!(outputs.joined(0) == reference(&all_packets));
}

#[test]
fn a_producer_restart_is_placed_by_the_servers_clock() {
    let first = fragments(&packets(5, 4));
    let mut second = fragments(&packets(6, 4));
    for (index, fragment) in second.iter_mut().enumerate() {
        fragment.number = Some(getmedia::number(10 + index as u64));
        // Its clock is an hour behind; KVS received it 5 s after the last fragment.
        fragment.producer_ms = fragment.producer_ms.map(|ms| ms - 3_600_000);
        fragment.server_ms = Some(first[1].server_ms.unwrap() + 5000 + 2000 * index as i64);
    }
    let (outputs, _, stream) = decode(&body(&[first, second].concat()), 1460);
    assert_eq!(stream.counters().reanchors, 1);
    // The last fragment began at 2 s, so the new session is placed at 7 s; 3 s are lost.
    assert_eq!(outputs.gaps, [(64_000 - 104, 48_000)]);
    assert_eq!(outputs.pcm[200].0, 112_000 - 104);
    assert_eq!(outputs.positions()[200..].iter().map(|(_, len)| len).sum::<usize>(), 64_000);
}

#[test]
fn drift_changes_the_average_lateness_and_no_position() {
    // A producer whose sound card is 0.1 % slow: its stamps gain 1 ms per second.
    let packets = packets(7, 60);
    let mut all = fragments(&packets);
    for (index, fragment) in all.iter_mut().enumerate() {
        fragment.producer_ms = Some(T0 + 2002 * index as i64);
        fragment.cluster_ms = Some(2002 * index as i64);
    }
    let (outputs, _, stream) = decode(&body(&all), 1460);
    assert!(outputs.joined(0) == reference(&packets));
    assert_eq!(stream.counters().filled_samples, 0);
    assert!((57..=59).contains(&stream.clock_drift_ms()), "{}", stream.clock_drift_ms());
    for (start, _, _, producer_ms) in &outputs.pcm {
        // Steps of 2 ms between fragments, which the average follows.
        let clock = T0 as f64 + *start as f64 / 16.0 * 1.001;
        assert!((*producer_ms as f64 - clock).abs() <= 3.0, "{producer_ms} at {start}");
    }
}

#[test]
fn fragments_without_audio_or_cluster_are_complete() {
    let packets = packets(8, 6);
    let mut all = fragments(&packets);
    let mut without = all[0].clone();
    without.cluster_ms = None;
    without.number = Some("9".to_owned());
    all.insert(0, without);
    let (outputs, _, stream) = decode(&body(&all), 1460);
    assert_eq!((outputs.completed.len(), stream.counters().fragments), (4, 4));
    assert_eq!(outputs.resume_points[0].origin_ms, None);
    assert_eq!(outputs.joined(0), reference(&packets));
}

#[test]
fn a_damaged_packet_is_concealed_and_counted() {
    let packets = packets(9, 4);
    let mut all = fragments(&packets);
    // Two frames, of which the first claims to be longer than the packet.
    all[0].packets[50].data = vec![(all[0].packets[50].data[0] & 0xFC) | 2, 0xFF, 0xFF, 0];
    all[1].packets[50].data = Vec::new();
    let (outputs, _, stream) = decode(&body(&all), 1460);
    assert_eq!(stream.counters().decode_errors, 2);
    assert!(stream.counters().filled_samples >= 320);
    let last = outputs.pcm.last().unwrap();
    assert_eq!(last.0 as usize + last.1.len(), reference(&packets).len());
}

#[test]
fn the_decoder_is_kept_while_the_codec_stays() {
    let packets = packets(10, 6);
    let all = fragments(&packets);
    let gain = Framing { codec_private: Some(opus::head(1, 312, 256)), ..Framing::default() };
    let unknown = Framing { codec_id: "A_VORBIS".to_owned(), ..Framing::default() };
    let bytes = [
        getmedia::document(&Framing::default(), &all[0]),
        getmedia::document(&unknown, &all[1]),
        getmedia::document(&gain, &all[2]),
    ];
    let (outputs, _, stream) = decode(&bytes.concat(), 1460);
    assert_eq!(outputs.reports.len(), 1, "{:?}", outputs.reports);
    assert!(outputs.reports[0].contains("A_VORBIS"));
    // Its time is filled and counted, and the packets after it keep their positions.
    assert_eq!(stream.counters().filled_samples, 32_000);
    assert_eq!(outputs.joined(0).len(), reference(&packets).len());
    assert_eq!(stream.counters().skipped_blocks, 100);
}
