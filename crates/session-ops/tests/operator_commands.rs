//! Guarantee: each subcommand shows or does what it says, on a running cloud, with its exit code.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::time::{Duration, Instant};

use e2e::{Cloud, Options, Session};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};

/// Runs a command; returns its exit code, its output and its errors.
async fn run(cloud: &Cloud, arguments: &[&str]) -> (i32, String, String) {
    let output = cloud.session_ops(arguments).unwrap().output().await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// Runs a command with `--json`, and returns its objects.
async fn objects(cloud: &Cloud, arguments: &[&str]) -> Vec<Value> {
    let (code, shown, errors) = run(cloud, &[&["--json"], arguments].concat()).await;
    assert_eq!(code, 0, "{errors}");
    shown.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn started(cloud: &Cloud) -> Session<'_> {
    let session = cloud.open("ana").await.unwrap();
    let running = |item: &Value| item["status"]["S"] == "RUNNING";
    session.streams_item("its run", Duration::from_secs(30), running).await.unwrap();
    session
}

#[tokio::test]
async fn a_session_is_listed_shown_logged_and_stopped() {
    let cloud = Cloud::start(Options::default()).await.unwrap();
    let session = started(&cloud).await;
    let id = session.id();

    for list in [["sessions", "list"], ["streams", "list"], ["streams", "top"]] {
        let found = objects(&cloud, &list).await;
        assert_eq!(found.len(), 1, "{list:?}: {found:?}");
        assert_eq!(found[0]["sessionId"], id, "{list:?}");
        let (_, table, _) = run(&cloud, &list).await;
        let (head, rows) = table.split_once('\n').unwrap();
        assert!(head.starts_with("SESSION") && rows.starts_with(id), "{table}");
    }
    assert_eq!(objects(&cloud, &["sessions", "list", "--status", "ACTIVE"]).await.len(), 1);
    assert_eq!(objects(&cloud, &["sessions", "list", "--status", "ended"]).await.len(), 0);
    let shown = &objects(&cloud, &["sessions", "show", id]).await[0];
    assert_eq!(
        (&shown["session"]["status"], &shown["stream"]["epoch"]),
        (&json!("active"), &json!(1))
    );
    let (_, facts, _) = run(&cloud, &["streams", "show", id]).await;
    let has_epoch = |line: &str| line.split_whitespace().eq(["epoch", "1"]);
    assert!(facts.lines().any(has_epoch), "{facts}");

    let lines = objects(&cloud, &["logs", id]).await;
    let functions: Vec<_> = lines.iter().map(|line| line["function"].as_str().unwrap()).collect();
    for function in ["session-http-handler-dev", "kvs-stream-consumer-dev"] {
        assert!(functions.contains(&function), "{functions:?}");
    }
    assert!(lines.iter().all(|line| line["sessionId"] == id));

    let (code, _, commands) = run(&cloud, &["stop", id, "--dry-run", "--aws-cli"]).await;
    assert!(code == 0 && commands.contains("lambda invoke"), "{commands}");
    assert_eq!(cloud.item("Streams", id).await.unwrap().unwrap()["desired"]["S"], "RUN");
    assert_eq!(run(&cloud, &["stop", id]).await.0, 0);
    session.drained(Duration::from_secs(60)).await.unwrap();
    let (code, shown, _) = run(&cloud, &["stop", id]).await;
    assert!(code == 0 && shown.contains("ended already"), "{shown}");
    assert_eq!(objects(&cloud, &["streams", "top"]).await.len(), 0);

    // The consumer's segment is sent when its invocation has ended.
    let parts = ["session-http-handler-dev AWS::Lambda", "kvs-stream-consumer-dev AWS::Lambda", id];
    let began = Instant::now();
    loop {
        let (code, trees, errors) = run(&cloud, &["trace", id]).await;
        assert_eq!(code, 0, "{errors}");
        if parts.iter().all(|part| trees.contains(part)) {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{trees}");
    }
    let traces = objects(&cloud, &["trace", id]).await;
    assert!(traces[0]["segments"].as_array().is_some_and(|it| it.len() > 2), "{traces:?}");
}

#[tokio::test]
async fn followed_logs_show_what_is_logged_later_and_each_line_once() {
    let cloud = Cloud::start(Options::default()).await.unwrap();
    let session = started(&cloud).await;
    let arguments = ["--json", "logs", session.id(), "--follow"];
    let mut follow = cloud.session_ops(&arguments).unwrap().spawn().unwrap();
    let mut lines = BufReader::new(follow.stdout.take().unwrap()).lines();
    let mut seen = vec![lines.next_line().await.unwrap().unwrap()];
    session.end().await.unwrap();
    while !seen.last().unwrap().contains("Stopping stream processing") {
        seen.push(lines.next_line().await.unwrap().expect("more lines"));
    }
    let count = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), count);
}

