//! Guarantee: under each fault, every sample that KVS holds is accepted once and in order. This
//! runs a fixed part of the matrix; `make faults` runs all of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use faults::{Kind, matrix, table};

fn assert_kept(kind: Kind, only: &str, seed: u64, runs: u64) {
    let rows = matrix(kind, only, seed, runs);
    assert!(rows.iter().map(|row| row.runs).sum::<u64>() >= runs, "a fault was not run");
    let broken = rows.iter().any(|row| !row.broken.is_empty());
    assert!(!broken, "a run failed\n{}", table(&rows));
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
