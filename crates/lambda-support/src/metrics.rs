//! Emits metrics in CloudWatch's embedded metric format: one JSON line on stdout, from which
//! CloudWatch Logs extracts the metrics. This needs no network call, and no metric is lost when the
//! process ends.

use std::io::Write;

/// Prints one EMF line, as formatted by `session::metrics`.
///
/// Write errors are ignored, so that a metric never fails the work that it measures.
pub fn emit(line: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = writeln!(stdout, "{line}");
}
