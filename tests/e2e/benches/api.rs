//! Measures the session API with the real handler on the local cloud, and writes the figures to
//! `target/bench/summary.json`.
//!
//! - Sequential round trips of a POST: each AWS call is delayed by one latency, then by a longer
//!   one. The difference of a POST's durations divided by the difference of the latencies is the
//!   number of sequential calls. Both times, the first look-ups of channel and stream take as long
//!   as KVS needs to create them, so that they find both ACTIVE; they count as one call. The event
//!   and its removal from the item follow the response and do not count.
//! - Computation of a POST: CPU time of the function's process until the response, and in total
//!   (Linux only); and the duration of a POST without its round trips, which includes computation
//!   of the local cloud.
//! - POST and GET: requests per second and duration of one request, eight at a time, with zero KVS
//!   latency.
//! - Time from the start of a function's process to its first call of the Runtime API for an
//!   invocation: its part of a cold start.
//!
//! Measures the handler that `make build` has built for this machine, which is the deployed one, or
//! else the release build.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use e2e::{Cloud, Options};
use reqwest::Method;
use serde_json::{Value, json};

const HANDLER: &str = "session-http-handler";

/// Time scale of the cloud: a channel is ACTIVE after 50 ms, and a function times out after 1.4 s.
const SCALE: u32 = 20;
/// Latencies of an AWS call, and of a look-up of a channel or stream that is being created, ms.
const LATENCIES: [u64; 2] = [5, 25];
const LOOKUP: u64 = 60;
const POSTS: usize = 60;
/// Together with the previous sessions, fewer than the mapped channels that an account may have.
const MANY_POSTS: usize = 80;
const GETS: usize = 4000;
const AT_ONCE: usize = 8;
const STARTS: usize = 30;

#[tokio::main]
async fn main() {
    // `cargo test --all-targets` runs benches too, with nothing to measure.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let cloud = start(SCALE, &[]).await;
    let short = posts(&cloud, LATENCIES[0]).await;
    let long = posts(&cloud, LATENCIES[1]).await;
    drop(cloud);
    let usual =
        |posts: &[Post]| median(&posts.iter().map(|post| post.answered).collect::<Vec<_>>());
    let longer_by = usual(&long).saturating_sub(usual(&short)).as_secs_f64() * 1000.0;
    let others = longer_by / (LATENCIES[1] - LATENCIES[0]) as f64;
    let trips = others + 1.0;
    let waited = Duration::from_millis(LOOKUP + LATENCIES[0] * others.round() as u64);
    let (opened, opened_per_second) = many_posts().await;
    let (gets, per_second) = gets().await;
    let starts = starts();
    println!("measured       {}", handler().display());
    println!("POST           {trips:.2} sequential round trips to AWS");
    let beside: Vec<_> = short.iter().map(|post| post.answered.saturating_sub(waited)).collect();
    let own: Vec<_> = short.iter().map(|post| post.own).collect();
    let own_in_all: Vec<_> = short.iter().map(|post| post.own_in_all).collect();
    println!("POST, its own  {} of computing until its answer", spread(&own));
    println!("               {} in all", spread(&own_in_all));
    println!(
        "POST, besides  {} without its round trips, the local cloud's computing in it",
        spread(&beside)
    );
    println!("POST           {opened_per_second:.0} a second, {}", spread(&opened));
    println!("GET            {per_second:.0} a second, {}", spread(&gets));
    println!("start          {} to the first call of the Runtime API", spread(&starts));
    testkit::figures::record(json!({
        "postSequentialRoundTrips": trips,
        "postOwnMillisP50": millis(median(&own)),
        "postOwnMillisP99": millis(percentile(&own, 99)),
        "postOwnInAllMillisP50": millis(median(&own_in_all)),
        "postOwnInAllMillisP99": millis(percentile(&own_in_all, 99)),
        "postBesidesTripsMillisP50": millis(median(&beside)),
        "postBesidesTripsMillisP99": millis(percentile(&beside, 99)),
        "postsPerSecond": opened_per_second,
        "postMillisP50": millis(median(&opened)),
        "postMillisP99": millis(percentile(&opened, 99)),
        "getsPerSecond": per_second,
        "getMillisP50": millis(median(&gets)),
        "getMillisP99": millis(percentile(&gets, 99)),
        "startToRuntimeApiMillisP50": millis(median(&starts)),
        "startToRuntimeApiMillisP99": millis(percentile(&starts, 99)),
    }));
    sizes();
}

/// One POST.
struct Post {
    /// Time until the response.
    answered: Duration,
    /// CPU time of the handler until the response.
    own: Duration,
    /// CPU time of the handler in total.
    own_in_all: Duration,
}

