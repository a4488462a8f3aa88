//! The `local-cloud` command: `up` prints when it is ready and leaves nothing behind, `token`
//! prints a token of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_local-cloud");

struct Up {
    process: Child,
    url: String,
}

impl Drop for Up {
    fn drop(&mut self) {
        // The process has already exited in most tests.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Up {
    fn start() -> Self {
        Self::of(&mut up())
    }

    fn of(command: &mut Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("ready ").unwrap().to_owned();
        Self { process, url }
    }

    async fn invoke(&self) -> Value {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("{}/2015-03-31/functions/echo/invocations", self.url);
        http.post(url).json(&json!({})).send().await.unwrap().json().await.unwrap()
    }

    fn signal(&self, signal: &str) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }
}

/// `local-cloud up` on a template with one function.
fn up() -> Command {
    let mut command = Command::new(PROGRAM);
    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/template.yaml");
    command.args(["up", "--port", "0", "--template"]).arg(template);
    command.arg("--binaries").arg(examples());
    command
}

/// The folder of this crate's examples: beside the folder of the test's own binary.
fn examples() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().unwrap().parent().unwrap().join("examples")
}

fn is_there(pid: &Value) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

#[tokio::test]
async fn up_ends_in_order_at_sigterm_with_its_functions() {
    let mut up = Up::start();
    let answer = up.invoke().await;
    let audio = answer["environment"]["AUDIO_OUT_DIR"].as_str().unwrap().to_owned();
    assert!(Path::new(&audio).is_dir());
    up.signal("-TERM");
    assert!(up.process.wait().unwrap().success());
    assert!(!is_there(&answer["pid"]));
    assert!(!Path::new(&audio).exists(), "without --data nothing is left behind");
}

#[tokio::test]
async fn functions_end_by_themselves_when_the_cloud_is_killed() {
    let mut up = Up::start();
    let pid = up.invoke().await["pid"].clone();
    up.signal("-KILL");
    up.process.wait().unwrap();
    let started = Instant::now();
    while is_there(&pid) {
        assert!(started.elapsed() < Duration::from_secs(20), "process {pid} is still there");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[test]
fn token_prints_one_that_the_cloud_takes() {
    let up = Up::start();
    for url in [up.url.clone(), format!("{}/", up.url)] {
        let output =
            Command::new(PROGRAM).args(["token", "--sub", "ann", "--url", &url]).output().unwrap();
        assert!(output.status.success(), "{url}: {output:?}");
        let token = String::from_utf8(output.stdout).unwrap();
        assert_eq!(token.trim().split('.').count(), 3);
    }
}

#[test]
fn a_client_without_a_cloud_says_what_is_missing() {
    let output = Command::new(PROGRAM)
        .args(["token", "--sub", "ann", "--url", "http://127.0.0.1:9"])
        .output()
        .unwrap();
    assert!(!output.status.success());
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("is `local-cloud up` running there?"), "{message}");
}

/// Returns the entries left in a folder of temporary files after `up` failed to start with this
/// template.
fn left_behind_by(template: &str) -> Vec<PathBuf> {
    let folder = std::env::temp_dir().join(format!("failed-start-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("template.yaml");
    std::fs::write(&path, template).unwrap();
    let mut command = Command::new(PROGRAM);
    command.args(["up", "--port", "0", "--template"]).arg(&path).env("TMPDIR", &folder);
    assert!(!command.output().unwrap().status.success());
    std::fs::remove_file(&path).unwrap();
    let left = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    std::fs::remove_dir_all(&folder).unwrap();
    left
}

#[test]
fn a_start_that_fails_leaves_nothing_behind() {
    let unknown_type = "Resources: { Bucket: { Type: AWS::S3::Bucket } }";
    let unknown_bus = "Resources: { Rule: { Type: AWS::Events::Rule, Properties: { \
                       EventBusName: other, EventPattern: { source: [a] } } } }";
    for template in [unknown_type, unknown_bus] {
        assert_eq!(left_behind_by(template), Vec::<PathBuf>::new(), "{template}");
    }
}

#[test]
fn a_data_folder_is_one_clouds_until_its_process_ends() {
    let folder = std::env::temp_dir().join(format!("one-cloud-{}", uuid::Uuid::new_v4()));
    let mut first = Up::of(up().arg("--data").arg(&folder));
    let second = up().arg("--data").arg(&folder).output().unwrap();
    assert!(!second.status.success());
    let message = String::from_utf8(second.stderr).unwrap();
    let holder = format!("{} is in use by another local-cloud (process ", folder.display());
    assert!(message.contains(&format!("{holder}{})", first.process.id())), "{message}");
    // A crash leaves the file, but not its lock.
    first.signal("-KILL");
    first.process.wait().unwrap();
    let mut third = Up::of(up().arg("--data").arg(&folder));
    third.signal("-TERM");
    assert!(third.process.wait().unwrap().success());
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_wrong_template_is_named_with_its_place() {
    let path = std::env::temp_dir().join(format!("local-cloud-{}.yaml", std::process::id()));
    std::fs::write(&path, "Resources: { Bucket: { Type: AWS::S3::Bucket } }").unwrap();
    let output = Command::new(PROGRAM)
        .args(["up", "--port", "0", "--template"])
        .arg(&path)
        .output()
        .unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(!output.status.success());
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("Bucket: local-cloud does not know the type"), "{message}");
}
