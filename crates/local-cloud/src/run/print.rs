//! What a run prints.

use std::io::Write;

use super::report::Report;

/// Prints the report.
pub(super) fn report(report: &Report) {
    let stop = report.stop_ms.map_or("never".to_owned(), |ms| format!("{ms} ms after DELETE"));
    let wav = report.wav.as_deref().map_or("none".to_owned(), |wav| wav.display().to_string());
    say(&format!(
        "expected    {} samples ({:.1} s)",
        report.samples_expected,
        seconds(report.samples_expected)
    ));
    say(&format!("delivered   {} in {} chunks", report.samples_delivered, report.chunks));
    say(&format!("lost        {}", report.samples_lost));
    say(&format!(
        "duplicated  {} (offered twice: {})",
        report.samples_duplicated, report.offered_twice
    ));
    let counted = report.counted;
    say(&format!(
        "filled      {} (skipped: {}, repeated: {}, refused: {}, unavailable: {})",
        report.filled_samples,
        counted.skipped_samples,
        counted.repeated_samples,
        counted.refused_samples,
        counted.unavailable_samples
    ));
    let latency = report.delivery_latency_ms;
    say(&match report.chunks {
        0 => "latency     none".to_owned(),
        _ => format!(
            "latency     {:.1} ms p50, {:.1} ms p99 (last sample arrived to invocation received)",
            latency.p50, latency.p99
        ),
    });
    let sent = if report.whole_fragments { ", each sent when it was complete" } else { "" };
    say(&format!("fragments   of {:.1} s{sent}", report.fragment_ms as f64 / 1000.0));
    say(&format!("closed      {stop}"));
    say(&format!("audio       {wav}"));
    super::words::lines(&report.words).iter().for_each(|line| say(line));
}

/// Returns the length of samples at 16 kHz.
pub(super) fn seconds(samples: u64) -> f64 {
    samples as f64 / 16_000.0
}

/// Prints one line of progress to stdout. Ignores a closed stdout, because the run must still end
/// its session.
pub(super) fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
