//! Runs every fault with a number of seeds on all cores.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::summary::{Row, RunResult};
use crate::{processes, simulated};

/// The environment of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The simulator, in this process and in virtual time.
    Simulated,
    /// The built binaries, on the local cloud.
    Processes,
}

/// A fault of either kind.
enum AnyFault {
    Simulated(simulated::SimulatedFault),
    Processes(processes::ProcessFault),
}

impl AnyFault {
    fn name(&self) -> &'static str {
        match self {
            Self::Simulated(fault) => fault.name,
            Self::Processes(fault) => fault.name,
        }
    }

    fn run(&self, seed: u64) -> RunResult {
        match self {
            Self::Simulated(fault) => simulated::run(fault, seed),
            Self::Processes(fault) => processes::run(fault, seed),
        }
    }
}

/// Runs every fault whose name contains `only`, each with the same seeds from `seed` on, at least
/// `runs` times in total. Returns no rows if `runs` is 0.
pub fn matrix(kind: Kind, only: &str, seed: u64, runs: u64) -> Vec<Row> {
    if runs == 0 {
        return Vec::new();
    }
    let all: Vec<AnyFault> = match kind {
        Kind::Simulated => simulated::catalogue().into_iter().map(AnyFault::Simulated).collect(),
        Kind::Processes => processes::catalogue().into_iter().map(AnyFault::Processes).collect(),
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
        let result = faults[fault].run(seed);
        rows[fault].lock().unwrap().add(seed, &result);
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, Into::into) {
            scope.spawn(work);
        }
    });
    rows.into_iter().map(|row| row.into_inner().unwrap()).collect()
}