#[tokio::test]
async fn a_replay_and_the_health_check_start_a_session_that_missed_its_event() {
    let cloud = Cloud::start(Options::default()).await.unwrap();
    let lost = json!({"service": "events", "operation": "Deliver", "kind": "cut", "times": 1});
    for repair in [["replay", "--from", "1h", "--wait"].as_slice(), &["reconcile"]] {
        cloud.inject_fault(lost.clone()).await.unwrap();
        let session = cloud.open("ana").await.unwrap();
        cloud.idle("session-http-handler").await.unwrap();
        cloud.all_faults_triggered().await.unwrap();
        let (code, facts, hint) = run(&cloud, &["streams", "show", session.id()]).await;
        assert!(code == 0 && facts.contains("not started"), "{facts}{hint}");
        assert!(hint.contains("session-ops logs"), "{hint}");
        let began = Instant::now();
        loop {
            // The health check starts no session that was created only now.
            let (code, shown, errors) = run(&cloud, repair).await;
            assert_eq!(code, 0, "{shown}{errors}");
            let item = cloud.item("Streams", session.id()).await.unwrap().unwrap_or_default();
            if item["status"]["S"] == "RUNNING" {
                break;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "{repair:?}: {item}");
        }
    }
}

#[tokio::test]
async fn a_session_is_replayed_within_its_own_period() {
    let cloud = Cloud::start(Options { time_scale: 1, ..Options::default() }).await.unwrap();
    let session = started(&cloud).await;
    let replay = &objects(&cloud, &["replay", "--session", session.id(), "--dry-run"]).await[0];
    let item = cloud.item("Sessions", session.id()).await.unwrap().unwrap();
    assert!(replay["from"].as_str().unwrap() < replay["to"].as_str().unwrap(), "{replay}");
    let created: i64 = item["createdAt"]["N"].as_str().unwrap().parse().unwrap();
    let from = ["replay", "--session", session.id(), "--dry-run", "--to", "2020-01-01T00:00:00Z"];
    assert_eq!(run(&cloud, &from).await.0, 2, "created at {created}");
}

#[tokio::test]
async fn each_failure_has_its_exit_code() {
    let cloud = Cloud::start(Options::default()).await.unwrap();
    for (arguments, code, text) in [
        (["sessions", "show", "no-such-1"].as_slice(), 4, "no session no-such-1"),
        (&["stop", "no-such-1"], 4, "no session"),
        (&["streams", "show", "no-such-1"], 4, "no session"),
        (&["logs", "no-such-1"], 4, "no session"),
        (&["trace", "no-such-1"], 4, "no session"),
        (&["logs", "no-such-1", "--env", "prod"], 3, "ResourceNotFoundException"),
        (&["sessions", "list", "--status", "bogus"], 2, "[possible values: creating"),
        (&["streams", "top", "--watch", "0s"], 2, "the shortest is 1s"),
        (&["redrive", "--to", "audio-processor-dev"], 2, "--queue"),
        (&["redrive", "--queue", "events", "--to", "audio-processor-dev"], 2, "--queue chunks"),
        (&["--endpoint-url", "nonsense", "sessions", "list"], 2, "must begin with http"),
        (&["--endpoint-url", "http://a b", "sessions", "list"], 2, "must begin with http"),
        (&["--profile", "nope", "sessions", "list"], 2, "the profile nope is in neither file"),
        (&["redrive", "--queue", "chunks", "--discard"], 2, "--filter"),
        (&["sessions", "show", "../etc"], 2, "invalid value"),
        (&["replay"], 2, "--from"),
        (&["replay", "--from", "soon"], 2, "neither a time"),
        (&["--env", "none", "sessions", "list"], 3, "ResourceNotFoundException"),
        (&["--endpoint-url", "http://127.0.0.1:1", "streams", "list"], 3, "dynamodb scan"),
    ] {
        let (found, _, errors) = run(&cloud, arguments).await;
        assert_eq!(found, code, "{arguments:?}: {errors}");
        assert!(errors.contains(text), "{arguments:?}: {errors}");
    }
    // The page of the cloud is no answer of AWS.
    let page = format!("{}/_local/page", cloud.url());
    let (code, _, errors) = run(&cloud, &["--endpoint-url", &page, "sessions", "list"]).await;
    assert!(code == 3 && errors.contains("check --endpoint-url"), "{errors}");
}

