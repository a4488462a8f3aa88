//! The `local-cloud` command.

use std::process::ExitCode;

use clap::Parser;
use local_cloud::cli::Cli;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// The module of the table store that warns of each write whose condition does not hold.
const REFUSED_WRITES: &str = "dynoxide::server";

/// The module of the speaker, whose reconnects the commands print themselves.
const SPEAKER: &str = "producer::speak";

/// Writes the log to stderr, by the levels of `RUST_LOG` or from `WARN` on.
fn init_logging() {
    let levels = std::env::var("RUST_LOG").ok().and_then(|levels| levels.parse::<Targets>().ok());
    let levels = levels.unwrap_or_else(|| {
        let warnings = Targets::new().with_default(LevelFilter::WARN);
        warnings
            .with_target(REFUSED_WRITES, LevelFilter::ERROR)
            .with_target(SPEAKER, LevelFilter::ERROR)
    });
    let subscriber = tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE);
    subscriber.with_writer(std::io::stderr).finish().with(levels).init();
}

#[tokio::main]
async fn main() -> ExitCode {
    init_logging();
    match Cli::parse().run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("local-cloud: {error}");
            ExitCode::FAILURE
        }
    }
}
