//! `make faults`: runs the matrix, prints its table, writes `target/faults/summary.json`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use clap::Parser;
use faults::simulated::{self, Fault};
use faults::{Row, table};

/// The fault matrix.
#[derive(Debug, Parser)]
struct Arguments {
    /// Simulated runs, over all faults together.
    #[arg(long, default_value_t = 2_000)]
    runs: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only faults whose name contains this.
    #[arg(long)]
    only: Option<String>,
    /// Print the consumer's log: with one fault, one run and its seed, what happened in it.
    #[arg(long)]
    log: bool,
    /// Where the figures go.
    #[arg(long, default_value = "target/faults/summary.json")]
    summary: std::path::PathBuf,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.log {
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::DEBUG)
            .without_time()
            .with_writer(std::io::stderr)
            .init();
    }
    let wanted = |fault: &Fault| {
        arguments.only.as_ref().is_none_or(|part| fault.name.contains(part.as_str()))
    };
    let mut faults = simulated::catalogue();
    faults.retain(wanted);
    let rows = simulate(&faults, &arguments);
    print!("{}", table(&rows));
    if let Some(folder) = arguments.summary.parent() {
        std::fs::create_dir_all(folder).unwrap();
    }
    std::fs::write(&arguments.summary, serde_json::to_string_pretty(&rows).unwrap()).unwrap();
    let broken = rows.iter().map(|row| row.broken.len()).sum::<usize>();
    let runs = rows.iter().map(|row| row.runs).sum::<u64>();
    println!("{runs} runs, {broken} of them broke a promise");
    if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs each fault with seeds of its own, on all cores.
fn simulate(faults: &[Fault], arguments: &Arguments) -> Vec<Row> {
    let each = arguments.runs.div_ceil(faults.len().max(1) as u64);
    let rows: Vec<_> =
        faults.iter().map(|fault| Mutex::new(Row::new(fault.name, "simulated"))).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(fault) = faults.get(next.fetch_add(1, Ordering::Relaxed)) {
            let mut row = Row::new(fault.name, "simulated");
            for seed in arguments.seed..arguments.seed + each {
                row.add(seed, &simulated::run(fault, seed));
            }
            let index = faults.iter().position(|other| other.name == fault.name).unwrap();
            *rows[index].lock().unwrap() = row;
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, Into::into) {
            scope.spawn(work);
        }
    });
    rows.into_iter().map(|row| row.into_inner().unwrap()).collect()
}
