//! `local-cloud up`: the cloud until SIGINT or SIGTERM.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;

use crate::error::Error;
use crate::host::HostArgs;
use crate::inspect::print;
use crate::parameter::name_and_value;
use crate::run::TEMPLATE;
use local_aws::{INGESTION_FRAGMENT_RANGE_MS, LocalAws, Options};

/// The folder of the speaker's page, which `make speaker` builds.
const SPEAKER_PAGE: &str = "examples/speaker/dist";

/// Arguments of `local-cloud up`.
#[derive(Debug, clap::Args)]
pub(crate) struct UpArgs {
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
    /// The account's quota of channels that store their media. It limits the sessions at a time.
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
    /// then starts with it. For a named stage, set the template's parameter StageName.
    #[arg(long, value_name = "PATH", value_parser = base_path)]
    base_path: Option<String>,
    /// Also print what to open and what to type.
    #[arg(long)]
    guide: bool,
}

/// Starts the cloud, prints its URL, and serves until a signal.
///
/// # Errors
/// The services did not start.
pub(crate) async fn up(args: UpArgs) -> Result<(), Error> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_path_is_a_mapping_key() {
        assert_eq!(base_path("/speech/"), Ok("speech".to_owned()));
        assert_eq!(base_path("speech/v1"), Ok("speech/v1".to_owned()));
        for wrong in ["", "/", "a//b", "a b", "a?b", "_local/x"] {
            assert!(base_path(wrong).is_err(), "{wrong}");
        }
    }
}