/// Sends POSTs one after the other while each AWS call of the handler takes `latency` ms.
async fn posts(cloud: &Cloud, latency: u64) -> Vec<Post> {
    let mut took = Vec::new();
    for post in 0..POSTS {
        // A new speaker each time, because a speaker has a session quota.
        let speaker = json!({ "sub": format!("speaker-{latency}-{post}") });
        let token = cloud.token(speaker).await.unwrap();
        for operation in ["DescribeSignalingChannel", "DescribeStream"] {
            let slow = json!({ "service": "kinesisvideo", "operation": operation, "kind": "delay", "delayMs": LOOKUP });
            inject(cloud, slow).await;
        }
        for service in ["dynamodb", "kinesisvideo", "events"] {
            inject(cloud, json!({ "service": service, "kind": "delay", "delayMs": latency })).await;
        }
        no_consumer(cloud).await;
        let (before, start) = (computed(cloud).await, Instant::now());
        let body = json!({ "sourceLanguage": "en" });
        let answer = cloud.api(Method::POST, "/sessions", Some(&token), Some(body)).await.unwrap();
        let answered = start.elapsed();
        let own = computed(cloud).await.saturating_sub(before);
        assert_eq!(answer.0, 201, "{}", answer.1);
        cloud.idle(HANDLER).await.unwrap();
        let own_in_all = computed(cloud).await.saturating_sub(before);
        took.push(Post { answered, own, own_in_all });
        cloud.clear_faults().await.unwrap();
        // An account has 100 mappings, so each is removed.
        let path = format!("/sessions/{}", answer.1["sessionId"].as_str().unwrap());
        let (status, _) = cloud.api(Method::DELETE, &path, Some(&token), None).await.unwrap();
        assert_eq!(status, 204);
        cloud.idle(HANDLER).await.unwrap();
    }
    // The first POST is a cold start.
    took.split_off(1)
}

/// Returns the CPU time of the handler's processes so far, from the scheduler's statistics of their
/// threads.
async fn computed(cloud: &Cloud) -> Duration {
    let mut nanos = 0;
    for process in cloud.processes(HANDLER).await.unwrap() {
        let threads =
            std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
        nanos += threads.map(|thread| on_cpu(&thread.path())).sum::<u64>();
    }
    Duration::from_nanos(nanos)
}

/// Returns the first number of `schedstat`: the running time of a thread, ns.
fn on_cpu(thread: &Path) -> u64 {
    let stat = std::fs::read_to_string(thread.join("schedstat")).unwrap_or_default();
    stat.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or_default()
}

/// Answers consumer invocations without running the consumer, which is not part of the API's cost.
async fn no_consumer(cloud: &Cloud) {
    let answers = json!({
        "service": "lambda", "operation": "Invoke", "target": "kvs-stream-consumer",
        "kind": "answer", "extra": { "answer": null },
    });
    inject(cloud, answers).await;
}

async fn inject(cloud: &Cloud, mut fault: Value) {
    fault["times"] = json!(100_000);
    cloud.inject_fault(fault).await.unwrap();
}

/// Returns the durations of POSTs, eight at a time, and the number of responses per second.
async fn many_posts() -> (Vec<Duration>, f64) {
    // Twice the time scale, because an account may change only ten mappings per second.
    let cloud = start(2 * SCALE, &["--kvs-change-ms", "0"]).await;
    no_consumer(&cloud).await;
    let cloud = &cloud;
    let post = |speaker: String| async move {
        let token = cloud.token(json!({ "sub": speaker })).await.unwrap();
        let body = json!({ "sourceLanguage": "en" });
        let start = Instant::now();
        let answer = cloud.api(Method::POST, "/sessions", Some(&token), Some(body)).await.unwrap();
        assert_eq!(answer.0, 201, "{}", answer.1);
        start.elapsed()
    };
    let row = |row: usize| async move {
        let mut took = Vec::new();
        for number in 0..MANY_POSTS / AT_ONCE {
            took.push(post(format!("speaker-{row}-{number}")).await);
        }
        took
    };
    futures_util::future::join_all((0..AT_ONCE).map(|row| post(format!("warm-{row}")))).await;
    cloud.idle(HANDLER).await.unwrap();
    let start = Instant::now();
    let rows = futures_util::future::join_all((0..AT_ONCE).map(row)).await;
    (rows.concat(), MANY_POSTS as f64 / start.elapsed().as_secs_f64())
}

/// Returns the durations of GETs, eight at a time, and the number of responses per second.
async fn gets() -> (Vec<Duration>, f64) {
    // In real time, so that a stall of this machine causes no timeout, and without throttling.
    let unthrottled = ["--parameter", "ViewsPerSecond=10000", "--parameter", "ViewBurst=5000"];
    let cloud = start(1, &unthrottled).await;
    let session = cloud.open("ana").await.unwrap();
    let (path, mut took) = (session.path(), Vec::new());
    let get = || async {
        let start = Instant::now();
        let (status, _) = cloud.api(Method::GET, &path, None, None).await.unwrap();
        assert_eq!(status, 200);
        start.elapsed()
    };
    let row = || async {
        let mut took = Vec::new();
        for _ in 0..GETS / AT_ONCE {
            took.push(get().await);
        }
        took
    };
    // Starts all processes before the measurement.
    futures_util::future::join_all((0..AT_ONCE).map(|_| get())).await;
    let start = Instant::now();
    for row in futures_util::future::join_all((0..AT_ONCE).map(|_| row())).await {
        took.extend(row);
    }
    (took, GETS as f64 / start.elapsed().as_secs_f64())
}

