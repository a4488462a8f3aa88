//! Recognisers that are shell scripts: what they get, and what happens when they fail.

use std::path::{Path, PathBuf};
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::lambda::Outcome;

/// Prints the number of bytes that it has got, as one line of that duration.
const COUNTING: &str =
    r#"n=$(wc -c); echo "{\"startMs\": 0, \"endMs\": $((n / 32)), \"text\": \"$n bytes\"}""#;
const SECOND: u64 = 16_000;

fn recogniser(script: &str, limits: Limits) -> Recogniser {
    assert!(!script.contains('\''), "it is quoted");
    Recogniser::limited(&format!("sh -c '{script}'"), limits, CancellationToken::new())
}

/// Takes one second of accepted audio, which begins at this second of the session.
fn take(recogniser: &Recogniser, session_id: &str, second: u64, is_final: bool) {
    let delivery = Delivery {
        start_sample: second * SECOND,
        sample_count: SECOND,
        filled_samples: 0,
        chunk_count: 1,
        producer_ms: 1_700_000_000_000 + i64::try_from(second).unwrap() * 1_000,
        is_final,
        trace: String::new(),
        received_us: 0,
        answered_us: 0,
        outcome: Outcome::Accepted { next_sample: None },
    };
    let audio = STANDARD.encode(vec![1; 2 * SECOND as usize]);
    let payload = serde_json::json!({"audioData": audio}).to_string();
    recogniser.take(session_id, &delivery, &Bytes::from(payload));
}

