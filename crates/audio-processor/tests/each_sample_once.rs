//! Whatever is retried, repeated, overlapped, reordered or sent by an old lease holder: each sample
//! is accepted once, and the WAV file is the source.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use audio_processor::{ProcessError, Processor};
use base64::Engine as _;
use proptest::prelude::*;
use serde_json::{Value, json};

use session::audio::{Answer, Refusal};
use session::{Advance, ErrorKind, Moved, PortError, SessionId, Watermark, Watermarks};

/// What DynamoDB does with the conditional writes, and what a network does with their answers.
#[derive(Debug, Clone, Default)]
struct Table {
    items: Arc<Mutex<BTreeMap<SessionId, Watermark>>>,
    calls: Arc<AtomicU32>,
    /// Bit n set: call n takes effect, but its answer is lost.
    lost: u64,
}

impl Table {
    fn answer<T>(&self, answer: T) -> Result<T, PortError> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        match self.lost >> (call % 64) & 1 {
            0 => Ok(answer),
            _ => Err(PortError::new("UpdateItem", ErrorKind::TimedOut, "lost")),
        }
    }
}

impl Watermarks for Table {
    async fn advance(&self, session: &SessionId, step: Advance) -> Result<Moved, PortError> {
        let moved = {
            let mut items = self.items.lock().unwrap();
            let at = items.get(session).copied();
            let before = at.unwrap_or_default();
            let new = at.is_none() && step.floor == 0 && step.end > 0;
            if new || at.is_some() && step.applies_to(before) {
                items.insert(session.clone(), Watermark { next: step.end, epoch: step.epoch });
                Moved::From(before)
            } else {
                Moved::Not(before)
            }
        };
        self.answer(moved)
    }

    async fn fence(&self, session: &SessionId, epoch: u64) -> Result<Watermark, PortError> {
        let at = {
            let mut items = self.items.lock().unwrap();
            let at = items.get_mut(session).unwrap();
            at.epoch = at.epoch.max(epoch);
            *at
        };
        self.answer(at)
    }
}

fn source() -> Vec<i16> {
    (0..400_i16).map(|n| n * 7 + 1).collect()
}

fn payload(start: u64, samples: &[i16], epoch: u64, gap: u64, is_final: bool) -> Value {
    let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    json!({
        "action": "process", "sessionId": "blessed-shepherd-123",
        "streamArn": "arn:aws:kinesisvideo:us-east-1:123456789012:stream/session-blessed-shepherd-123/17",
        "epoch": epoch, "sourceLanguage": "en", "targetLanguages": [], "qualityTier": "standard",
        "audioData": base64::engine::general_purpose::STANDARD.encode(bytes),
        "sampleRate": 16000, "channels": 1, "format": "pcm_s16le", "source": "kvs_stream_consumer",
        "sequence": 0, "chunkCount": 1, "startSample": start, "sampleCount": samples.len(),
        "filledSamples": 0, "gapSamples": gap, "producerTimestamp": 1_732_540_620_000_u64,
        "fragmentNumber": "1", "final": is_final, "schemaVersion": "1.0",
    })
}

fn piece(from: usize, to: usize, epoch: u64) -> Value {
    payload(from as u64, &source()[from..to], epoch, 0, false)
}

