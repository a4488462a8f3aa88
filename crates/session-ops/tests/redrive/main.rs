//! Guarantee: a redrive delivers every letter, also if it is interrupted or killed, and delivering
//! all of them once more changes nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod letters;

use std::time::{Duration, Instant};

use e2e::{Cloud, Options, signal};
use letters::{Letter, Queue};
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader};

/// Sessions whose event was not delivered.
const SESSIONS: usize = 5;
/// Copies of each session's event, and failures to start it.
const EVENTS: usize = 6;
const FAILURES: usize = 6;
/// Chunks, each the first of another session.
const CHUNKS: usize = 940;
/// Maximum time for each step, also beside a busy compiler.
const STEP_TIMEOUT: Duration = Duration::from_secs(300);

/// A cloud whose sessions were not started, because their events are in the dead-letter queue.
async fn cloud_without_deliveries() -> Cloud {
    let parameters = vec!["ConsumerReservedConcurrency=20".to_owned()];
    let options = Options { time_scale: 10, parameters, ..Options::default() };
    let cloud = Cloud::start(options).await.unwrap();
    // It would start the sessions before the redrive does.
    let rule = json!({ "Name": "kvs-health-check-dev" });
    cloud.aws("events", "AWSEvents.DisableRule", rule).await.unwrap();
    let denied = json!({
        "service": "events", "operation": "Deliver", "times": SESSIONS, "status": 403,
        "code": "AccessDeniedException", "message": "no permission",
    });
    cloud.inject_fault(denied).await.unwrap();
    cloud
}

/// Returns the letters of both queues: 1,000 in the forms of EventBridge, Lambda and the consumer.
fn copies(undelivered: &[Letter]) -> (Vec<Letter>, Vec<Letter>) {
    let mut events = Vec::new();
    for letter in undelivered {
        events.extend(std::iter::repeat_n(letter.clone(), EVENTS));
        let session = letter.body["detail"]["sessionId"].as_str().unwrap();
        events.extend(std::iter::repeat_n(Letter::failure(session), FAILURES));
    }
    let chunks = (0..CHUNKS).map(|number| Letter::chunk(&chunk_session(number)));
    (events, chunks.collect())
}

fn chunk_session(number: usize) -> String {
    format!("calm-river-{}", number + 1)
}

/// Runs a redrive until it has worked on `letters` letters, sends it a signal, and returns its exit
/// code.
async fn interrupted(cloud: &Cloud, name: &str, letters: usize) -> Option<i32> {
    let mut redrive = cloud.session_ops(&["--json", "redrive"]).unwrap().spawn().unwrap();
    let mut lines = BufReader::new(redrive.stdout.take().unwrap()).lines();
    for _ in 0..letters {
        lines.next_line().await.unwrap().expect("more letters");
    }
    signal(name, &[u64::from(redrive.id().unwrap())]);
    while let Ok(Some(_)) = lines.next_line().await {}
    redrive.wait().await.unwrap().code()
}

/// Runs redrives until one leaves nothing, and returns how many letters were delivered.
async fn redriven(cloud: &Cloud, arguments: &[&str]) -> usize {
    let (began, mut delivered) = (Instant::now(), 0);
    loop {
        let arguments = [&["--json", "redrive"], arguments].concat();
        let output = cloud.session_ops(&arguments).unwrap().output().await.unwrap();
        let rows = String::from_utf8(output.stdout).unwrap();
        let is_done = |row: &&str| {
            let outcomes = ["\"outcome\":\"delivered\"", "\"outcome\":\"deleted: duplicate\""];
            outcomes.iter().any(|outcome| row.contains(outcome))
        };
        delivered += rows.lines().filter(is_done).count();
        match output.status.code() {
            Some(0) => return delivered,
            // The letters of a killed redrive are hidden for two minutes of the cloud's time.
            Some(1) if began.elapsed() < STEP_TIMEOUT => {}
            other => panic!("{other:?}: {rows}{}", String::from_utf8_lossy(&output.stderr)),
        }
    }
}

/// Waits until both queues are empty and no event is on its way. An event that the consumer cannot
/// handle, for example because a busy machine's table is late, is a letter again, and is redriven.
async fn emptied(cloud: &Cloud, events: &Queue<'_>, chunks: &Queue<'_>) {
    loop {
        only_runs_wait(cloud).await;
        assert_eq!(chunks.counts().await, (0, 0));
        if events.counts().await == (0, 0) {
            return;
        }
        redriven(cloud, &["--queue", "events"]).await;
    }
}

