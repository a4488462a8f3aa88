//! `local-cloud run`: one session from POST to the drain, with a report of the delivered audio.
//!
//! All figures are measured outside of the functions: by the speaker (audio sent to the stream), by
//! the Kinesis Video fake (fragments sent to the consumer) and at the boundary of Lambda (payloads
//! and answers, [`local_aws::lambda::Deliveries`]), so that wrong counters of a function cannot
//! hide a loss.

mod client;
mod counted;
mod report;
mod words;
mod writable;

pub use report::Report;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use producer::{Pace, Recording, Spoken};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::cli::{HostArgs, missing_binaries};
use crate::error::Error;
use crate::progress::{self, Progress, Step};
use local_aws::clock::real_now_us;
use local_aws::delivery_stats::DeliveryStats;
use local_aws::{LocalAws, Options};

use client::{Client, Session};
use counted::Counted;

/// The template that `up`, `run` and `permissions` read by default.
pub(crate) const TEMPLATE: &str = "infra/template.yaml";
/// The bundled recording.
pub(crate) const RECORDING: &str = "tests/testkit/assets/two-voices.mka";
/// The folder for the audio, and for the logs of a failed run.
const OUTPUT: &str = "target/local";
/// How often progress is checked, in real time.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// The build profile of this program, and so of the functions beside it.
const PROFILE: &str = if cfg!(debug_assertions) { "dev" } else { "release" };
/// The longest time without progress after DELETE. The consumer needs at most 25 s to detect that a
/// stream is drained; a killed one is replaced within 75 s (both on the scaled clock). The real
/// part covers a busy machine.
const QUIET_CLOUD: Duration = Duration::from_secs(100);
const QUIET_REAL: Duration = Duration::from_secs(30);
/// Failed deliveries without one success before them, after which no more are awaited.
const HOPELESS: u64 = 5;
/// What runs the sessions.
const HOSTS: [&str; 2] = ["kvs-stream-consumer", "stream-worker"];
const FUNCTIONS: [&str; 4] =
    ["session-http-handler", "kvs-stream-consumer", "stream-worker", "audio-processor"];

/// Arguments of `local-cloud run`.
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// An Opus .mkv, .mka or .webm file; default: the bundled recording.
    #[arg(long)]
    pub media: Option<PathBuf>,
    /// Speed and fragments.
    #[command(flatten)]
    pub pace: Pace,
    /// The file for the report, as JSON.
    #[arg(long)]
    pub report: Option<PathBuf>,
    /// Run the cloud this many times as fast as the real clock (not with --url).
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub time_scale: u32,
    /// What runs the sessions, as for `up` (not with --url).
    #[command(flatten)]
    pub host: HostArgs,
    /// Your own audio processor, as for `up` (not with --url).
    #[arg(long, value_name = "PATH|FUNCTION")]
    pub processor: Option<String>,
    /// The recogniser, as for `up` (not with --url). The run ends with the words.
    #[arg(long, value_name = "COMMAND", value_parser = NonEmptyStringValueParser::new())]
    pub recogniser: Option<String>,
}

/// Runs one session against the local cloud at `url`, or against one that it starts, and prints a
/// report.
///
/// # Errors
/// The run failed or was interrupted, or a sample is missing or was accepted twice.
pub async fn run(args: RunArgs, url: Option<&str>) -> Result<(), Error> {
    let media = args.media.clone().unwrap_or_else(|| PathBuf::from(RECORDING));
    let recording = crate::speaker::open(&media)?;
    writable::check(args.report.as_deref())?;
    match url {
        Some(url) if args.processor.is_some() => return Err(already_runs("--processor", url)),
        Some(url) if args.recogniser.is_some() => return Err(already_runs("--recogniser", url)),
        Some(url) if args.host.is_chosen() => return Err(already_runs("--consumer-host", url)),
        Some(url) if args.time_scale != 1 => return Err(already_runs("--time-scale", url)),
        Some(url) => crate::discovery::check(url).await?,
        None => {}
    }
    let ended = crate::signals::ended()?;
    let started = match url {
        Some(_) => None,
        None => Some(start(&args).await?),
    };
    let url = match (&started, url) {
        (Some(running), _) => running.url().to_owned(),
        (None, given) => given.unwrap_or_default().to_owned(),
    };
    let outcome = session(&args, &media, &recording, &url, ended, started.is_some()).await;
    if let Some(running) = started {
        running.shutdown().await;
    }
    outcome
}

/// Returns the error of an option of a new cloud beside the URL of one that already runs.
fn already_runs(option: &str, url: &str) -> Error {
    Error::Client(format!(
        "{option} applies to a cloud that this command starts, not to the one at {url}: give it to \
         `local-cloud up`, or unset LOCAL_CLOUD_URL"
    ))
}

