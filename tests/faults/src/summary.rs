//! The results of the matrix as a table.

use std::time::Duration;

use serde::Serialize;

/// Minimum SNR of the audio, dB. It is not exact, because a successor warms up its decoder on a few
/// seconds only.
pub(crate) const DECIBELS: f64 = 40.0;

/// The result of one run of a fault.
#[derive(Debug, Clone, PartialEq)]
pub struct RunResult {
    /// Samples that KVS held and the processor did not accept, and surplus samples.
    pub lost: u64,
    /// Samples that were accepted twice.
    pub accepted_twice: u64,
    /// Samples that were offered again after they had been accepted.
    pub offered_twice: u64,
    /// Longest time without an accepted sample while KVS held new audio, in AWS's time.
    pub recovery: Duration,
    /// SNR of the accepted audio, dB.
    pub decibels: f64,
    /// A description of the violations, if any.
    pub violation: Option<String>,
}

/// All runs of one fault.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// Its name.
    pub fault: String,
    /// `simulated` or `processes`.
    pub kind: &'static str,
    /// Number of runs.
    pub runs: u64,
    /// Samples lost, over all runs.
    pub lost: u64,
    /// Samples accepted twice, over all runs.
    pub accepted_twice: u64,
    /// Samples offered twice, over all runs.
    pub offered_twice: u64,
    /// The longest recovery of any run, ms of AWS's time.
    pub worst_recovery_ms: u64,
    /// The lowest SNR of any run, dB; absent if all audio was identical.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worst_decibels: Option<f64>,
    /// Failed runs: their seeds and violations.
    pub broken: Vec<String>,
}

impl Row {
    /// Returns the row of a fault without runs.
    pub fn new(fault: &str, kind: &'static str) -> Self {
        Self {
            fault: fault.to_owned(),
            kind,
            runs: 0,
            lost: 0,
            accepted_twice: 0,
            offered_twice: 0,
            worst_recovery_ms: 0,
            worst_decibels: None,
            broken: Vec::new(),
        }
    }

    /// Adds the result of the run with `seed`.
    pub fn add(&mut self, seed: u64, sum: &RunResult) {
        self.runs += 1;
        self.lost += sum.lost;
        self.accepted_twice += sum.accepted_twice;
        self.offered_twice += sum.offered_twice;
        let recovery = u64::try_from(sum.recovery.as_millis()).unwrap_or(u64::MAX);
        self.worst_recovery_ms = self.worst_recovery_ms.max(recovery);
        if sum.decibels.is_finite() {
            let worst = self.worst_decibels.unwrap_or(f64::INFINITY);
            self.worst_decibels = Some(worst.min((sum.decibels * 10.0).round() / 10.0));
        }
        if let Some(violation) = &sum.violation {
            self.broken.push(format!("seed {seed}: {violation}"));
        }
    }
}

/// Formats the rows as a text table.
pub fn table(rows: &[Row]) -> String {
    let mut text = format!(
        "{:<58} {:>10} {:>5} {:>7} {:>7} {:>12} {:>7}\n",
        "fault", "kind", "runs", "lost", "twice", "recovery ms", "dB"
    );
    for row in rows {
        let decibels = row.worst_decibels.map_or("same".to_owned(), |worst| format!("{worst:.1}"));
        text += &format!(
            "{:<58} {:>10} {:>5} {:>7} {:>7} {:>12} {:>7}\n",
            row.fault,
            row.kind,
            row.runs,
            row.lost,
            row.accepted_twice,
            row.worst_recovery_ms,
            decibels
        );
        for broken in &row.broken {
            text += &format!("    {broken}\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_keeps_the_worst_and_adds_up_the_rest() {
        let mut row = Row::new("killed", "simulated");
        let sum = |lost, recovery, decibels| RunResult {
            lost,
            accepted_twice: 0,
            offered_twice: 5,
            recovery: Duration::from_millis(recovery),
            decibels,
            violation: (lost > 0).then(|| "lost".to_owned()),
        };
        row.add(1, &sum(0, 900, f64::INFINITY));
        row.add(2, &sum(3, 100, 55.55));
        assert_eq!((row.runs, row.lost, row.offered_twice), (2, 3, 10));
        assert_eq!((row.worst_recovery_ms, row.worst_decibels), (900, Some(55.6)));
        assert_eq!(row.broken, ["seed 2: lost"]);
        assert!(table(&[row]).contains("seed 2: lost"));
    }
}