/// Waits until no invocation waits but those that carry the sessions.
async fn only_runs_wait(cloud: &Cloud) {
    let began = Instant::now();
    loop {
        let waiting = cloud.state().await.unwrap()["lambda"]["waitingEvents"].as_u64().unwrap();
        if waiting <= SESSIONS as u64 {
            return;
        }
        assert!(began.elapsed() < STEP_TIMEOUT, "{waiting} events wait");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Returns what the letters changed: each session's delivery, and each chunk's position. The epoch
/// of a delivery is left out, because it also grows by itself, with each hand-off.
async fn state(cloud: &Cloud, sessions: &[String]) -> Vec<String> {
    let mut state = Vec::new();
    for session in sessions {
        let item = cloud.item("Streams", session).await.unwrap().expect("a started session");
        state.push(format!("{session}: {} {}", item["desired"]["S"], item["status"]["S"]));
    }
    for number in 0..CHUNKS {
        let session = chunk_session(number);
        let item = cloud.item("Processed", &session).await.unwrap().expect("an accepted chunk");
        state.push(format!("{session}: {} {}", item["nextSample"], item["epoch"]));
    }
    state
}

#[tokio::test]
async fn a_thousand_letters_are_delivered_once_whatever_interrupts_it() {
    let cloud = cloud_without_deliveries().await;
    let events = Queue::named(&cloud, "session-events-dlq-dev").await;
    let chunks = Queue::named(&cloud, "chunk-dlq-dev").await;
    for number in 0..SESSIONS {
        cloud.open(&format!("speaker-{number}")).await.unwrap();
    }
    while events.counts().await != (SESSIONS as u64, 0) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let undelivered = events.look().await;
    assert_eq!(undelivered.len(), SESSIONS);
    let sessions: Vec<String> = undelivered
        .iter()
        .map(|letter| letter.body["detail"]["sessionId"].as_str().unwrap().to_owned())
        .collect();
    let (of_events, of_chunks) = copies(&undelivered);
    assert_eq!(of_events.len() + of_chunks.len(), 1_000);

    // The first letters stay, so that there are a few more than 1,000.
    events.send(&of_events).await;
    chunks.send(&of_chunks).await;
    assert_eq!(interrupted(&cloud, "INT", 40).await, Some(130));
    let (visible, hidden) = events.counts().await;
    assert_eq!(hidden, 0, "an interrupted redrive puts back what it has");
    assert!((1..=of_events.len() as u64 - 35).contains(&visible), "{visible} letters");
    assert_eq!(interrupted(&cloud, "KILL", 240).await, None);
    // The chunks that were accepted and not deleted when it was killed are duplicates.
    redriven(&cloud, &["--delete-duplicates"]).await;
    emptied(&cloud, &events, &chunks).await;
    let first = state(&cloud, &sessions).await;
    let runs = sessions.iter().map(|session| format!("{session}: \"RUN\" \"RUNNING\""));
    assert_eq!(first[..SESSIONS], runs.collect::<Vec<_>>());

    events.send(&of_events).await;
    chunks.send(&of_chunks).await;
    // The processor calls the chunks duplicates, and they are kept unless they need not be.
    let kept =
        cloud.session_ops(&["redrive", "--queue", "chunks"]).unwrap().output().await.unwrap();
    assert_eq!(kept.status.code(), Some(1));
    assert_eq!(chunks.counts().await, (CHUNKS as u64, 0));
    assert!(redriven(&cloud, &["--delete-duplicates"]).await >= 1_000);
    emptied(&cloud, &events, &chunks).await;
    assert_eq!(state(&cloud, &sessions).await, first);
}

#[tokio::test]
async fn what_is_not_selected_or_not_accepted_is_kept() {
    let cloud = Cloud::start(Options::default()).await.unwrap();
    let chunks = Queue::named(&cloud, "chunk-dlq-dev").await;
    let mut refused = Letter::chunk("calm-river-2");
    refused.body["payload"]["sampleRate"] = 8_000.into();
    let mut unknown = Letter::chunk("calm-river-3");
    unknown.body = json!({"hello": "calm-river-3"});
    chunks.send(&[Letter::chunk("calm-river-1"), refused, unknown]).await;
    let run = async |arguments: &[&str]| {
        let arguments = [&["redrive", "--queue", "chunks"], arguments].concat();
        let output = cloud.session_ops(&arguments).unwrap().output().await.unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), output.stderr)
    };
    let (code, shown, stderr) = run(&["--dry-run", "--aws-cli"]).await;
    assert_eq!(code, Some(1), "{shown}");
    assert!(shown.contains("too loud"), "{shown}");
    let commands = String::from_utf8(stderr).unwrap();
    assert!(commands.contains("lambda invoke --function-name audio-processor-dev"), "{commands}");
    // Running what a dry run prints deletes no letter: the function may refuse it.
    let deletes = |line: &str| line.contains("sqs delete-message");
    assert!(commands.lines().any(deletes), "{commands}");
    assert!(!commands.lines().any(|line| line.starts_with("aws ") && deletes(line)), "{commands}");
    let can_be_run = |line: &str| line.starts_with("aws ") || line.starts_with("# ");
    assert!(commands.lines().all(can_be_run), "a shell would run a note: {commands}");
    assert!(commands.contains("# chunks: "), "{commands}");
    assert_eq!(chunks.counts().await, (3, 0));

    let (code, shown, _) = run(&["--filter", "calm-river-1"]).await;
    assert_eq!((code, chunks.counts().await), (Some(0), (2, 0)), "{shown}");
    let (code, shown, _) = run(&["--to", "audio-processor-dev"]).await;
    assert_eq!((code, chunks.counts().await), (Some(1), (2, 0)), "{shown}");
    assert!(shown.contains("InvalidPayload") && shown.contains("neither an event"), "{shown}");
    let (code, shown, _) = run(&["--to", "no-such-function"]).await;
    assert_eq!(code, Some(1), "{shown}");
    assert!(shown.contains("ResourceNotFoundException"), "{shown}");
}

