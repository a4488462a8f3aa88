//! Guarantee: the canary succeeds exactly if a session is delivered whole and closes, says so in
//! its metrics, and leaves no session, channel or stream, also if it fails.

use std::time::{Duration, Instant};

use e2e::{Cloud, Options};
use serde_json::{Value, json};

/// How long the runs and the removal of what they leave may take.
const TIMEOUT: Duration = Duration::from_secs(180);
/// The samples of the sentence: 4 s at 16 kHz, less the pre-skip of the recording.
const SENTENCE: std::ops::RangeInclusive<u64> = 63_000..=64_000;

async fn cloud(parameters: &[&str], time_scale: u32) -> Cloud {
    let parameters = ["Canary=true"].iter().chain(parameters).map(|it| (*it).to_owned()).collect();
    Cloud::start(Options { time_scale, parameters, ..Options::default() }).await.unwrap()
}

/// Returns the metrics of the canary's sessions so far, in order.
fn metrics(cloud: &Cloud) -> Vec<Value> {
    let log = cloud.log("session-canary");
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| !line["CanarySuccess"].is_null()).collect()
}

/// Waits until a condition holds.
async fn until(what: &str, cloud: &Cloud, mut holds: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !holds().await {
        assert!(start.elapsed() < TIMEOUT, "{what}\n{}", cloud.log("session-canary"));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Runs the canary until its report is as `wanted`: on a busy machine a run may exceed a limit.
async fn run(cloud: &Cloud, wanted: impl Fn(&Value) -> bool) -> Value {
    let mut report = Value::Null;
    until("no such report", cloud, async || {
        report = cloud.invoke("session-canary", &json!({})).await.unwrap();
        wanted(&report)
    })
    .await;
    report
}

/// Waits until the channel and the stream of a session are removed.
async fn gone(cloud: &Cloud, id: &str) {
    let name = format!("session-{id}");
    until(&format!("{name} is left"), cloud, async || {
        !cloud.media_names().await.unwrap().contains(&name)
    })
    .await;
}

#[tokio::test]
async fn two_scheduled_runs_succeed_and_leave_nothing() {
    let cloud = cloud(&["CanarySchedule=rate(1 minute)", "StreamKeepMinutes=5"], 10).await;
    // On a busy machine a run may exceed a limit.
    let succeeded = || {
        let runs = metrics(&cloud).into_iter();
        runs.filter(|run| run["CanarySuccess"] == 1).collect::<Vec<_>>()
    };
    until("two runs succeed", &cloud, async || succeeded().len() >= 2).await;
    let runs = succeeded();
    for run in &runs {
        let times = ["Create", "FirstSample", "LastSample", "End"];
        let times = times.map(|it| run[format!("Canary{it}Millis")].as_u64());
        assert!(times.iter().all(Option::is_some), "{run}");
        assert!(times[1] <= times[2], "{run}");
        assert_eq!(run["Environment"], "dev");
        assert_eq!(run["_aws"]["CloudWatchMetrics"][0]["Namespace"], "SessionCanary");
        let id = run["sessionId"].as_str().unwrap();
        let item = cloud.item("Processed", id).await.unwrap().unwrap();
        let accepted = item["nextSample"]["N"].as_str().unwrap().parse::<u64>().unwrap();
        assert!(SENTENCE.contains(&accepted), "{accepted}");
    }
    for run in runs {
        gone(&cloud, run["sessionId"].as_str().unwrap()).await;
    }
}

#[tokio::test]
async fn a_processor_that_fails_is_reported_and_its_session_is_ended() {
    let cloud = cloud(&["StreamKeepMinutes=5"], 10).await;
    let failing = json!({
        "service": "lambda", "operation": "Invoke", "target": "audio-processor", "times": 100_000,
        "kind": "answer",
        "extra": { "functionError": "Unhandled", "answer": { "errorType": "E", "errorMessage": "no" } },
    });
    cloud.inject_fault(failing).await.unwrap();
    let report = run(&cloud, |report| report["failure"] == "speaking took longer than 60 s").await;
    let id = report["sessionId"].as_str().unwrap().to_owned();
    let runs = metrics(&cloud);
    let run = runs.iter().find(|run| run["sessionId"] == id.as_str()).unwrap();
    assert_eq!(run["CanarySuccess"], 0, "{run}");
    assert!(
        run["CanaryCreateMillis"].is_u64() && run["CanaryFirstSampleMillis"].is_null(),
        "{run}"
    );
    let session = cloud.item("Sessions", &id).await.unwrap().unwrap();
    assert_eq!(session["status"]["S"], "ended", "{session}");
    cloud.clear_faults().await.unwrap();
    gone(&cloud, &id).await;
}

#[tokio::test]
async fn with_a_processor_of_ones_own_the_checkpoint_is_checked() {
    // The function has no Processed table then.
    let template = e2e::template().unwrap();
    let branch = "PROCESSED_TABLE: !If [DeployReferenceProcessor, !Ref ProcessedTable, \"\"]";
    assert!(template.contains(branch));
    let parameters = vec!["Canary=true".to_owned()];
    let options = Options { parameters, ..Options::default() };
    let cloud = Cloud::start_on(options, &template.replace(branch, "PROCESSED_TABLE: \"\"")).await;
    let cloud = cloud.unwrap();
    let report = run(&cloud, |report| report["failure"].is_null()).await;
    assert!(report["lastSampleMillis"].is_u64(), "{report}");
}
