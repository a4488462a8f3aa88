//! Storage sessions with a client on a real UDP socket, read back with GetMedia and the product's
//! own decoder.

mod browser;
mod cloud;
mod endings;
mod lossy_network;
mod refusals;
mod rejoin;
mod viewing;

use std::time::{Duration, Instant};

use http::StatusCode;
use matroska_demuxer::{Frame as Block, MatroskaFile};
use testkit::opus::{self, Settings};

use super::FragmentOptions;
use super::test_video::KEY_FRAME;
use crate::clock::real_now_ms;
use browser::Browser;
use cloud::{Cloud, Master};

/// Samples of 20 ms at 16 kHz, a step of an envelope.
const STEP: usize = 320;

/// A joined session with a connected client.
async fn connected(cloud: &Cloud, lost: impl IntoIterator<Item = usize>) -> (Master, Browser) {
    let mut master = cloud.connect();
    let response = cloud.join(&cloud.channel_arn).await;
    assert_eq!(response.status(), StatusCode::OK);
    let body = axum::body::to_bytes(response.into_body(), 100).await.unwrap();
    assert_eq!(body, "");
    let (mut browser, answer) = Browser::answer(&master.offer().await, lost).await;
    master.send_answer(answer, None).await;
    browser.connected().await;
    (master, browser)
}

/// Sends 20 ms packets at their times, and a key frame every half second. A packet of `None` is a
/// pause of the sender. Returns the real time of the first packet.
async fn speak(browser: &mut Browser, packets: &[Option<Vec<u8>>]) -> i64 {
    speak_while(browser, packets, |_| ()).await
}