/// Runs a redrive, and returns its exit code, output and errors.
async fn redrive(cloud: &Cloud, arguments: &[&str]) -> (Option<i32>, String, String) {
    let arguments = [&["redrive"], arguments].concat();
    let output = cloud.session_ops(&arguments).unwrap().output().await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

async fn cloud_with_chunks(count: usize) -> Cloud {
    let cloud = Cloud::start(Options::default()).await.unwrap();
    let letters: Vec<_> = (0..count).map(|number| Letter::chunk(&chunk_session(number))).collect();
    Queue::named(&cloud, "chunk-dlq-dev").await.send(&letters).await;
    cloud
}

#[tokio::test]
async fn the_chunks_of_a_session_are_delivered_in_order() {
    let cloud = Cloud::start(Options::default()).await.unwrap();
    let chunks = Queue::named(&cloud, "chunk-dlq-dev").await;
    let first = Letter::chunk("calm-river-1");
    let count = first.body["sampleCount"].as_u64().unwrap();
    let letters = (0..25).rev().map(|number| {
        let mut letter = first.clone();
        for part in ["", "/payload"] {
            letter.body.pointer_mut(part).unwrap()["startSample"] = json!(number * count);
        }
        letter
    });
    chunks.send(&letters.collect::<Vec<_>>()).await;
    let (code, shown, errors) = redrive(&cloud, &["--queue", "chunks"]).await;
    assert_eq!(code, Some(0), "{shown}{errors}");
    let watermark = cloud.item("Processed", "calm-river-1").await.unwrap().unwrap();
    assert_eq!(watermark["nextSample"]["N"], (25 * count).to_string());
}

#[tokio::test]
async fn a_letter_is_discarded_by_its_message_id() {
    let cloud = cloud_with_chunks(2).await;
    let chunks = Queue::named(&cloud, "chunk-dlq-dev").await;
    let (_, shown, _) = redrive(&cloud, &["--json", "--queue", "chunks", "--dry-run"]).await;
    let row: serde_json::Value = serde_json::from_str(shown.lines().next().unwrap()).unwrap();
    let id = row["messageId"].as_str().unwrap();
    let discard = ["--queue", "chunks", "--filter", id, "--discard"];
    let (code, shown, total) = redrive(&cloud, &[&discard[..], &["--dry-run"]].concat()).await;
    assert!(code == Some(0) && shown.contains("to delete"), "{shown}{total}");
    assert_eq!(chunks.counts().await, (2, 0));
    let (code, _, total) = redrive(&cloud, &discard).await;
    assert!(code == Some(0) && total.contains("1 deleted without a delivery"), "{total}");
    assert_eq!(chunks.counts().await, (1, 0));
}

#[tokio::test]
async fn a_chunk_that_the_answer_does_not_accept_is_kept() {
    let cloud = cloud_with_chunks(1).await;
    for (answer, reason) in [
        (json!({"nextSample": 0}), "not accepted: nextSample 0 is before the chunk's end"),
        (json!({"accepted": false}), "accepted is false"),
    ] {
        let fault = json!({
            "service": "lambda", "operation": "Invoke", "target": "audio-processor",
            "kind": "answer", "extra": {"answer": answer},
        });
        cloud.inject_fault(fault).await.unwrap();
        let (code, rows, total) = redrive(&cloud, &["--queue", "chunks"]).await;
        assert!(code == Some(1) && rows.contains(reason), "{rows}{total}");
    }
    let (code, rows, total) = redrive(&cloud, &["--queue", "chunks"]).await;
    assert!(code == Some(0) && total.contains("1 delivered"), "{rows}{total}");
}

#[tokio::test]
async fn a_failed_deletion_does_not_stop_the_others() {
    let cloud = cloud_with_chunks(3).await;
    let denied = json!({
        "service": "sqs", "operation": "DeleteMessage", "status": 403,
        "code": "AccessDenied", "message": "no delete",
    });
    cloud.inject_fault(denied).await.unwrap();
    let (code, rows, total) = redrive(&cloud, &[]).await;
    assert_eq!(code, Some(1), "{rows}{total}");
    assert!(
        rows.contains("kept: delivered, not deleted: sqs delete-message: AccessDenied"),
        "{rows}"
    );
    assert!(total.contains("chunks: 2 delivered, 1 kept, 0 not selected, 0 not read"), "{total}");

    // It is a duplicate now, and is deleted as one only if that is asked for.
    let (_, rows, total) = redrive(&cloud, &["--queue", "chunks"]).await;
    assert!(
        rows.contains("kept: duplicate") && total.contains("0 delivered, 1 kept"),
        "{rows}{total}"
    );
    let (code, rows, total) = redrive(&cloud, &["--queue", "chunks", "--delete-duplicates"]).await;
    assert!(code == Some(0) && rows.contains("deleted: duplicate"), "{rows}");
    assert!(total.contains("0 delivered, 1 deleted without a delivery, 0 kept"), "{total}");
}

#[tokio::test]
async fn a_closed_pipe_stops_the_work_and_is_not_success() {
    let cloud = cloud_with_chunks(60).await;
    let mut redrive =
        cloud.session_ops(&["redrive", "--queue", "chunks"]).unwrap().spawn().unwrap();
    drop(redrive.stdout.take());
    let output = redrive.wait_with_output().await.unwrap();
    let total = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{total}");
    let (visible, hidden) = Queue::named(&cloud, "chunk-dlq-dev").await.counts().await;
    assert!(visible > 0 && hidden == 0, "{visible} {hidden}");
    assert!(total.contains(&format!("0 not selected, {visible} not read")), "{visible}: {total}");
}

#[tokio::test]
async fn ctrl_c_waits_for_what_has_begun_and_a_second_one_does_not() {
    let cloud = cloud_with_chunks(30).await;
    let chunks = Queue::named(&cloud, "chunk-dlq-dev").await;
    let slow = json!({
        "service": "lambda", "operation": "Invoke", "kind": "delay", "delayMs": 600_000, "times": 10,
    });
    cloud.inject_fault(slow).await.unwrap();
    let mut redrive =
        cloud.session_ops(&["redrive", "--queue", "chunks"]).unwrap().spawn().unwrap();
    while cloud.all_faults_triggered().await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut notes = BufReader::new(redrive.stderr.take().unwrap()).lines();
    let process = [u64::from(redrive.id().unwrap())];
    signal("INT", &process);
    let first = notes.next_line().await.unwrap().unwrap();
    assert!(first.contains("Ctrl-C again"), "{first}");
    signal("INT", &process);
    let second = notes.next_line().await.unwrap().unwrap();
    assert!(second.starts_with("chunks: interrupted"), "{second}");
    assert_eq!(redrive.wait().await.unwrap().code(), Some(130));
    let (visible, hidden) = chunks.counts().await;
    assert_eq!(visible + hidden, 30);
}

#[tokio::test]
async fn letters_of_another_reader_are_named_as_such() {
    let cloud = cloud_with_chunks(3).await;
    let chunks = Queue::named(&cloud, "chunk-dlq-dev").await;
    while chunks.counts().await != (0, 3) {
        chunks.receive(43_200).await;
    }
    let (code, _, notes) = redrive(&cloud, &["--queue", "chunks"]).await;
    assert_eq!(code, Some(1), "{notes}");
    let mut notes = notes.lines();
    assert!(notes.next().unwrap().starts_with("chunks: another reader"), "{notes:?}");
    let total = "chunks: 0 delivered, 0 kept, 0 not selected, 3 not read: another reader has them";
    assert!(notes.next().unwrap().starts_with(total), "{notes:?}");
}
