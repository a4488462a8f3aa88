//! The files that a run leaves: audio, logs and the report.

use std::path::Path;

use super::OUTPUT;
use super::client::Client;
use super::report::{self, Report};
use crate::error::Error;

const FUNCTIONS: [&str; 4] =
    ["session-http-handler", "kvs-stream-consumer", "stream-worker", "audio-processor"];

/// Copies the processor's audio, because the cloud's folder may be temporary.
pub(super) async fn keep_audio(client: &Client, report: &mut Report) -> Result<(), Error> {
    let path = format!("/_local/audio/{}.wav", report.session_id);
    let Some(wav) = client.file(&path).await? else { return Ok(()) };
    let file = Path::new(OUTPUT).join(format!("{}.wav", report.session_id));
    write(&file, &wav)?;
    report.wav_samples = report::wav_samples(&wav);
    report.wav = Some(file);
    Ok(())
}

/// Copies the logs of the functions.
pub(super) async fn keep_logs(client: &Client) -> Result<(), Error> {
    for function in FUNCTIONS {
        if let Some(log) = client.file(&format!("/_local/logs/{function}")).await? {
            write(&Path::new(OUTPUT).join(format!("{function}.log")), &log)?;
        }
    }
    Ok(())
}

/// Writes the report as JSON.
pub(super) fn write_report(path: &Path, report: &Report) -> Result<(), Error> {
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
