//! `make faults`: runs the fault matrix, prints its table and writes `target/faults/summary.json`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::process::ExitCode;

use clap::Parser;
use faults::{Kind, Row, matrix, table};

/// Runs the fault matrix.
#[derive(Debug, Parser)]
struct Arguments {
    /// Number of simulated runs, over all faults.
    #[arg(long, default_value_t = 2_000)]
    simulated: u64,
    /// Number of runs with real processes, over all faults; they need the built binaries.
    #[arg(long, default_value_t = 200)]
    processes: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Run only faults whose name contains this text.
    #[arg(long, default_value = "")]
    only: String,
    /// Print the consumer's log of simulated runs; select one with --only, --simulated 1 and
    /// --seed.
    #[arg(long)]
    log: bool,
    /// The file to which the figures are written.
    #[arg(long, default_value = "target/faults/summary.json")]
    summary: std::path::PathBuf,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.log {
        let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG);
        subscriber.without_time().with_writer(std::io::stderr).init();
    }
    let run = |kind, runs| matrix(kind, &arguments.only, arguments.seed, runs);
    let mut rows = run(Kind::Simulated, arguments.simulated);
    rows.extend(run(Kind::Processes, arguments.processes));
    print!("{}", table(&rows));
    write(&arguments.summary, &rows);
    let broken = rows.iter().map(|row| row.broken.len()).sum::<usize>();
    let runs = rows.iter().map(|row| row.runs).sum::<u64>();
    println!("{runs} runs, {broken} of them failed");
    if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn write(path: &std::path::Path, rows: &[Row]) {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).expect("create the folder of the figures");
    }
    let text = serde_json::to_string_pretty(rows).expect("serialize the rows");
    std::fs::write(path, text).expect("write the figures");
}