/// As [`speak`]; calls `before` with the number of each packet before it is sent.
async fn speak_while(
    browser: &mut Browser,
    packets: &[Option<Vec<u8>>],
    mut before: impl FnMut(usize),
) -> i64 {
    let (start, start_ms) = (Instant::now(), real_now_ms());
    for (number, packet) in packets.iter().enumerate() {
        let at = start + Duration::from_millis(20 * number as u64);
        browser.run_until(at).await;
        before(number);
        if let Some(packet) = packet {
            browser.send_audio(7_000 + 960 * number as u64, at, packet).await;
        }
        if number % 25 == 0 {
            browser.send_video(500 + 1800 * number as u64, at, &KEY_FRAME).await;
        }
        // The session shares this thread. It reads also while the sender is late: a socket holds
        // some 170 datagrams.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let end = start + Duration::from_millis(20 * packets.len() as u64 + 400);
    browser.run_until(end).await;
    start_ms
}

/// Returns the packets as [`speak`] takes them, without a pause.
fn sent(packets: &[Vec<u8>]) -> Vec<Option<Vec<u8>>> {
    packets.iter().cloned().map(Some).collect()
}

/// Returns the first packets of the bundled recording of two voices.
fn recording(packets: usize) -> Vec<Vec<u8>> {
    let bytes = std::io::Cursor::new(testkit::recording_bytes());
    let mut file = MatroskaFile::open(bytes).unwrap();
    let (mut block, mut found) = (Block::default(), Vec::new());
    while found.len() < packets && file.next_frame(&mut block).unwrap() {
        found.push(block.data.clone());
    }
    found
}

/// Returns the correlation of the envelopes of two signals, in steps of 20 ms.
fn envelope_correlation(a: &[i16], b: &[i16]) -> f64 {
    let envelope = |pcm: &[i16]| -> Vec<f64> {
        let power = |step: &[i16]| step.iter().map(|&s| f64::from(s).powi(2)).sum::<f64>();
        pcm.chunks_exact(STEP).map(|step| (power(step) / STEP as f64).sqrt()).collect()
    };
    let (a, b) = (envelope(a), envelope(b));
    let len = a.len().min(b.len());
    let mean = |of: &[f64]| of[..len].iter().sum::<f64>() / len as f64;
    let (mean_a, mean_b) = (mean(&a), mean(&b));
    let product = |x: &[f64], y: &[f64], mean_x: f64, mean_y: f64| -> f64 {
        (0..len).map(|n| (x[n] - mean_x) * (y[n] - mean_y)).sum()
    };
    let (aa, bb) = (product(&a, &a, mean_a, mean_a), product(&b, &b, mean_b, mean_b));
    product(&a, &b, mean_a, mean_b) / (aa * bb).sqrt()
}

/// Returns by how many samples at 16 kHz `found` is later than `expected`, up to 50 ms, by their
/// waveforms from one second on.
fn delay(expected: &[i16], found: &[i16]) -> i64 {
    let correlation = |lag: i64| -> f64 {
        let pairs = (16_000..expected.len().min(found.len()) - 1000).step_by(3);
        let product =
            |n: usize| f64::from(expected[n]) * f64::from(found[(n as i64 + lag) as usize]);
        pairs.map(product).sum()
    };
    (-800..=800).max_by(|a, b| correlation(*a).total_cmp(&correlation(*b))).unwrap()
}

#[tokio::test]
async fn speech_is_stored_as_aac_with_the_time_at_which_it_was_spoken() {
    let cloud = Cloud::new(1.0).await;
    let (_master, mut browser) = connected(&cloud, []).await;
    let packets = recording(300);
    let (start_ms, mut arrived_ms) = (real_now_ms(), None);
    let note_arrival = |_| {
        if arrived_ms.is_none() && cloud.datagrams().audio_received > 0 {
            arrived_ms = Some(real_now_ms());
        }
    };
    speak_while(&mut browser, &sent(&packets), note_arrival).await;
    assert!(browser.key_requests >= 2, "{}", browser.key_requests);
    cloud.end(&mut browser).await;

    let decoded = cloud.decoded().await;
    assert_eq!(decoded.codec.as_deref(), Some("A_AAC"));
    assert!(decoded.fragments >= 3, "{}", decoded.fragments);
    assert_eq!(decoded.gaps, []);
    let expected = opus::decode(&packets);
    let correlation = envelope_correlation(&expected, &decoded.pcm);
    assert!(correlation > 0.99, "{correlation}");
    let late = delay(&expected, &decoded.pcm);
    assert!(late.abs() <= 16, "{late} samples late");
    // Opus's own delay of 6.5 ms is not part of the time, and times are rounded to milliseconds.
    let origin = start_ms - 10..=arrived_ms.unwrap();
    assert!(origin.contains(&decoded.origin_ms), "{} in {origin:?}", decoded.origin_ms);
}

#[tokio::test]
async fn a_progressive_session_is_read_while_its_first_fragment_is_open() {
    let fragments = FragmentOptions { length_ms: 10_000, progressive: true };
    let cloud = Cloud::storing(1.0, fragments).await;
    let (_master, mut browser) = connected(&cloud, []).await;
    let packets = recording(150);
    speak(&mut browser, &sent(&packets)).await;
    assert_eq!(cloud.stream()["fragments"], 0);
    let live = cloud.decoded_up_to(2 * 16_000).await;
    assert_eq!(cloud.stream()["fragments"], 0, "it is still open");
    cloud.end(&mut browser).await;

    let decoded = cloud.decoded().await;
    assert_eq!((decoded.fragments, &decoded.gaps[..]), (1, &[][..]));
    assert_eq!(decoded.times, live.times);
    // At its end a decoder flushes its filter, as long as half a step.
    let known = live.pcm.len() - STEP;
    assert!(decoded.pcm[..known] == live.pcm[..known], "the same samples");
    let expected = opus::decode(&packets);
    let correlation = envelope_correlation(&expected, &decoded.pcm);
    assert!(correlation > 0.99, "{correlation}");
    assert!(decoded.pcm.len() + 640 >= expected.len(), "{}", decoded.pcm.len());
}

#[tokio::test]
async fn fragments_have_both_tracks_and_the_tags_of_aws() {
    let cloud = Cloud::new(1.0).await;
    let (_master, mut browser) = connected(&cloud, []).await;
    speak(&mut browser, &sent(&recording(60))).await;
    cloud.end(&mut browser).await;
    let bytes = cloud.bytes().await;
    let has = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    for text in ["V_MPEG4/ISO/AVC", "A_AAC", "AWS_KINESISVIDEO_FRAGMENT_NUMBER"] {
        assert!(has(text), "{text}");
    }
    let mut file = MatroskaFile::open(std::io::Cursor::new(bytes)).unwrap();
    let numbers: Vec<u64> = file.tracks().iter().map(|it| it.track_number().get()).collect();
    assert_eq!(numbers, [1, 2]);
    let mut block = Block::default();
    assert!(file.next_frame(&mut block).unwrap());
}

#[tokio::test]
async fn lost_packets_leave_the_time_after_them_in_place() {
    let cloud = Cloud::new(1.0).await;
    let lost = [60, 80, 81, 100, 120, 121, 122, 140, 160, 180];
    let (_master, mut browser) = connected(&cloud, lost).await;
    let packets = recording(200);
    speak(&mut browser, &sent(&packets)).await;
    cloud.end(&mut browser).await;

    let decoded = cloud.decoded().await;
    assert_eq!(decoded.gaps, [], "short losses are concealed");
    let expected = opus::decode(&packets);
    let late = delay(&expected, &decoded.pcm);
    assert!(late.abs() <= 16, "{late} samples late");
    let after = 185 * STEP;
    let late = delay(&expected[after - 16_000..], &decoded.pcm[after - 16_000..]);
    assert!(late.abs() <= 16, "{late} samples late after the losses");
}

#[tokio::test]
async fn a_long_loss_is_a_gap_of_its_length() {
    let cloud = Cloud::new(1.0).await;
    let (_master, mut browser) = connected(&cloud, 75..125).await;
    let packets = recording(200);
    speak(&mut browser, &sent(&packets)).await;
    cloud.end(&mut browser).await;

    let decoded = cloud.decoded().await;
    let [(start, samples)] = decoded.gaps[..] else { panic!("{:?}", decoded.gaps) };
    // Lost from 1500 to 2500 ms. The encoder's silence is up to two frames at its start, and one
    // at its end.
    let (start_ms, end_ms) = (start / 16, (start + samples) / 16);
    assert!((1490..=1545).contains(&start_ms), "{start_ms}");
    assert!((2470..=2500).contains(&end_ms), "{end_ms}");
    let expected = opus::decode(&packets);
    let late = delay(&expected[125 * STEP - 8000..], &decoded.pcm[125 * STEP - 8000..]);
    assert!(late.abs() <= 16, "{late} samples late after the gap");
}

#[tokio::test]
async fn discontinuous_transmission_keeps_the_time() {
    let cloud = Cloud::new(1.0).await;
    let (_master, mut browser) = connected(&cloud, []).await;
    // Speech, a second and a half of silence, speech.
    let mut pcm = testkit::pcm::speech_like(3, 48_000);
    pcm.resize(120_000, 0);
    pcm.extend(testkit::pcm::speech_like(4, 72_000));
    let settings = Settings { dtx: true, ..Settings::default() };
    let packets = opus::encode(&settings, &pcm);
    // A sender leaves out the packets that libopus makes empty.
    let spoken: Vec<Option<Vec<u8>>> =
        packets.iter().map(|packet| (packet.len() > 2).then(|| packet.clone())).collect();
    assert!(spoken.iter().filter(|packet| packet.is_none()).count() > 40);
    speak(&mut browser, &spoken).await;
    cloud.end(&mut browser).await;

    let decoded = cloud.decoded().await;
    assert_eq!(decoded.gaps, []);
    let expected = opus::decode(&packets);
    let correlation = envelope_correlation(&expected, &decoded.pcm);
    assert!(correlation > 0.97, "{correlation}");
    let after = 120 * STEP;
    let late = delay(&expected[after - 16_000..], &decoded.pcm[after - 16_000..]);
    assert!(late.abs() <= 16, "{late} samples late after the pause");
}
