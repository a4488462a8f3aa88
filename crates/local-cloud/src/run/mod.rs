//! `local-cloud run`: one session from POST to the drain, with a report of the delivered audio.
//!
//! All figures are measured outside of the functions: by the speaker (audio sent to the stream), by
//! the Kinesis Video fake (fragments sent to the consumer) and at the boundary of Lambda (payloads
//! and answers, [`local_aws::lambda::Deliveries`]), so that wrong counters of a function cannot
//! hide a loss.

mod client;
mod counted;
mod files;
mod open_session;
mod print;
mod report;
mod words;
mod writable;

pub use report::Report;

use std::path::{Path, PathBuf};
use std::pin::Pin;

use clap::builder::NonEmptyStringValueParser;
use producer::{Pace, Recording};
use tokio::time::Instant;

use crate::error::Error;
use crate::host::HostArgs;
use crate::up::missing_binaries;
use local_aws::{LocalAws, Options};

use client::{Client, Session};
use open_session::OpenSession;
use print::say;

/// The template that `up`, `run` and `permissions` read by default.
pub(crate) const TEMPLATE: &str = "infra/template.yaml";
/// The bundled recording.
pub(crate) const RECORDING: &str = "tests/testkit/assets/two-voices.mka";
/// The folder for the audio, and for the logs of a failed run.
const OUTPUT: &str = "target/local";
/// The build profile of this program, and so of the functions beside it.
const PROFILE: &str = if cfg!(debug_assertions) { "dev" } else { "release" };

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
    /// The template to run (not with --url) [default: infra/template.yaml].
    #[arg(long)]
    pub template: Option<PathBuf>,
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
    if args.host.has_no_process() {
        let reason = "--workers 0: nothing would run the session: give 1 or more";
        return Err(Error::Client(reason.to_owned()));
    }
    match url {
        Some(url) if args.template.is_some() => return Err(already_runs("--template", url)),
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
    let mut options = Options {
        template: Some(args.template.clone().unwrap_or_else(|| PathBuf::from(TEMPLATE))),
        time_scale: args.time_scale,
        recogniser: args.recogniser.clone(),
        ..Options::default()
    };
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
    tokio::pin!(ended);
    let (session, is_interrupted) = created(&client, ended.as_mut()).await?;
    say(&format!(
        "POST /sessions: {} is active after {} ms",
        session.id,
        before.elapsed().as_millis()
    ));
    let (client, session) = (&client, &session);
    let stopped = async || match is_own {
        true => Error::Client("interrupted: nothing is reported".into()),
        false => interrupted(client, session).await,
    };
    if is_interrupted {
        return Err(stopped().await);
    }
    let open = OpenSession { args, media, recording, url, client, session, time_scale };
    tokio::select! {
        outcome = open.reported() => outcome,
        () = ended => Err(stopped().await),
    }
}

/// Creates the session, and returns whether `ended` has resolved meanwhile. The creation is not
/// interrupted: the session could not be ended without its id.
async fn created(
    client: &Client,
    ended: Pin<&mut impl Future<Output = ()>>,
) -> Result<(Session, bool), Error> {
    let creation = client.create_session();
    tokio::pin!(creation);
    tokio::select! {
        session = &mut creation => return Ok((session?, false)),
        () = ended => {}
    }
    say("interrupted: ending the session once POST /sessions has answered (Ctrl-C again exits at \
         once, and may leave the session open)");
    Ok((creation.await?, true))
}

/// Ends the session of an interrupted run, and returns the error of that run.
async fn interrupted(client: &Client, session: &Session) -> Error {
    say(&format!("interrupted: ending {} (Ctrl-C again exits at once)", session.id));
    Error::Client(match client.end_session(&session.id).await {
        Ok(()) => format!("interrupted: {} is ended, nothing is reported", session.id),
        Err(error) => format!("interrupted: {} may still be active: {error}", session.id),
    })
}