/// Returns the times from the handler's start to its first request for an invocation.
fn starts() -> Vec<Duration> {
    let start = || {
        let runtime_api = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = runtime_api.local_addr().unwrap().to_string();
        let begun = Instant::now();
        let mut handler = Command::new(handler())
            .env_clear()
            .envs([
                ("AWS_LAMBDA_RUNTIME_API", address.as_str()),
                ("AWS_LAMBDA_FUNCTION_NAME", HANDLER),
                ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
                ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
                ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
                ("AWS_LAMBDA_LOG_GROUP_NAME", "group"),
                ("AWS_LAMBDA_LOG_STREAM_NAME", "stream"),
                ("AWS_REGION", "us-east-1"),
                ("AWS_ACCESS_KEY_ID", "test"),
                ("AWS_SECRET_ACCESS_KEY", "test"),
                ("ENVIRONMENT", "dev"),
                ("SESSIONS_TABLE", "Sessions-dev"),
                ("STREAMS_TABLE", "Streams-dev"),
                ("CONNECTIONS_TABLE", "Connections-dev"),
            ])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        wait_for_next_invocation_request(&runtime_api);
        let took = begun.elapsed();
        handler.kill().unwrap();
        handler.wait().unwrap();
        took
    };
    (0..STARTS).map(|_| start()).collect()
}

/// Waits until the function requests its first invocation; its extension registers before.
fn wait_for_next_invocation_request(runtime_api: &TcpListener) {
    let registered = "HTTP/1.1 200 OK\r\nlambda-extension-identifier: 1\r\ncontent-length: 76\r\n\r\n\
        {\"functionName\":\"session\",\"functionVersion\":\"$LATEST\",\"handler\":\"bootstrap\"}";
    let mut open = Vec::new();
    loop {
        let (mut connection, _) = runtime_api.accept().unwrap();
        let mut request = [0; 1024];
        let length = connection.read(&mut request).unwrap();
        let request = String::from_utf8_lossy(&request[..length]).into_owned();
        match request.split(' ').nth(1) {
            Some("/2018-06-01/runtime/invocation/next") => return,
            Some("/2020-01-01/extension/register") => {
                connection.write_all(registered.as_bytes()).unwrap();
            }
            _ => {}
        }
        open.push(connection);
    }
}

/// Starts a cloud with the measured handler.
async fn start(time_scale: u32, more: &[&str]) -> Cloud {
    let functions = target().join("bench/functions");
    std::fs::create_dir_all(&functions).unwrap();
    let consumer = target().join("release/kvs-stream-consumer");
    let processor = target().join("release/audio-processor");
    for (name, binary) in
        [(HANDLER, handler()), ("kvs-stream-consumer", consumer), ("audio-processor", processor)]
    {
        let link = functions.join(name);
        let _ = std::fs::remove_file(&link); // It does not exist in the first run.
        std::os::unix::fs::symlink(binary, link).unwrap();
    }
    let mut arguments = vec!["--binaries".to_owned(), functions.to_str().unwrap().to_owned()];
    arguments.extend(more.iter().map(|&argument| argument.to_owned()));
    Cloud::start(Options { time_scale, arguments, ..Options::default() }).await.unwrap()
}

/// Returns the handler of `make build` for this machine, or else the release build.
fn handler() -> PathBuf {
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };
    let deployed = target().join("lambda").join(architecture).join(HANDLER).join("bootstrap");
    let runs_here = cfg!(target_os = "linux") && deployed.exists();
    if runs_here { deployed } else { target().join("release").join(HANDLER) }
}

fn target() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target").canonicalize().unwrap()
}

/// Prints the sizes of the functions that `make build` has built.
fn sizes() {
    for architecture in ["arm64", "x86_64"] {
        for function in [HANDLER, "kvs-stream-consumer", "audio-processor"] {
            let built = target().join("lambda").join(architecture).join(function);
            let size = |file| Some(std::fs::metadata(built.join(file)).ok()?.len() as f64 / 1e6);
            if let (Some(zip), Some(binary)) = (size("bootstrap.zip"), size("bootstrap")) {
                println!("{function:22} {architecture:6} {zip:.1} MB zipped, {binary:.1} MB");
            }
        }
    }
}

fn percentile(times: &[Duration], percent: usize) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

fn median(times: &[Duration]) -> Duration {
    percentile(times, 50)
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn spread(times: &[Duration]) -> String {
    let (usual, most) = (millis(median(times)), millis(percentile(times, 99)));
    format!("{usual:.2} ms (99th percentile {most:.2} ms)")
}
