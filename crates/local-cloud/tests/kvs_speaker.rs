//! The speaker sends a recording to a stream unchanged and at its pace, also if connections break.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "../../local-aws/tests/kvs_support/mod.rs"]
mod kvs_support;

use std::collections::BTreeSet;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use kvs_support::{Server, documents, values};
use matroska_demuxer::{Frame, MatroskaFile};
use producer::{Pace, Producer, PutMedia, Recording, RecordingError, Sdk, Spoken, TRIES};
use serde_json::json;
use tokio::sync::watch;

fn bundled() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/testkit/assets/two-voices.mka")
}

fn producer(server: &Server, speed: f64) -> Producer {
    Producer {
        put_media: PutMedia::at(&Sdk::local(&server.url), &server.url),
        stream: "session-a-b-1".into(),
        pace: Pace { speed, fragment_ms: 2000, whole_fragments: false },
        start_ms: 1_700_000_000_000,
        rollback: 0,
        tries: TRIES,
    }
}

/// Returns every packet of a GetMedia body: producer time in ms and data.
fn packets(body: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let mut found = Vec::new();
    for document in documents(body) {
        let mut file = MatroskaFile::open(Cursor::new(document)).unwrap();
        let mut frame = Frame::default();
        while file.next_frame(&mut frame).unwrap() {
            found.push((frame.timestamp, frame.data.clone()));
        }
    }
    found
}

async fn spoken_and_read(server: &Server, speed: f64) -> (Recording, Spoken, Vec<u8>) {
    let recording = Recording::open(&bundled()).unwrap();
    let progress = watch::Sender::new(Spoken::default());
    let spoken = producer(server, speed).speak(&recording, &progress, |_| {}).await.unwrap();
    let start = json!({ "StartSelectorType": "EARLIEST" });
    let body = server.get_all("session-a-b-1", start).await;
    (recording, spoken, body)
}

#[tokio::test]
async fn a_recording_is_spoken_packet_by_packet_at_its_pace() {
    let server = Server::start(20.0).await;
    server.stream("session-a-b-1", 24).await;
    let before = Instant::now();
    let (recording, spoken, body) = spoken_and_read(&server, 50.0).await;
    assert!(before.elapsed() >= Duration::from_millis(recording.duration_ms() / 50));
    let wanted: Vec<(u64, Vec<u8>)> =
        recording.packets.iter().map(|packet| (packet.at_ms, packet.data.clone())).collect();
    assert_eq!(packets(&body), wanted);
    assert_eq!((spoken.packets, spoken.reconnects), (wanted.len(), 0));
    assert_eq!(spoken.persisted, documents(&body).len());
    assert_eq!(values(&body, "AWS_KINESISVIDEO_PRODUCER_TIMESTAMP")[0], "1700000000.000");
    let document = documents(&body).remove(0);
    let file = MatroskaFile::open(Cursor::new(document)).unwrap();
    assert_eq!(file.tracks()[0].codec_private(), recording.codec_private.as_deref());
    assert_eq!(file.tracks()[0].codec_delay(), recording.codec_delay_ns);
    assert!(recording.samples_16k() >= 30 * 16_000);
}

#[tokio::test]
async fn whole_fragments_are_sent_when_they_are_complete() {
    let server = Server::start(50.0).await;
    server.stream("session-a-b-1", 24).await;
    let recording = Recording::open(&bundled()).unwrap();
    let mut whole = producer(&server, 50.0);
    whole.pace.whole_fragments = true;
    let progress = watch::Sender::new(Spoken::default());
    let mut changes = progress.subscribe();
    // The end of the sender ends the watch.
    let speak = async {
        let progress = progress;
        whole.speak(&recording, &progress, |_| {}).await.unwrap()
    };
    let watch = async {
        let mut sent = BTreeSet::new();
        while changes.changed().await.is_ok() {
            sent.insert(changes.borrow_and_update().packets);
        }
        sent
    };
    let (spoken, sent) = tokio::join!(speak, watch);
    // Fragments of two seconds have 100 packets of 20 ms.
    let is_end =
        |packets: &usize| packets.is_multiple_of(100) || *packets == recording.packets.len();
    assert!(sent.len() > 10 && sent.iter().all(is_end), "{sent:?}");
    let body = server.get_all("session-a-b-1", json!({ "StartSelectorType": "EARLIEST" })).await;
    let wanted: Vec<(u64, Vec<u8>)> =
        recording.packets.iter().map(|packet| (packet.at_ms, packet.data.clone())).collect();
    assert_eq!((packets(&body), spoken.packets), (wanted, recording.packets.len()));
}

