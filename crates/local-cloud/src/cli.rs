//! The command line: `up` runs the cloud; `token`, `speak`, `run`, `sessions`, `logs` and `events`
//! are its clients, `permissions` reads the template only.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Parser, Subcommand};
use serde_json::{Value, json};

use crate::discovery::base_url;
use crate::error::Error;
use crate::inspect::{
    events::EventsArgs, logs::LogsArgs, print, sessions::SessionsArgs, until_closed,
};
use crate::run::{RunArgs, TEMPLATE};
use crate::speaker::SpeakArgs;
use local_aws::{INGESTION_FRAGMENT_RANGE_MS, LocalAws, Options};

/// The URL at which `up` serves by default.
const DEFAULT_URL: &str = "http://127.0.0.1:7878";

/// The folder of the speaker's page, which `make speaker` builds.
const SPEAKER_PAGE: &str = "examples/speaker/dist";

/// The whole system on one machine, driven by the template that deploys it.
#[derive(Debug, Parser)]
#[command(name = "local-cloud", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    /// The URL of a running local cloud. Default: that of the variable LOCAL_CLOUD_URL, otherwise
    /// http://127.0.0.1:7878; `run` starts its own.
    #[arg(long, global = true, value_parser = base_url)]
    url: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the local cloud until SIGINT or SIGTERM. Prints `ready URL` once it serves,
    /// and with `--tls-port` then `tls URL`.
    Up(UpArgs),
    /// Print a token of the running cloud's issuer.
    Token(TokenArgs),
    /// Send a recorded file to a session's stream in real time.
    Speak(SpeakArgs),
    /// Run one session from POST /sessions to the last delivery and print a report.
    Run(RunArgs),
    /// List the sessions with the state of their delivery, or show one.
    Sessions(SessionsArgs),
    /// Print the log lines of a function, or those of all functions for one session.
    Logs(LogsArgs),
    /// Print the events of the bus: session status changes, and the schedule's.
    Events(EventsArgs),
    /// Print the permissions of a template's functions as JSON lines, one action on one resource
    /// each.
    Permissions(PermissionsArgs),
}

/// Arguments of `local-cloud up`.
#[derive(Debug, clap::Args)]
struct UpArgs {
    /// The port on 127.0.0.1; 0: a free port.
    #[arg(long, default_value_t = 7878)]
    port: u16,
    /// Serve the same over TLS on this port of 127.0.0.1 too, with a certificate that is made at
    /// the start; 0: a free port. Signaling endpoints are then wss://.
    #[arg(long, value_name = "PORT")]
    tls_port: Option<u16>,
    /// Keep tables, audio and logs in this folder, which one process at a time can use. Streams and
    /// channels with their media, queues and archived events are not kept. Default: nothing is
    /// kept.
    #[arg(long)]
    data: Option<PathBuf>,
    /// The template to run.
    #[arg(long, default_value = TEMPLATE)]
    template: PathBuf,
    /// Run every timer of AWS and of the functions this many times as fast as the real clock.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    time_scale: u32,
    /// The value of a template parameter.
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = name_and_value)]
    parameters: Vec<(String, String)>,
    /// The folder with the function binaries. Default: the folder of this program.
    #[arg(long)]
    binaries: Option<PathBuf>,
    /// What runs the sessions.
    #[command(flatten)]
    host: HostArgs,
    /// Your own audio processor: the path of a program that speaks the Lambda Runtime API (a
    /// binary, or a script with a #! line), or the name of a function of the template. Default: the
    /// reference processor.
    #[arg(long, value_name = "PATH|FUNCTION")]
    processor: Option<String>,
    /// A command that recognises the speech which the processor accepts, for the words on the page:
    /// PCM on its standard input, lines of JSON on its standard output. Default: no words.
    #[arg(long, value_name = "COMMAND", value_parser = NonEmptyStringValueParser::new())]
    recogniser: Option<String>,
    /// Also print the logs of the functions.
    #[arg(long)]
    verbose: bool,
    /// Record the calls of the functions, with the permission that allows each, in this folder.
    #[arg(long, value_name = "FOLDER", env = "LOCAL_CLOUD_CALLS")]
    calls: Option<PathBuf>,
    /// Simulated create and delete latency of streams and channels, in milliseconds of the cloud's
    /// time.
    #[arg(long, default_value_t = local_aws::kvs::CHANGE_MS)]
    kvs_change_ms: u32,
    /// The account's quota of channels that store their media: sessions at a time.
    #[arg(long, value_name = "N", default_value_t = local_aws::kvs::STORAGE_CHANNELS)]
    storage_channels: usize,
    /// Length of the fragments that WebRTC ingestion writes, in milliseconds. A fragment begins
    /// with a key frame, so it is up to 1.5 s shorter or longer.
    #[arg(
        long,
        default_value_t = local_aws::INGESTION_FRAGMENT_MS,
        value_parser = clap::value_parser!(u32).range(
            i64::from(*INGESTION_FRAGMENT_RANGE_MS.start())
                ..=i64::from(*INGESTION_FRAGMENT_RANGE_MS.end())
        )
    )]
    ingestion_fragment_ms: u32,
    /// WebRTC ingestion writes into the open fragment, so that words are delivered as they are
    /// spoken. Default: it stores a fragment when it is complete.
    #[arg(long)]
    progressive_ingestion: bool,
    /// Also serve the HTTP API at /PATH, as a custom domain with this base path does: `rawPath`
    /// then starts with it. The template sets a named stage: StageName.
    #[arg(long, value_name = "PATH", value_parser = base_path)]
    base_path: Option<String>,
    /// Also print what to open and what to type.
    #[arg(long)]
    guide: bool,
}

