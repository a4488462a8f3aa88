//! `put-media`: sends a recording to a stream of Kinesis Video Streams and prints the
//! acknowledgements, for `make smoke`.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Parser;
use producer::{Ack, Pace, Producer, PutMedia, Recording, Sdk, Spoken};
use serde_json::json;
use tokio::sync::watch;

/// Sends an Opus recording to a stream with one PutMedia request, in real time.
///
/// Prints the recording's figures as a line of JSON, then each acknowledgement as it was received.
/// Credentials, region and endpoints are those of AWS's environment variables and files.
#[derive(Debug, Parser)]
#[command(name = "put-media", version)]
struct Args {
    /// An Opus .mkv, .mka or .webm file.
    file: PathBuf,
    /// The stream's name. Without it nothing is sent.
    #[arg(long)]
    stream: Option<String>,
    /// The stream's endpoint for PutMedia. Default: GetDataEndpoint is called.
    #[arg(long, value_name = "URL", requires = "stream")]
    endpoint: Option<String>,
    /// Send only the beginning of the recording, of this length in milliseconds.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    first_ms: Option<u64>,
    /// Speed and fragments.
    #[command(flatten)]
    pace: Pace,
}

type Error = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> ExitCode {
    match send(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn send(args: Args) -> Result<(), Error> {
    let recording = Recording::open(&args.file)?;
    let recording = recording.first(args.first_ms.unwrap_or(u64::MAX));
    let figures = json!({
        "samples": recording.samples_16k(),
        "fragments": recording.fragments(args.pace.fragment_ms),
    });
    writeln!(io::stdout(), "{figures}")?;
    let Some(stream) = args.stream else { return Ok(()) };
    let sdk = Sdk::load().await;
    if !sdk.has_region() {
        return Err("no region: set AWS_REGION, or choose a profile that has one".into());
    }
    let put_media = match &args.endpoint {
        Some(endpoint) => PutMedia::at(&sdk, endpoint),
        None => PutMedia::of_stream(&sdk, &stream).await?,
    };
    let start_ms = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis().try_into()?;
    // One connection: a retry would hide what KVS answered.
    let producer = Producer { put_media, stream, pace: args.pace, start_ms, rollback: 0, tries: 1 };
    // A reader that has gone needs no line; the recording is sent all the same.
    let print = |ack: &Ack| drop(writeln!(io::stdout(), "{}", ack.json));
    producer.speak(&recording, &watch::Sender::new(Spoken::default()), print).await?;
    Ok(())
}