#[tokio::test]
async fn a_broken_connection_loses_nothing() {
    let server = Server::start(50.0).await;
    server.stream("session-a-b-1", 24).await;
    server.fault(json!({ "service": "kinesisvideo", "operation": "PutMedia", "kind": "cut",
                         "extra": { "afterBytes": 60_000 } }));
    server.fault(json!({ "service": "kinesisvideo", "operation": "PutMedia", "status": 503,
                         "code": "ServiceUnavailable" }));
    let (recording, spoken, body) = spoken_and_read(&server, 50.0).await;
    assert_eq!(spoken.reconnects, 2);
    let wanted: Vec<(u64, Vec<u8>)> =
        recording.packets.iter().map(|packet| (packet.at_ms, packet.data.clone())).collect();
    assert_eq!(packets(&body), wanted);
}

#[tokio::test]
async fn a_rollback_sends_persisted_fragments_again_under_new_numbers() {
    let server = Server::start(50.0).await;
    server.stream("session-a-b-1", 24).await;
    server.fault(json!({ "service": "kinesisvideo", "operation": "PutMedia", "kind": "cut",
                         "extra": { "afterBytes": 60_000 } }));
    let recording = Recording::open(&bundled()).unwrap();
    let rolling_back = Producer { rollback: 3, ..producer(&server, 50.0) };
    let progress = watch::Sender::new(Spoken::default());
    let spoken = rolling_back.speak(&recording, &progress, |_| {}).await.unwrap();
    let start = json!({ "StartSelectorType": "EARLIEST" });
    let body = server.get_all("session-a-b-1", start).await;
    assert_eq!(spoken.reconnects, 1);
    let numbers = values(&body, "AWS_KINESISVIDEO_FRAGMENT_NUMBER");
    let times = values(&body, "AWS_KINESISVIDEO_PRODUCER_TIMESTAMP");
    let once: BTreeSet<_> = times.iter().collect();
    assert_eq!(numbers.iter().collect::<BTreeSet<_>>().len(), numbers.len());
    // One more if its acknowledgement was lost with the connection.
    assert_eq!(numbers.len(), times.len());
    assert!((3..=4).contains(&(times.len() - once.len())), "{times:?}");
    let said: BTreeSet<_> = packets(&body).into_iter().collect();
    let wanted = recording.packets.iter().map(|packet| (packet.at_ms, packet.data.clone()));
    assert_eq!(said, wanted.collect());
}

#[tokio::test]
async fn a_missing_stream_is_named() {
    let server = Server::start(50.0).await;
    let recording = Recording::open(&bundled()).unwrap();
    let progress = watch::Sender::new(Spoken::default());
    let refused = producer(&server, 50.0).speak(&recording, &progress, |_| {}).await.unwrap_err();
    let text = refused.to_string();
    assert!(text.contains("session-a-b-1") && text.contains("ResourceNotFoundException"), "{text}");
}

#[test]
fn a_file_without_opus_names_its_codecs() {
    let path = std::env::temp_dir().join(format!("not-opus-{}.mkv", std::process::id()));
    let bytes = kvs_support::recording(1);
    let at = bytes.windows(6).position(|window| window == b"A_OPUS").unwrap();
    let mut bytes = bytes;
    bytes[at..at + 6].copy_from_slice(b"A_FLAC");
    std::fs::write(&path, &bytes).unwrap();
    let error = Recording::open(&path).unwrap_err();
    assert!(
        matches!(&error, RecordingError::NotOpus { found, .. } if found == "A_FLAC"),
        "{error}"
    );
    std::fs::write(&path, b"not matroska").unwrap();
    assert!(matches!(Recording::open(&path), Err(RecordingError::NotMatroska { .. })));
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(Recording::open(&path), Err(RecordingError::Missing { .. })));
}

/// Runs `local-cloud speak` with a file; returns whether it succeeded, and its stderr.
async fn speak(server: &Server, session: &str, file: &Path) -> (bool, String) {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_local-cloud"));
    command.args(["speak", session, "--speed", "1000", "--url", &server.url]).arg(file);
    let output = command.output().await.unwrap();
    (output.status.success(), String::from_utf8(output.stderr).unwrap())
}

#[tokio::test]
async fn a_recording_that_is_cut_off_is_spoken_with_a_warning() {
    let server = Server::start(50.0).await;
    server.stream("session-a-b-1", 24).await;
    let (spoken, stderr) = speak(&server, "a-b-1", &bundled()).await;
    assert!(spoken && !stderr.contains("warning"), "{stderr}");
    let whole = std::fs::read(bundled()).unwrap();
    let path = std::env::temp_dir().join(format!("cut-off-{}.mka", std::process::id()));
    // All packets have the same length, and the first half ends with one: ten bytes more are a part
    // of the next.
    std::fs::write(&path, &whole[..whole.len() / 2 + 10]).unwrap();
    server.stream("session-c-d-2", 24).await;
    let (spoken, stderr) = speak(&server, "c-d-2", &path).await;
    std::fs::remove_file(&path).unwrap();
    let warning = format!(
        "warning: {} is cut off or damaged at its end, or has a second Segment: its last 10 bytes are not used",
        path.display()
    );
    assert!(spoken && stderr.contains(&warning), "{stderr}");
}