/// What runs the sessions, in `up` and `run`.
#[derive(Debug, Clone, clap::Args)]
pub struct HostArgs {
    /// What runs the sessions, as the template's parameter ConsumerHost: `container` for workers,
    /// `managed-instances` for a function with many sessions in each process.
    #[arg(long, value_name = "HOST", value_parser = ["lambda", "managed-instances", "container"])]
    consumer_host: Option<String>,
    /// How many workers or managed instances run the sessions (with `--consumer-host`).
    #[arg(
        long, value_name = "N", default_value_t = 2, requires = "consumer_host",
        value_parser = clap::value_parser!(u32).range(0..=100)
    )]
    workers: u32,
}

impl HostArgs {
    /// Sets the options of a cloud.
    pub(crate) fn apply(&self, options: &mut Options) {
        options.workers = self.workers;
        let host = self.consumer_host.iter();
        options.parameters.extend(host.map(|host| ("ConsumerHost".to_owned(), host.clone())));
    }

    /// Returns whether the command line chooses a host.
    pub(crate) const fn is_chosen(&self) -> bool {
        self.consumer_host.is_some()
    }
}

/// Arguments of `local-cloud permissions`.
#[derive(Debug, clap::Args)]
struct PermissionsArgs {
    /// The template to read, with the parameters of `up`.
    #[arg(long, default_value = TEMPLATE)]
    template: PathBuf,
    /// The value of a template parameter.
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = name_and_value)]
    parameters: Vec<(String, String)>,
}

/// Arguments of `local-cloud token`.
#[derive(Debug, clap::Args)]
struct TokenArgs {
    /// The subject of the token.
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    sub: String,
    /// Seconds until it expires.
    #[arg(long, default_value_t = 3600, allow_negative_numbers = true)]
    expires_in: i64,
}

impl Cli {
    /// Runs the command.
    ///
    /// # Errors
    /// The command failed.
    pub async fn run(self) -> Result<(), Error> {
        let url = match self.command {
            Command::Up(args) => return up(args).await,
            Command::Permissions(args) => return permissions(args),
            _ => self.url.map_or_else(url_of_environment, |url| Ok(Some(url)))?,
        };
        let url = url.as_deref();
        match self.command {
            Command::Token(args) => token(&args, url.unwrap_or(DEFAULT_URL)).await,
            Command::Speak(args) => crate::speaker::speak(args, url.unwrap_or(DEFAULT_URL)).await,
            Command::Run(args) => crate::run::run(args, url).await,
            Command::Sessions(args) => {
                crate::inspect::sessions::sessions(&args, url.unwrap_or(DEFAULT_URL)).await
            }
            Command::Logs(args) => {
                crate::inspect::logs::logs(&args, url.unwrap_or(DEFAULT_URL)).await
            }
            Command::Events(args) => {
                crate::inspect::events::events(&args, url.unwrap_or(DEFAULT_URL)).await
            }
            Command::Up(_) | Command::Permissions(_) => Ok(()),
        }
    }
}

/// Returns the URL of the variable LOCAL_CLOUD_URL; `None` if that is not set, or empty.
fn url_of_environment() -> Result<Option<String>, Error> {
    let text = std::env::var("LOCAL_CLOUD_URL").unwrap_or_default();
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = |reason| Error::Client(format!("LOCAL_CLOUD_URL is {text:?}: {reason}"));
    base_url(&text).map(Some).map_err(wrong)
}

async fn up(args: UpArgs) -> Result<(), Error> {
    // Installed before the start, so that a signal during the start also shuts everything down.
    let ended = crate::signals::ended()?;
    let mut options = Options {
        port: args.port,
        tls_port: args.tls_port,
        data: args.data,
        template: Some(args.template),
        time_scale: args.time_scale,
        parameters: args.parameters.into_iter().collect(),
        binaries: args.binaries,
        verbose: args.verbose,
        calls: args.calls,
        kvs_change_ms: args.kvs_change_ms,
        storage_channels: args.storage_channels,
        ingestion_fragment_ms: args.ingestion_fragment_ms,
        progressive_ingestion: args.progressive_ingestion,
        base_path: args.base_path,
        speaker_page: Some(SPEAKER_PAGE.into()),
        recogniser: args.recogniser,
        ..Options::default()
    };
    args.host.apply(&mut options);
    if let Some(processor) = &args.processor {
        crate::processor::choose(&mut options, processor)?;
    }
    let running = local_aws::start(options).await?;
    for (name, path) in missing_binaries(&running) {
        eprintln!("{name} cannot run: {} is not built: `make cloud` builds it", path.display());
    }
    for session in crate::lost_sessions::of(&running).await? {
        eprintln!("{session}");
    }
    print(&format!("ready {}", running.url()))?;
    if let Some(url) = running.tls_url() {
        print(&format!("tls {url}"))?;
    }
    if args.guide {
        let program = std::env::args().next();
        let program = program.as_deref().unwrap_or("target/debug/local-cloud");
        let can_speak = std::path::Path::new(SPEAKER_PAGE).join("index.html").exists();
        print(&crate::guide::guide(running.url(), crate::run::RECORDING, program, can_speak))?;
    }
    ended.await;
    running.shutdown().await;
    Ok(())
}