async fn start(args: &RunArgs) -> Result<LocalAws, Error> {
    let (template, time_scale) = (Some(TEMPLATE.into()), args.time_scale);
    let recogniser = args.recogniser.clone();
    let mut options = Options { template, time_scale, recogniser, ..Options::default() };
    args.host.apply(&mut options);
    if let Some(processor) = &args.processor {
        crate::processor::choose(&mut options, processor)?;
    }
    say(&format!("starting the cloud (profile: {PROFILE})"));
    let running = local_aws::start(options).await?;
    let missing = missing_binaries(&running);
    if let Some((function, path)) = missing.first() {
        let reason = format!(
            "{function} cannot run: {} is not built. `make cloud` builds all functions",
            path.display()
        );
        running.shutdown().await;
        return Err(Error::Client(reason));
    }
    say(&format!("the cloud serves at {}", running.url()));
    Ok(running)
}

/// Opens a session and runs it. When `ended` resolves, nothing is reported, and the session is
/// ended, unless its cloud ends with this process (`is_own`).
async fn session(
    args: &RunArgs,
    media: &Path,
    recording: &Recording,
    url: &str,
    ended: impl Future<Output = ()>,
    is_own: bool,
) -> Result<(), Error> {
    let client = Client::connect(url).await?;
    let time_scale = client.time_scale().await?;
    let before = Instant::now();
    // Not interrupted: the session that it creates could not be ended without its id.
    let session = client.create_session().await?;
    say(&format!(
        "POST /sessions: {} is active after {} ms",
        session.id,
        before.elapsed().as_millis()
    ));
    tokio::select! {
        outcome = reported(args, media, recording, url, &client, &session, time_scale) => outcome,
        () = ended => Err(match is_own {
            true => Error::Client("interrupted: nothing is reported".into()),
            false => interrupted(&client, &session).await,
        }),
    }
}

/// Ends the session of an interrupted run, and returns the error of that run.
async fn interrupted(client: &Client, session: &Session) -> Error {
    say(&format!("interrupted: ending {} (Ctrl-C again exits at once)", session.id));
    Error::Client(match client.end_session(&session.id).await {
        Ok(()) => format!("interrupted: {} is ended, nothing is reported", session.id),
        Err(error) => format!("interrupted: {} may still be active: {error}", session.id),
    })
}

/// Speaks into an open session, ends it and writes its report, also when samples are missing.
async fn reported(
    args: &RunArgs,
    media: &Path,
    recording: &Recording,
    url: &str,
    client: &Client,
    session: &Session,
    time_scale: f64,
) -> Result<(), Error> {
    let spoken = speak(args, media, recording, url, client, session).await;
    if let Err(error) = spoken {
        // The recording is incomplete, so the session is ended.
        client.end_session(&session.id).await?;
        keep_logs(client).await?;
        return Err(error);
    }
    client.end_session(&session.id).await?;
    let deleted_us = real_now_us();
    say(&format!("DELETE /sessions/{}: ended; waiting for the drain", session.id));
    let stats = drained(client, session, recording.samples_16k(), time_scale).await?;
    let mut report = Report::new(
        &stats,
        recording.samples_16k(),
        deleted_us,
        media.to_owned(),
        args.pace,
        time_scale,
    );
    report.writes_wav = client.writes_wav().await?;
    report.words = words::recognised(client, &stats).await?;
    keep_audio(client, &mut report).await?;
    let mut logs = String::new();
    for host in HOSTS {
        let log = client.file(&format!("/_local/logs/{host}")).await?.unwrap_or_default();
        logs += &String::from_utf8_lossy(&log);
    }
    report.counted = Counted::of(&session.id, &logs);
    if let Some(path) = &args.report {
        write_report(path, &report)?;
    }
    print(&report);
    keep_logs(client).await?;
    if args.processor.is_some() {
        say(&format!("the log of the processor is in {OUTPUT}"));
    }
    let faults = report.faults();
    if faults.is_empty() {
        return Ok(());
    }
    Err(Error::Client(format!(
        "session {}: {}. The functions' logs are in {OUTPUT}",
        session.id,
        faults.join("; ")
    )))
}

/// Sends the recording and prints the progress of its delivery.
async fn speak(
    args: &RunArgs,
    media: &Path,
    recording: &Recording,
    url: &str,
    client: &Client,
    session: &Session,
) -> Result<(), Error> {
    say(&format!(
        "speaking {} ({:.1} s, {} packets) at {}x, in fragments of {} ms, into {}",
        media.display(),
        recording.duration_ms() as f64 / 1000.0,
        recording.packets.len(),
        args.pace.speed,
        args.pace.fragment_ms,
        session.stream
    ));
    let producer = crate::speaker::producer(url, session.stream.clone(), args.pace);
    let (progress, spoken) = watch::channel(Spoken::default());
    let speaking = producer.speak(recording, &progress, |_| {});
    let step = async || {
        // A cloud that does not answer fails the speaker too.
        let stats = client.stats(&session.id).await.unwrap_or_default();
        let delivered = format!("delivered {:.1} s", seconds(stats.samples_delivered));
        let notes = [delivered, failures(&stats)];
        let note = notes.join(", ").trim_end_matches(", ").to_owned();
        crate::speaker::step(&spoken.borrow(), recording, note)
    };
    let spoken = progress::during(speaking, step).await?;
    say(&format!(
        "spoken: {} packets, {} samples, {} fragments persisted, {} reconnects",
        spoken.packets,
        recording.samples_16k(),
        spoken.persisted,
        spoken.reconnects
    ));
    Ok(())
}