fn refusal(result: Result<Answer, ProcessError>) -> Refusal {
    match result {
        Err(ProcessError::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

fn folder(name: &str) -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("audio-processor-{}-{name}-{number}", std::process::id()))
}

fn recorded(folder: &std::path::Path) -> Vec<i16> {
    let bytes = std::fs::read(folder.join("blessed-shepherd-123.wav")).unwrap();
    let size = u32::from_le_bytes(bytes[40..44].try_into().unwrap()) as usize;
    bytes[44..44 + size].chunks(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

#[tokio::test]
async fn the_answers_are_those_of_the_contract() {
    let processor = Processor::new(Table::default(), None);
    let answer = |accepted, next_sample, duplicate| Answer { accepted, next_sample, duplicate };
    let send = |value| processor.process(value, 0);
    assert_eq!(refusal(send(piece(10, 20, 1)).await), Refusal::OutOfOrder { next_sample: 0 });
    assert_eq!(send(piece(0, 10, 1)).await.unwrap(), answer(true, 10, false));
    assert_eq!(send(piece(0, 10, 1)).await.unwrap(), answer(true, 10, true));
    assert_eq!(refusal(send(piece(30, 40, 1)).await), Refusal::OutOfOrder { next_sample: 10 });
    // A partial overlap: the tail is taken.
    assert_eq!(send(piece(5, 25, 1)).await.unwrap(), answer(true, 25, false));
    // A declared gap may be jumped, a longer one not.
    let gap = |gap| payload(30, &source()[30..40], 1, gap, false);
    assert_eq!(refusal(send(gap(4)).await), Refusal::OutOfOrder { next_sample: 25 });
    assert_eq!(send(gap(5)).await.unwrap(), answer(true, 40, false));
    assert_eq!(send(gap(5)).await.unwrap(), answer(true, 40, true));
    // The end, twice.
    for _ in 0..2 {
        let end = payload(40, &[], 1, 0, true);
        assert_eq!(send(end).await.unwrap(), answer(true, 40, false));
    }
    assert_eq!(
        refusal(send(payload(50, &[], 1, 0, true)).await),
        Refusal::OutOfOrder { next_sample: 40 }
    );
}

#[tokio::test]
async fn a_newer_sender_shuts_out_the_older_one_even_by_a_duplicate() {
    let processor = Processor::new(Table::default(), None);
    let send = |value| processor.process(value, 0);
    send(piece(0, 10, 1)).await.unwrap();
    assert!(send(piece(0, 10, 2)).await.unwrap().duplicate);
    assert_eq!(refusal(send(piece(10, 20, 1)).await), Refusal::StaleEpoch { epoch: 2 });
    assert_eq!(refusal(send(piece(0, 10, 1)).await), Refusal::StaleEpoch { epoch: 2 });
    assert_eq!(send(piece(10, 20, 2)).await.unwrap().next_sample, 20);
}

#[tokio::test]
async fn an_empty_session_ends_too() {
    let table = Table::default();
    let processor = Processor::new(table.clone(), None);
    let answer = processor.process(payload(0, &[], 1, 0, true), 0).await.unwrap();
    assert_eq!(answer, Answer { accepted: true, next_sample: 0, duplicate: false });
    assert!(table.items.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_old_sender_leaves_no_trace_in_the_recording() {
    let folder = folder("stale");
    let processor = Processor::new(Table::default(), Some(folder.clone()));
    let send = |value| processor.process(value, 0);
    send(piece(0, 10, 2)).await.unwrap();
    refusal(send(payload(10, &[-1; 10], 1, 0, false)).await);
    refusal(send(payload(20, &[-1; 10], 2, 0, false)).await);
    send(payload(15, &source()[15..20], 2, 5, false)).await.unwrap();
    let mut wanted = source()[..20].to_vec();
    wanted[10..15].fill(0);
    assert_eq!(recorded(&folder), wanted);
    std::fs::remove_dir_all(folder).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Pieces in any order, any number of times, with any epoch, with lost responses; then a sender
    /// that follows the processor's position. All samples are then accepted once.
    #[test]
    fn any_order_of_offers_gives_the_source_once(
        offers in proptest::collection::vec((0_usize..400, 1_usize..90, 1_u64..4), 0..60),
        lost in any::<u64>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let folder = folder("any");
            let table = Table { lost, ..Table::default() };
            let processor = Processor::new(table.clone(), Some(folder.clone()));
            let (mut accepted, mut last) = (Vec::new(), 0);
            let next = |table: &Table| {
                table.items.lock().unwrap().values().next().map_or(0, |at| at.next as usize)
            };
            for (start, length, epoch) in offers {
                let end = (start + length).min(400);
                let answer = processor.process(piece(start, end, epoch), 0).await;
                // What the table moved over is what was accepted, answered or not.
                let now = next(&table);
                assert!(now >= last, "the watermark went back");
                if now > last {
                    assert!(start <= last, "a hole was accepted");
                    accepted.extend_from_slice(&source()[last..now]);
                }
                match answer {
                    Ok(answer) => assert_eq!(answer.next_sample as usize, now),
                    Err(error) => assert!(now == last || error.error_type() == "StoreUnavailable"),
                }
                last = now;
            }
            let honest = Processor::new(
                Table { lost: 0, ..table.clone() }, Some(folder.clone()),
            );
            // A sender offers again what it has no answer for: here, everything.
            for start in (0..400).step_by(40) {
                honest.process(piece(start, start + 40, 9), 0).await.unwrap();
            }
            let end = next(&table);
            accepted.extend_from_slice(&source()[last..end]);
            assert_eq!(accepted, source());
            assert_eq!(recorded(&folder), source());
            std::fs::remove_dir_all(folder).unwrap();
        });
    }
}