/// Returns the functions and tasks without a binary, with the path at which it is missing.
pub(crate) fn missing_binaries(running: &LocalAws) -> Vec<(String, PathBuf)> {
    let mut missing = running.services().lambda.missing_binaries();
    missing.extend(running.services().tasks.missing_binaries());
    missing
}

fn permissions(args: PermissionsArgs) -> Result<(), Error> {
    let parameters = args.parameters.into_iter().collect();
    let options = Options { template: Some(args.template), parameters, ..Options::default() };
    let template = local_aws::load_template(&options, DEFAULT_URL)?;
    for permission in local_aws::iam::permissions(&template) {
        if let Err(error) = print(&json!(permission).to_string()) {
            return until_closed(Err(error));
        }
    }
    Ok(())
}

async fn token(args: &TokenArgs, url: &str) -> Result<(), Error> {
    crate::discovery::check(url).await?;
    let request = json!({ "sub": args.sub, "expiresIn": args.expires_in });
    let unreachable = |source| Error::Unreachable { url: url.to_owned(), source };
    let client = reqwest::Client::builder().no_proxy().build().map_err(unreachable)?;
    let answer = client.post(format!("{url}/_local/token")).json(&request).send().await;
    let answer = answer.map_err(unreachable)?;
    let answer: Value = answer.json().await.map_err(unreachable)?;
    match answer["token"].as_str() {
        Some(token) => print(token),
        None => Err(Error::Client(format!("{url} returned no token: {answer}"))),
    }
}

/// Parses an API mapping's key as API Gateway does: letters, digits and `-._$+!`, with slashes
/// between the parts.
fn base_path(text: &str) -> Result<String, String> {
    let path = text.trim_matches('/');
    let is_plain = |sign: char| sign.is_ascii_alphanumeric() || "-._$+!".contains(sign);
    match path.split('/').all(|part| !part.is_empty() && part.chars().all(is_plain)) {
        true if path.split('/').next() != Some("_local") => Ok(path.to_owned()),
        _ => Err(format!(
            "{text:?} is no base path: letters, digits, -._$+! and slashes; not _local"
        )),
    }
}

fn name_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("{text:?} is not NAME=VALUE")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn help_says_what_a_data_folder_does_not_keep() {
        use clap::CommandFactory;
        let mut cli = Cli::command();
        let help = cli.find_subcommand_mut("up").unwrap().render_help().to_string();
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(help.contains("Keep tables, audio and logs in this folder"), "{help}");
        assert!(help.contains("Streams and channels with their media"), "{help}");
    }

    #[test]
    fn a_url_is_taken_with_and_without_its_last_slash() {
        for command in [vec!["token", "--sub", "ana"], vec!["speak", "ID", "FILE"], vec!["run"]] {
            for url in ["http://127.0.0.1:1", "http://127.0.0.1:1/"] {
                let line = ["local-cloud", "--url", url].into_iter().chain(command.clone());
                let cli = Cli::try_parse_from(line).unwrap();
                assert_eq!(cli.url.as_deref(), Some("http://127.0.0.1:1"));
            }
        }
    }

    #[test]
    fn fragments_are_of_one_to_twenty_seconds_for_every_speaker() {
        for command in [vec!["speak", "ID", "FILE"], vec!["run"]] {
            for (length, taken) in
                [("999", false), ("1000", true), ("10000", true), ("20000", true), ("20001", false)]
            {
                let line = ["local-cloud"].into_iter().chain(command.clone());
                let line = line.chain(["--fragment-ms", length]);
                assert_eq!(Cli::try_parse_from(line).is_ok(), taken, "{command:?} {length}");
            }
        }
    }

    #[test]
    fn a_base_path_is_a_mapping_key() {
        assert_eq!(base_path("/speech/"), Ok("speech".to_owned()));
        assert_eq!(base_path("speech/v1"), Ok("speech/v1".to_owned()));
        for wrong in ["", "/", "a//b", "a b", "a?b", "_local/x"] {
            assert!(base_path(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn parameters_are_names_with_values() {
        assert_eq!(name_and_value("A=b=c"), Ok(("A".to_owned(), "b=c".to_owned())));
        assert!(name_and_value("=b").is_err());
        assert!(name_and_value("A").is_err());
    }
}
