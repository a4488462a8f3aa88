//! Every fault, so many seeds, on all cores.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::summary::{Row, Sum};
use crate::{processes, simulated};

/// Where the consumer runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// In this process, in virtual time.
    Simulated,
    /// As the built binaries, over the local cloud.
    Processes,
}

/// A fault of either kind.
enum Fault {
    Simulated(simulated::Fault),
    Processes(processes::Fault),
}

impl Fault {
    fn name(&self) -> &'static str {
        match self {
            Self::Simulated(fault) => fault.name,
            Self::Processes(fault) => fault.name,
        }
    }

    fn run(&self, seed: u64) -> Sum {
        match self {
            Self::Simulated(fault) => simulated::run(fault, seed),
            Self::Processes(fault) => processes::run(fault, seed),
        }
    }
}

/// Runs every fault whose name contains `only`, each with the same seeds from `seed` on, at least
/// `runs` times in all; no row without runs.
pub fn matrix(kind: Kind, only: &str, seed: u64, runs: u64) -> Vec<Row> {
    if runs == 0 {
        return Vec::new();
    }
    let all: Vec<Fault> = match kind {
        Kind::Simulated => simulated::catalogue().into_iter().map(Fault::Simulated).collect(),
        Kind::Processes => processes::catalogue().into_iter().map(Fault::Processes).collect(),
    };
    let faults: Vec<_> = all.into_iter().filter(|fault| fault.name().contains(only)).collect();
    let word = match kind {
        Kind::Simulated => "simulated",
        Kind::Processes => "processes",
    };
    let rows: Vec<_> =
        faults.iter().map(|fault| Mutex::new(Row::new(fault.name(), word))).collect();
    let each = runs.div_ceil(faults.len().max(1) as u64);
    let total = faults.len() * usize::try_from(each).unwrap();
    let next = AtomicUsize::new(0);
    let work = || loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        if index >= total {
            break;
        }
        let (fault, seed) = (index % faults.len(), seed + (index / faults.len()) as u64);
        let sum = faults[fault].run(seed);
        rows[fault].lock().unwrap().add(seed, &sum);
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, Into::into) {
            scope.spawn(work);
        }
    });
    rows.into_iter().map(|row| row.into_inner().unwrap()).collect()
}
