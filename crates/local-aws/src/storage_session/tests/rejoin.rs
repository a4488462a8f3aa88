//! Two connections of one speaker, before and after the forced end of a storage session.

use super::*;

/// Packets of each connection: two seconds.
const PACKETS: usize = 100;
const LENGTH_MS: i64 = 20 * PACKETS as i64;

#[tokio::test]
async fn the_hours_rejoin_stands_where_it_was_spoken_by_both_clocks() {
    // An hour lasts 7.2 s, so the cloud's clock passes an hour and more between the connections.
    let cloud = Cloud::new(500.0).await;
    let all = recording(2 * PACKETS);
    let (before, after) = all.split_at(PACKETS);
    let (_master, mut browser) = connected(&cloud, []).await;
    speak(&mut browser, &sent(before)).await;
    browser.closed().await;
    cloud.ended().await;
    let (_master, mut browser) = connected(&cloud, []).await;
    let (arrived, mut arrived_ms) = (cloud.datagrams().audio_received, None);
    let note_arrival = |_| {
        if arrived_ms.is_none() && cloud.datagrams().audio_received > arrived {
            arrived_ms = Some(real_now_ms());
        }
    };
    let second_ms = speak_while(&mut browser, &sent(after), note_arrival).await;
    cloud.end(&mut browser).await;

    let decoded = cloud.decoded().await;
    // How late the first packet of the second connection may have arrived.
    let late_ms = arrived_ms.unwrap() - second_ms;
    let pause_ms = second_ms - decoded.origin_ms - LENGTH_MS;
    assert!(pause_ms > 1000, "{pause_ms} ms between the connections");
    let [(start, samples)] = decoded.gaps[..] else { panic!("{:?}", decoded.gaps) };
    // The encoder's silence is up to two frames at the start of the gap, and two at its end.
    let gap_ms = samples as i64 / 16;
    assert!(
        (pause_ms - 100..=pause_ms + late_ms + 2).contains(&gap_ms),
        "{gap_ms} of {pause_ms} ms"
    );
    let (speech, end) = (opus::decode(after), (start + samples) as usize);
    let spoken = end as i64 + delay(&speech, &decoded.pcm[end..]);
    // Opus's own delay of 6.5 ms is not part of the time, and times are rounded to milliseconds.
    let offset_ms = spoken / 16 - (second_ms - decoded.origin_ms);
    assert!((-10..=late_ms + 2).contains(&offset_ms), "the speech is {offset_ms} ms late");

    for (server_ms, producer_ms) in &decoded.times {
        assert!((server_ms - producer_ms).abs() <= 2, "{server_ms} and {producer_ms}");
        let since_ms = producer_ms - decoded.origin_ms;
        assert!((-100..=pause_ms + 2 * LENGTH_MS).contains(&since_ms), "{since_ms} ms");
    }
}
