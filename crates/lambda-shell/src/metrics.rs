//! Metrics leave as CloudWatch Embedded Metric Format: one JSON line on stdout, which the log
//! pipeline turns into metrics. No network call, and nothing to lose when the process ends.

use std::io::Write;

/// Prints one EMF line, as rendered by the metric table in `session::metrics`.
///
/// A closed stdout is ignored: a metric never fails the work that it measures.
pub fn emit(line: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = writeln!(stdout, "{line}");
}
