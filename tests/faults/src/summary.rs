//! The table that the matrix comes to.

use std::time::Duration;

use serde::Serialize;

/// How close the audio must be to what was said: consumers that take over warm their decoder up on
/// a few seconds only.
pub(crate) const DECIBELS: f64 = 40.0;

/// What a run of one fault came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Sum {
    /// Samples that KVS held and the processor did not get, or got too many.
    pub lost: u64,
    /// Samples that were accepted twice.
    pub accepted_twice: u64,
    /// Samples that were offered again although they had been accepted.
    pub offered_twice: u64,
    /// Longest time that audio waited in KVS while nothing was accepted, in AWS's time.
    pub recovery: Duration,
    /// How close the audio is to what was spoken, dB.
    pub decibels: f64,
    /// What broke its promise, in words.
    pub complaint: Option<String>,
}

/// All runs of one fault.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// Its name.
    pub fault: String,
    /// `simulated` or `processes`.
    pub kind: &'static str,
    /// How often it was run.
    pub runs: u64,
    /// Samples lost, over all runs.
    pub lost: u64,
    /// Samples accepted twice, over all runs.
    pub accepted_twice: u64,
    /// Samples offered twice, over all runs.
    pub offered_twice: u64,
    /// The longest recovery of any run, ms of AWS's time.
    pub worst_recovery_ms: u64,
    /// The least close audio of any run, dB; absent when all of it was the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worst_decibels: Option<f64>,
    /// Runs that broke a promise: their seeds and what they broke.
    pub broken: Vec<String>,
}

impl Row {
    /// A fault that was not run yet.
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

    /// Adds the run of `seed`.
    pub fn add(&mut self, seed: u64, sum: &Sum) {
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
        if let Some(complaint) = &sum.complaint {
            self.broken.push(format!("seed {seed}: {complaint}"));
        }
    }
}

/// The rows as a table for people.
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
        let sum = |lost, recovery, decibels| Sum {
            lost,
            accepted_twice: 0,
            offered_twice: 5,
            recovery: Duration::from_millis(recovery),
            decibels,
            complaint: (lost > 0).then(|| "lost".to_owned()),
        };
        row.add(1, &sum(0, 900, f64::INFINITY));
        row.add(2, &sum(3, 100, 55.55));
        assert_eq!((row.runs, row.lost, row.offered_twice), (2, 3, 10));
        assert_eq!((row.worst_recovery_ms, row.worst_decibels), (900, Some(55.6)));
        assert_eq!(row.broken, ["seed 2: lost"]);
        assert!(table(&[row]).contains("seed 2: lost"));
    }
}
