//! Guarantee: Ctrl-C in `local-cloud run` against a running cloud ends the session of the run, and
//! a second one exits at once.

use std::time::{Duration, Instant};

use e2e::{Cloud, Options, signal};
use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout};
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_secs(30);

type Output = Lines<BufReader<ChildStdout>>;

/// Waits for a line of a run that contains `text`, and returns it.
async fn line(output: &mut Output, text: &str) -> String {
    let found = async {
        while let Some(line) = output.next_line().await.unwrap() {
            if line.contains(text) {
                return line;
            }
        }
        panic!("the run ended before it printed {text:?}")
    };
    timeout(LIMIT, found).await.unwrap()
}

/// Starts a run and waits until its session is active. Returns the run, its output and the id.
async fn speaking(cloud: &Cloud) -> (Child, Output, String) {
    let mut run = cloud.run().unwrap();
    let mut output = BufReader::new(run.stdout.take().unwrap()).lines();
    let active = line(&mut output, "is active after").await;
    let id = active.strip_prefix("POST /sessions: ").unwrap().split(' ').next().unwrap().to_owned();
    (run, output, id)
}

fn interrupt(run: &Child) {
    signal("INT", &[run.id().unwrap().into()]);
}

#[tokio::test]
async fn one_interrupt_ends_the_session() {
    let cloud = Cloud::start(Options::default()).await.unwrap();
    let (mut run, mut output, id) = speaking(&cloud).await;
    line(&mut output, "speaking ").await;
    interrupt(&run);
    line(&mut output, "interrupted: ending").await;
    assert_eq!(timeout(LIMIT, run.wait()).await.unwrap().unwrap().code(), Some(1));
    let mut error = String::new();
    run.stderr.take().unwrap().read_to_string(&mut error).await.unwrap();
    assert_eq!(error, format!("local-cloud: interrupted: {id} is ended, nothing is reported\n"));
    let (_, session) =
        cloud.api(Method::GET, &format!("/sessions/{id}"), None, None).await.unwrap();
    assert_eq!(session["status"], "ended");
}

#[tokio::test]
async fn a_second_interrupt_exits_at_once() {
    let cloud = Cloud::start(Options::default()).await.unwrap();
    let slow = json!({"service": "execute-api", "operation": "DELETE /sessions/{sessionId}",
                      "kind": "delay", "delayMs": 120_000});
    cloud.inject_fault(slow).await.unwrap();
    let (mut run, mut output, _) = speaking(&cloud).await;
    interrupt(&run);
    line(&mut output, "interrupted: ending").await;
    // One that follows within 100 ms is not a second one.
    let begun = Instant::now();
    let code = loop {
        let waited = timeout(Duration::from_millis(50), run.wait()).await;
        if let Ok(status) = waited {
            break status.unwrap().code();
        }
        assert!(begun.elapsed() < LIMIT, "the run goes on");
        interrupt(&run);
    };
    assert_eq!(code, Some(130));
}