#[tokio::test]
async fn an_environment_that_names_nothing_is_refused() {
    let cloud = Cloud::start(Options::default()).await.unwrap();
    for (name, value, text) in [
        ("AWS_PROFILE", "nope", "the profile nope is in neither file"),
        ("AWS_ENDPOINT_URL_SQS", "", "AWS_ENDPOINT_URL is empty"),
        ("SESSION_OPS_ENV", "", "a value is required for '--env <NAME>'"),
    ] {
        let mut command = cloud.session_ops(&["sessions", "list"]).unwrap();
        let output = command.env(name, value).output().await.unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && errors.contains(text), "{name}: {errors}");
    }
}

/// Completes the last word of a line as bash does.
fn completed(words: &[&str]) -> String {
    let script = r#"source <("$1" completion bash); shift
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
        _session__ops "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
        echo "${COMPREPLY[@]}""#;
    let program = e2e::binary("session-ops").unwrap();
    let output = std::process::Command::new("bash")
        .args(["-c", script, "bash", &program.display().to_string()])
        .args(words)
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn bash_completes_subcommands_and_their_options() {
    assert_eq!(completed(&["session-ops", "recon"]), "reconcile");
    assert_eq!(completed(&["session-ops", "streams", "to"]), "top");
    assert_eq!(completed(&["session-ops", "redrive", "--qu"]), "--queue");
    assert_eq!(completed(&["session-ops", "redrive", "--queue", "ev"]), "events");
}

#[tokio::test]
async fn a_profile_that_is_named_replaces_the_keys_of_the_environment() {
    // The function itself does not make this call: keep it out of the check of its permissions.
    let calls = std::env::temp_dir().join(format!("profile-calls-{}", std::process::id()));
    let arguments = vec!["--calls".to_owned(), calls.display().to_string()];
    let cloud = Cloud::start(Options { arguments, ..Options::default() }).await.unwrap();
    let file = cloud.scratch("credentials");
    let keys = "[consumer]\naws_access_key_id = ASIALOCALKvsStreamConsumerFunction\n\
                aws_secret_access_key = local\n";
    std::fs::write(&file, keys).unwrap();
    let list = ["sessions", "list", "--profile", "consumer"];
    let mut command = cloud.session_ops(&list).unwrap();
    let output = command.env("AWS_SHARED_CREDENTIALS_FILE", file).output().await.unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{errors}");
    assert!(errors.contains("AccessDenied"), "{errors}");
    drop(cloud);
    std::fs::remove_dir_all(calls).unwrap();
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_not_waited_for() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let output = tokio::process::Command::new(e2e::binary("session-ops").unwrap())
        .args(["--endpoint-url", &url, "--region", "us-east-1", "--timeout", "1s"])
        .args(["sessions", "list"])
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .output();
    let output = tokio::time::timeout(Duration::from_secs(60), output).await.unwrap().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{errors}");
    assert!(errors.contains("did not answer"), "{errors}");
}

#[tokio::test]
async fn an_interrupted_redrive_begins_no_further_queue() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let redrive = tokio::process::Command::new(e2e::binary("session-ops").unwrap())
        .args(["--endpoint-url", &url, "--region", "us-east-1", "--timeout", "2s", "redrive"])
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // It has made its first call, which is never answered.
    let _connection = silent.accept().await.unwrap();
    e2e::signal("INT", &[u64::from(redrive.id().unwrap())]);
    let output = redrive.wait_with_output();
    let output = tokio::time::timeout(Duration::from_secs(60), output).await.unwrap().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{errors}");
    assert!(errors.contains("events: ") && !errors.contains("chunks: "), "{errors}");
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_is_an_error() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut completion = std::process::Command::new(e2e::binary("session-ops").unwrap());
    let output = completion.args(["completion", "bash"]).stdout(full).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.starts_with("session-ops: cannot print"), "{errors}");
}
