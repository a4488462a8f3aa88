//! `make faults`: runs the fault matrix, prints its table and writes `target/faults/summary.json`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
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
    summary: PathBuf,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.log {
        let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG);
        subscriber.without_time().with_writer(std::io::stderr).init();
    }
    if let Err(error) = open(&arguments.summary) {
        let path = arguments.summary.display();
        eprintln!("faults: {path} cannot be written, choose another --summary: {error}");
        return ExitCode::FAILURE;
    }
    let run = |kind, runs| matrix(kind, &arguments.only, arguments.seed, runs);
    let mut rows = run(Kind::Simulated, arguments.simulated);
    rows.extend(run(Kind::Processes, arguments.processes));
    print!("{}", table(&rows));
    write(&arguments.summary, &rows);
    let broken = rows.iter().map(|row| row.broken.len()).sum::<usize>();
    let runs = rows.iter().map(|row| row.runs).sum::<u64>();
    println!("{runs} runs, {broken} of them failed");
    if runs == 0 {
        eprintln!("faults: no run: no fault's name contains {:?}", arguments.only);
    }
    if broken == 0 && runs > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Opens the file of the figures before the runs, which take minutes. Keeps its content.
fn open(path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::OpenOptions::new().create(true).append(true).open(path).map(drop)
}

fn write(path: &Path, rows: &[Row]) {
    let text = serde_json::to_string_pretty(rows).expect("serialize the rows");
    std::fs::write(path, text).expect("write the figures");
}
