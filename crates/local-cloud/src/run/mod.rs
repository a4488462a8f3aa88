//! `local-cloud run`: one session from POST to the drain, with a report of what arrived.

mod figures;
mod ledger;

pub use figures::{Figures, Latency};
pub use ledger::{Delivery, Ledger, Outcome};

use std::path::PathBuf;

use crate::error::Error;

/// Arguments of `local-cloud run`.
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// An Opus .mkv, .mka or .webm file; default: the bundled recording.
    #[arg(long)]
    pub media: Option<PathBuf>,
    /// How many times as fast as real time.
    #[arg(long, default_value_t = 1.0)]
    pub speed: f64,
    /// Where the report goes.
    #[arg(long)]
    pub report: Option<PathBuf>,
}

/// Runs one session against the cloud at `url`.
///
/// # Errors
/// What failed, or that samples are missing.
pub async fn run(args: RunArgs, url: &str) -> Result<(), Error> {
    let _ = (args, url);
    Err(Error::Client("run is not built yet".to_owned()))
}
