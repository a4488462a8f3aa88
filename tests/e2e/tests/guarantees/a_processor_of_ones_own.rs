//! Guarantee: `local-cloud run --processor` delivers every sample to an executable that speaks the
//! Lambda Runtime API: a script with a `#!` line, and the example on `lambda_runtime`. One that
//! only fails ends the run.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;

/// Accepts every payload, if it runs in its own folder with the environment of the reference.
const ACCEPTING: &str = r#"#!/usr/bin/env python3
import json, os, pathlib, urllib.request
assert os.environ["PROCESSED_TABLE"] == "Processed-dev"
assert pathlib.Path.cwd() == pathlib.Path(os.environ["LAMBDA_TASK_ROOT"]) == pathlib.Path(__file__).parent
api = "http://%s/2018-06-01/runtime/invocation/" % os.environ["AWS_LAMBDA_RUNTIME_API"]
while True:
    with urllib.request.urlopen(api + "next") as response:
        request, payload = response.headers["Lambda-Runtime-Aws-Request-Id"], json.load(response)
    end = payload["startSample"] + payload["sampleCount"]
    answer = {"accepted": True, "nextSample": end, "duplicate": False}
    urllib.request.urlopen(api + request + "/response", json.dumps(answer).encode()).read()
"#;

const FAILING: &str = "#!/bin/sh\necho 'no model found' >&2\nexit 3\n";

/// A folder with an executable `bootstrap`, removed at the end.
struct Script(PathBuf);

impl Script {
    fn new(name: &str, text: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        // /tmp may be a link, and the program gets the real path.
        let script = Self(folder.canonicalize().unwrap());
        std::fs::write(script.path(), text).unwrap();
        let executable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(script.path(), executable).unwrap();
        script
    }

    fn path(&self) -> PathBuf {
        self.0.join("bootstrap")
    }

    fn report(&self) -> PathBuf {
        self.0.join("report.json")
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs one session with this processor, its speech `speed` times as fast as real time, and the
/// cloud ten times.
async fn run(processor: &Path, speed: &str, report: &Path) -> Output {
    tokio::process::Command::new(e2e::binary("local-cloud").unwrap())
        .args(["run", "--speed", speed, "--time-scale", "10", "--processor"])
        .arg(processor)
        .arg("--report")
        .arg(report)
        .current_dir(e2e::root())
        .env_remove("LOCAL_CLOUD_URL")
        .kill_on_drop(true)
        .output()
        .await
        .unwrap()
}

fn assert_whole(output: &Output, report: &Path) {
    assert!(output.status.success(), "{output:?}");
    let report: Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    assert_eq!(report["samplesLost"], 0, "{report}");
    assert_eq!(report["samplesDuplicated"], 0, "{report}");
    assert!(report["samplesDelivered"].as_u64() > Some(16_000), "{report}");
}

#[tokio::test]
async fn a_script_gets_every_sample() {
    let script = Script::new("accepting", ACCEPTING);
    let output = run(&script.path(), "10", &script.report()).await;
    assert_whole(&output, &script.report());
    assert!(String::from_utf8_lossy(&output.stdout).contains("(profile: "), "{output:?}");
}

#[tokio::test]
async fn the_example_gets_every_sample() {
    // Its folder only holds the report.
    let folder = Script::new("levels", "");
    let output = run(&e2e::binary("examples/levels").unwrap(), "10", &folder.report()).await;
    assert_whole(&output, &folder.report());
}

#[tokio::test]
async fn a_processor_that_only_fails_ends_the_run_before_everything_is_spoken() {
    let script = Script::new("failing", FAILING);
    let output = run(&script.path(), "1", &script.report()).await;
    assert!(!output.status.success());
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(printed.contains("speaking ") && !printed.contains("spoken: "), "{printed}");
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    let last = message.lines().last().unwrap_or_default();
    assert!(last.contains("the processor accepted nothing"), "{message}");
    assert!(last.contains("logs are in target/local"), "{message}");
}