/// Returns the failures as a note on the progress; empty without one.
fn failures(stats: &DeliveryStats) -> String {
    match stats.failed_deliveries {
        0 => String::new(),
        1 => "1 delivery failed".to_owned(),
        failed => format!("{failed} deliveries failed"),
    }
}

/// Waits until the final chunk is accepted, until no new sample was accepted for too long, or until
/// the processor has failed often and has accepted nothing.
async fn drained(
    client: &Client,
    session: &Session,
    expected: u64,
    time_scale: f64,
) -> Result<DeliveryStats, Error> {
    let patience = QUIET_REAL + QUIET_CLOUD.div_f64(time_scale.max(1.0));
    let mut last = client.stats(&session.id).await?;
    let (mut moved, mut progress) = (Instant::now(), Progress::new());
    while last.final_accepted_us.is_none() && moved.elapsed() < patience {
        tokio::time::sleep(LOOK_EVERY).await;
        let now = client.stats(&session.id).await?;
        if now.samples_delivered > last.samples_delivered {
            moved = Instant::now();
        }
        last = now;
        let (done_s, total_s) = (seconds(last.samples_delivered), seconds(expected));
        progress.show(&Step { name: "delivering", done_s, total_s, note: failures(&last) });
        if last.chunks == 0 && last.failed_deliveries >= HOPELESS {
            break;
        }
    }
    Ok(last)
}

/// Copies the processor's audio, because the cloud's folder may be temporary.
async fn keep_audio(client: &Client, report: &mut Report) -> Result<(), Error> {
    let path = format!("/_local/audio/{}.wav", report.session_id);
    let Some(wav) = client.file(&path).await? else { return Ok(()) };
    let file = Path::new(OUTPUT).join(format!("{}.wav", report.session_id));
    write(&file, &wav)?;
    report.wav_samples = report::wav_samples(&wav);
    report.wav = Some(file);
    Ok(())
}

async fn keep_logs(client: &Client) -> Result<(), Error> {
    for function in FUNCTIONS {
        if let Some(log) = client.file(&format!("/_local/logs/{function}")).await? {
            write(&Path::new(OUTPUT).join(format!("{function}.log")), &log)?;
        }
    }
    Ok(())
}

fn write_report(path: &Path, report: &Report) -> Result<(), Error> {
    let text = serde_json::to_string_pretty(report)
        .map_err(|error| Error::Client(format!("the report cannot be written: {error}")))?;
    write(path, format!("{text}\n").as_bytes())
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(Error::io(folder.display().to_string()))?;
    }
    std::fs::write(path, bytes).map_err(Error::io(path.display().to_string()))
}

fn print(report: &Report) {
    let stop = report.stop_ms.map_or("never".to_owned(), |ms| format!("{ms} ms after DELETE"));
    let wav = report.wav.as_deref().map_or("none".to_owned(), |wav| wav.display().to_string());
    say(&format!(
        "expected    {} samples ({:.1} s)",
        report.samples_expected,
        seconds(report.samples_expected)
    ));
    say(&format!("delivered   {} in {} chunks", report.samples_delivered, report.chunks));
    say(&format!("lost        {}", report.samples_lost));
    say(&format!(
        "duplicated  {} (offered twice: {})",
        report.samples_duplicated, report.offered_twice
    ));
    let counted = report.counted;
    say(&format!(
        "filled      {} (skipped: {}, sent again: {}, refused: {}, unavailable: {})",
        report.filled_samples,
        counted.skipped_samples,
        counted.repeated_samples,
        counted.refused_samples,
        counted.unavailable_samples
    ));
    say(&format!(
        "latency     {:.1} ms p50, {:.1} ms p99 (last sample arrived to invocation received)",
        report.delivery_latency_ms.p50, report.delivery_latency_ms.p99
    ));
    say(&format!("fragments   of {:.1} s", report.fragment_ms as f64 / 1000.0));
    say(&format!("closed      {stop}"));
    say(&format!("audio       {wav}"));
    words::lines(&report.words).iter().for_each(|line| say(line));
}

fn seconds(samples: u64) -> f64 {
    samples as f64 / 16_000.0
}

/// Prints one line of progress to stdout. Ignores a closed stdout, because the run must still end
/// its session.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
