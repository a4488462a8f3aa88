//! JSON logs on stdout, one object per line, with the event's fields at the top level, so that
//! CloudWatch Logs Insights can query them without parsing.

use std::io::{self, Write};
use std::panic::PanicHookInfo;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::json_lines::escaped;

/// Target prefixes of this system's crates (`session` is also a prefix of `session_http_handler`).
const OWN: [&str; 9] = [
    "audio_processor",
    "aws_adapters",
    "kvs_stream_consumer",
    "lambda_support",
    "media",
    "producer",
    "relay",
    "session",
    "stream_worker",
];

/// Configures `tracing` to write events to stdout as JSON.
///
/// The level is `AWS_LAMBDA_LOG_LEVEL` (Lambda's advanced logging controls), else `RUST_LOG`, else
/// `INFO`. It applies to this system's own crates.
pub fn init() {
    let level = ["AWS_LAMBDA_LOG_LEVEL", "RUST_LOG"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok()?.parse::<LevelFilter>().ok())
        .unwrap_or(LevelFilter::INFO);
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_target(false)
        .with_max_level(level)
        .with_writer(|| JsonLines(io::stdout()))
        .finish()
        .with(targets(level))
        .init();
    std::panic::set_hook(Box::new(log_panic));
}

/// Logs a panic as one line. Rust's default hook writes several lines to stderr.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string);
    let reason = panic.payload_as_str().unwrap_or_default();
    tracing::error!(panic = reason, place, "panic: bug in the function");
}

/// Returns the level of each crate. Other crates are limited to `WARN` at any configured level: at
/// `TRACE` the Lambda runtime logs whole requests, including tokens, and the SDKs log what they
/// sign. The list names this system's crates, because a deny list would miss the next dependency.
fn targets(level: LevelFilter) -> Targets {
    let others = level.min(LevelFilter::WARN);
    Targets::new().with_default(others).with_targets(OWN.map(|name| (name, level)))
}

/// Escapes characters in JSON lines that some readers treat as line breaks.
struct JsonLines<W>(W);

impl<W: Write> Write for JsonLines<W> {
    /// `tracing` writes one whole line at a time, so no character is split.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.write_all(&escaped(line))?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Returns the log output of `work` at `level`.
    fn logged(level: LevelFilter, work: impl FnOnce()) -> String {
        let sink = Sink::default();
        let writer = sink.clone();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .with_max_level(level)
            .with_writer(move || JsonLines(writer.clone()))
            .finish()
            .with(targets(level));
        tracing::subscriber::with_default(subscriber, work);
        let bytes = sink.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn other_crates_log_only_from_warn_up() {
        let log = logged(LevelFilter::TRACE, || {
            tracing::trace!(target: "aws_sigv4::http_request::sign", "authorization: Bearer x");
            tracing::debug!(target: "lambda_runtime::runtime", "a body");
            tracing::info!(target: "a_crate_of_tomorrow", "a header");
            tracing::warn!(target: "aws_config", "no region");
            tracing::trace!(target: "session_http_handler::http", "a step");
            tracing::trace!(target: "session::create", "another");
        });
        let messages: Vec<_> = log
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
            .map(|line| line["message"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(messages, ["no region", "a step", "another"]);
    }

    #[test]
    fn every_crate_of_this_system_is_listed() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
        let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        let names: Vec<_> = names.map(|name| name.to_str().unwrap().replace('-', "_")).collect();
        assert!(names.len() > OWN.len());
        // The local cloud is not a Lambda function and configures its own logging; `ebml` logs
        // nothing.
        let others = ["ebml", "local_cloud", "local_aws", "sam_template"];
        for name in names.iter().filter(|name| !others.contains(&name.as_str())) {
            assert!(OWN.iter().any(|own| name.starts_with(own)), "{name} is not listed");
        }
    }

    #[test]
    fn a_panic_is_one_line() {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(log_panic));
        let log = logged(LevelFilter::INFO, || {
            let _ = std::panic::catch_unwind(|| panic!("over\nlines"));
        });
        std::panic::set_hook(before);
        let line: serde_json::Value = serde_json::from_str(&log).unwrap();
        assert_eq!(
            (line["level"].as_str(), line["panic"].as_str()),
            (Some("ERROR"), Some("over\nlines"))
        );
        assert!(line["place"].as_str().unwrap().contains("logging.rs"), "{line}");
    }

    #[test]
    fn a_lower_level_applies_to_all_crates() {
        let log = logged(LevelFilter::ERROR, || {
            tracing::warn!(target: "aws_config", "no region");
            tracing::warn!(target: "session::create", "slow");
        });
        assert_eq!(log, "");
    }

    #[test]
    fn a_field_with_control_characters_stays_on_one_line() {
        let hostile = "a\nb\r\"c\u{1b}[31m\u{85}d\u{2028}e\u{2029}f\u{9b}2Jg\u{202e}h\u{7f}é";
        let log = logged(LevelFilter::INFO, || {
            tracing::info!(target: "session::create", speakerId = hostile, "said {hostile}");
        });
        let line = log.strip_suffix('\n').unwrap();
        assert!(!line.chars().any(|one| one.is_control()), "{line:?}");
        assert!(!line.contains(['\u{2028}', '\u{2029}', '\u{202e}']), "{line:?}");
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["speakerId"], hostile, "nothing is lost");
        assert_eq!(line["message"], format!("said {hostile}"));
    }
}
