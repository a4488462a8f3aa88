//! Promise: whatever fails, every sample that KVS holds is accepted once and in order. A slice of
//! the matrix, always the same; `make faults` runs the whole.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use faults::{Kind, matrix, table};

fn assert_kept(kind: Kind, only: &str, seed: u64, runs: u64) {
    let rows = matrix(kind, only, seed, runs);
    assert!(rows.iter().map(|row| row.runs).sum::<u64>() >= runs, "a fault was left out");
    let broken = rows.iter().any(|row| !row.broken.is_empty());
    assert!(!broken, "a promise was broken\n{}", table(&rows));
}

#[test]
fn simulated() {
    assert_kept(Kind::Simulated, "", 1_000, 100);
}

#[test]
fn with_real_processes() {
    let parts = ["consumer", "GetMedia", "processor", "DynamoDB", "ACTIVE", "throttled"];
    for part in parts.into_iter().chain(["10 s, hand-offs", "sent again, killed", "in bursts"]) {
        assert_kept(Kind::Processes, part, 1_000, 1);
    }
}
