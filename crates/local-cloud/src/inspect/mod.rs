//! `local-cloud sessions`, `logs` and `events`: what a running cloud does, as text or, with
//! `--json`, as one JSON object a line.
//!
//! - [`sessions`]: the items of Sessions, Streams and Processed, read through DynamoDB's API, with
//!   the streams and channels of `/_local/state`.
//! - [`logs`]: `/_local/logs/PACKAGE` of one function, or of all functions for one session.
//! - [`events`]: `/_local/events`, the latest events of the bus.
//!
//! Each of these three is a reader and pure functions that render what was read. `cloud` is their
//! client, `table` aligns columns.

pub(crate) mod cloud;
pub mod events;
pub mod logs;
pub(crate) mod session_id;
pub mod sessions;
mod table;

use std::io::{ErrorKind, Write};
use std::time::Duration;

use crate::error::Error;

/// How often `--follow` requests what is new, in real time.
const POLL_EVERY: Duration = Duration::from_millis(500);

/// Prints a line to stdout.
pub(crate) fn print(line: &str) -> Result<(), Error> {
    writeln!(std::io::stdout().lock(), "{line}").map_err(Error::io("stdout"))
}

/// Returns success for a command whose reader has closed the pipe, as `head` does.
pub(crate) fn until_closed(outcome: Result<(), Error>) -> Result<(), Error> {
    match outcome {
        Err(Error::Io { source, .. }) if source.kind() == ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome,
    }
}

/// Returns `01:56:22.104` of the time `2026-11-29T01:56:22.104027Z`.
fn clock_time(rfc3339: &str) -> &str {
    rfc3339.get(11..23).unwrap_or(rfc3339)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_pipe_ends_a_command_and_is_no_error() {
        let failed = |kind: ErrorKind| until_closed(Err(Error::io("stdout")(kind.into())));
        assert!(failed(ErrorKind::BrokenPipe).is_ok());
        assert!(failed(ErrorKind::StorageFull).is_err());
    }

    #[test]
    fn a_time_of_day_has_milliseconds() {
        assert_eq!(clock_time("2026-11-29T01:56:22.104027Z"), "01:56:22.104");
        assert_eq!(clock_time("2026-11-29T01:56:22.104Z"), "01:56:22.104");
        assert_eq!(clock_time("now"), "now");
    }
}
