//! `local-cloud speak`: plays a recorded file into a session's stream as a live producer would.

use std::path::PathBuf;

use crate::error::Error;

/// Arguments of `local-cloud speak`.
#[derive(Debug, clap::Args)]
pub struct SpeakArgs {
    /// The session to speak in, for example blessed-shepherd-123.
    pub session: String,
    /// An Opus .mkv, .mka or .webm file.
    pub file: PathBuf,
    /// How many times as fast as real time.
    #[arg(long, default_value_t = 1.0)]
    pub speed: f64,
}

/// Speaks the whole file into the session's stream of the cloud at `url`.
///
/// # Errors
/// What kept the file from being spoken whole.
pub async fn speak(args: SpeakArgs, url: &str) -> Result<(), Error> {
    let _ = (args, url);
    Err(Error::Client("speak is not built yet".to_owned()))
}