/// Polls until there is a value; panics with the last error after 20 seconds.
async fn polled<T>(value: impl Fn() -> Result<T, String>) -> T {
    let started = Instant::now();
    loop {
        match value() {
            Ok(value) => return value,
            Err(error) => assert!(started.elapsed() < Duration::from_secs(20), "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Polls until the words are so.
async fn until(recogniser: &Recogniser, session_id: &str, so: impl Fn(&Words) -> bool) -> Words {
    polled(|| {
        let words = recogniser.words(session_id);
        if so(&words) { Ok(words) } else { Err(format!("{words:?}")) }
    })
    .await
}

async fn failure_of(script: &str, limits: Limits) -> String {
    let recogniser = recogniser(script, limits);
    take(&recogniser, "a", 0, true);
    let words = until(&recogniser, "a", |words| words.state == State::Failed).await;
    words.reason.unwrap()
}

#[tokio::test]
async fn it_gets_each_sample_once_and_a_gap_as_silence() {
    let recogniser = recogniser(COUNTING, LIMITS);
    for second in [0, 1, 1, 0] {
        take(&recogniser, "a", second, false);
    }
    assert_eq!(recogniser.words("a").state, State::Running);
    take(&recogniser, "a", 100, true);
    let words = until(&recogniser, "a", |words| words.state == State::Ended).await;
    let line = Line {
        number: 0,
        start_ms: 0,
        end_ms: 101_000,
        spoken_at: 1_700_000_000_000,
        // Two seconds, the longest silence, and one second.
        text: "160000 bytes".to_owned(),
        is_final: true,
    };
    let expected = Words { state: State::Ended, lines: vec![line], ..Words::default() };
    assert_eq!(words, expected);
}

#[tokio::test]
async fn a_line_is_there_while_the_audio_flows() {
    let script = r#"head -c 32000 >/dev/null; echo "{\"startMs\": 500, \"endMs\": 900, \
                    \"text\": \"$(nice)\", \"isFinal\": false}"; cat >/dev/null"#;
    let recogniser = recogniser(script, LIMITS);
    take(&recogniser, "a", 3, false);
    let words = until(&recogniser, "a", |words| !words.lines.is_empty()).await;
    let line = &words.lines[0];
    assert_eq!((line.start_ms, line.end_ms), (3_500, 3_900));
    assert_eq!((line.spoken_at, line.is_final), (1_700_000_003_500, false));
    // 19 is the lowest priority.
    let own = std::process::Command::new("nice").output().unwrap().stdout;
    let own: i8 = String::from_utf8(own).unwrap().trim().parse().unwrap();
    assert_eq!(line.text, (own + 10).min(19).to_string(), "its CPU priority is low");
    take(&recogniser, "a", 4, true);
    let words = until(&recogniser, "a", |words| words.state == State::Ended).await;
    assert!(words.lines[0].is_final);
}

#[tokio::test]
async fn a_recogniser_that_crashes_fails_with_its_last_line_and_gets_no_further_audio() {
    let recogniser = recogniser("echo first >&2; echo no model >&2; exit 3", LIMITS);
    take(&recogniser, "a", 0, false);
    let words = until(&recogniser, "a", |words| words.state == State::Failed).await;
    assert_eq!(words.reason.as_deref(), Some("it ended with exit status: 3: no model"));
    take(&recogniser, "a", 1, true);
    let words = recogniser.words("a");
    assert_eq!((words.state, words.missed_ms), (State::Failed, 1_000));
    // Another session is another try.
    take(&recogniser, "b", 0, true);
    assert_eq!(recogniser.words("b").state, State::Running);
}

#[tokio::test]
async fn a_recogniser_that_ends_before_its_input_has_failed() {
    let recogniser = recogniser("echo too much >&2", LIMITS);
    take(&recogniser, "a", 0, false);
    let words = until(&recogniser, "a", |words| words.state == State::Failed).await;
    assert_eq!(words.reason.as_deref(), Some("it ended before its input: too much"));
}

#[tokio::test]
async fn what_is_no_recogniser_fails_with_its_reason() {
    let garbage = failure_of("echo loading the model; cat", LIMITS).await;
    assert!(garbage.starts_with("it printed \"loading the model\""), "{garbage}");
    let endless = failure_of("cat /dev/zero", LIMITS).await;
    assert!(endless.contains("a line of more than 16384 bytes"), "{endless}");
    let missing = Recogniser::new("/no/such/recogniser", CancellationToken::new());
    take(&missing, "a", 0, true);
    let words = until(&missing, "a", |words| words.state == State::Failed).await;
    let reason = words.reason.unwrap();
    assert!(reason.contains("127") && reason.contains("/no/such/recogniser"), "{reason}");
}

/// A script that writes its process id to the returned path and hangs.
fn hanging() -> (PathBuf, String) {
    let path = std::env::temp_dir().join(format!("recogniser-{}", uuid::Uuid::new_v4()));
    let script = format!("echo $$ >{}; exec sleep 600", path.display());
    (path, script)
}

/// Waits until the process has written its id, and returns it.
async fn started(path: &Path) -> String {
    polled(|| {
        let id = std::fs::read_to_string(path).unwrap_or_default();
        id.strip_suffix('\n').map(str::to_owned).ok_or_else(|| "it has not started".to_owned())
    })
    .await
}

/// Waits until the process has ended.
async fn ended(path: &Path) {
    let id = started(path).await;
    polled(|| {
        let probe =
            std::process::Command::new("sh").args(["-c", &format!("kill -0 {id}")]).output();
        let exists = probe.unwrap().status.success();
        if exists { Err(format!("process {id} exists")) } else { Ok(()) }
    })
    .await;
    std::fs::remove_file(path).unwrap();
}

/// Waits until a process that was killed has ended. On a busy machine it was killed before it had
/// written its id, and perhaps after it had created the file.
async fn killed(path: &Path) {
    if std::fs::read_to_string(path).is_ok_and(|id| id.ends_with('\n')) {
        ended(path).await;
    } else {
        let _ = std::fs::remove_file(path);
    }
}

#[tokio::test]
async fn a_recogniser_that_hangs_is_killed_and_the_audio_does_not_wait_for_it() {
    let (path, script) = hanging();
    let limits = Limits { queue: 1, stall: Duration::from_millis(50), ..LIMITS };
    let recogniser = recogniser(&script, limits);
    for second in 0..20 {
        take(&recogniser, "a", second, second == 19);
        tokio::task::yield_now().await;
    }
    assert!(recogniser.words("a").missed_ms >= 10_000, "{:?}", recogniser.words("a"));
    until(&recogniser, "a", |words| words.state == State::Failed).await;
    killed(&path).await;
}

#[tokio::test]
async fn a_recogniser_that_does_not_end_is_killed() {
    let (path, script) = hanging();
    let limits = Limits { stall: Duration::from_millis(500), ..LIMITS };
    let reason = failure_of(&script, limits).await;
    assert_eq!(reason, "it did not end after its input within 0.5 s");
    killed(&path).await;
}

#[tokio::test]
async fn no_process_is_left_after_the_end_of_the_cloud() {
    let (path, script) = hanging();
    let stop = CancellationToken::new();
    let recogniser = Recogniser::limited(&format!("sh -c '{script}'"), LIMITS, stop.clone());
    take(&recogniser, "a", 0, false);
    started(&path).await;
    stop.cancel();
    recogniser.ended().await;
    ended(&path).await;
}

#[tokio::test]
async fn four_sessions_are_recognised_and_the_others_fail_with_a_reason() {
    let recogniser = recogniser(COUNTING, LIMITS);
    let ids = ["a", "b", "c", "d", "e"];
    ids.iter().for_each(|id| take(&recogniser, id, 0, false));
    let states = ids.map(|id| recogniser.words(id).state);
    assert_eq!(states[..4], [State::Running; 4]);
    let refused = recogniser.words("e");
    assert_eq!((refused.state, refused.missed_ms), (State::Failed, 1_000));
    assert_eq!(refused.reason.as_deref(), Some("4 sessions are already being recognised"));
    take(&recogniser, "a", 1, true);
    until(&recogniser, "a", |words| words.state == State::Ended).await;
    take(&recogniser, "e", 1, true);
    let words = until(&recogniser, "e", |words| words.state == State::Ended).await;
    assert_eq!((words.lines[0].text.as_str(), words.lines[0].start_ms), ("32000 bytes", 1_000));
}

#[tokio::test]
async fn after_a_pause_another_process_goes_on() {
    let recogniser = recogniser(COUNTING, Limits { idle: Duration::from_millis(20), ..LIMITS });
    take(&recogniser, "a", 0, false);
    until(&recogniser, "a", |words| words.lines.len() == 1).await;
    take(&recogniser, "a", 600, true);
    let words = until(&recogniser, "a", |words| words.state == State::Ended).await;
    let places: Vec<_> = words.lines.iter().map(|line| (line.start_ms, line.end_ms)).collect();
    assert_eq!(places, [(0, 1_000), (600_000, 601_000)]);
}
