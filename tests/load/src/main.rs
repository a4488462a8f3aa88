//! `make load`: keeps a number of sessions open on one local cloud, with real processes, arrivals
//! and ends at random, compares what each delivers with what was spoken, and writes the durations
//! and the use of CPU and memory to `target/load/summary.json`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod calls;
mod processes;
mod slot;
mod summary;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use e2e::{Cloud, Options};

use crate::processes::Usage;
use crate::slot::{Recordings, Slot};
use crate::summary::Summary;

/// The host of the consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Host {
    /// One function invocation for each session.
    Lambda,
    /// Managed instances, each with many sessions.
    ManagedInstances,
    /// Workers, each with many sessions.
    Container,
}

impl Host {
    fn name(self) -> &'static str {
        match self {
            Self::Lambda => "lambda",
            Self::ManagedInstances => "managed-instances",
            Self::Container => "container",
        }
    }

    /// Returns the name of the process that runs the sessions.
    fn process(self) -> &'static str {
        match self {
            Self::Lambda | Self::ManagedInstances => "kvs-stream-consumer",
            Self::Container => "stream-worker",
        }
    }
}

/// Keeps many sessions open on one local cloud.
#[derive(Debug, Parser)]
struct Arguments {
    /// Sessions at a time.
    #[arg(long, default_value_t = 100)]
    sessions: u64,
    /// The host of the consumer.
    #[arg(long, default_value = "lambda")]
    host: Host,
    /// Workers of the host `container`, or managed instances.
    #[arg(long, default_value_t = 2)]
    workers: u32,
    /// Minutes of AWS's time in which sessions begin; those that are open then end as planned.
    #[arg(long, default_value_t = 30.0)]
    minutes: f64,
    /// How many times as fast as real time AWS's clock runs.
    #[arg(long, default_value_t = 1)]
    time_scale: u32,
    /// The seed of arrivals and lengths.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The file to which the figures are written.
    #[arg(long, default_value = "target/load/summary.json")]
    summary: PathBuf,
}

impl Arguments {
    fn options(&self) -> Options {
        let mut arguments = vec!["--storage-channels".to_owned(), (self.sessions * 2).to_string()];
        if self.host != Host::Lambda {
            let workers = self.workers.to_string();
            let host = ["--consumer-host", self.host.name(), "--workers", &workers];
            arguments.extend(host.map(str::to_owned));
        }
        // Every slot is a speaker of its own; the default limits are those of one account's API.
        let parameters = ["RequestsPerSecond=1000", "RequestBurst=2000"].map(str::to_owned);
        let (time_scale, parameters) = (self.time_scale, parameters.to_vec());
        Options { time_scale, arguments, parameters, ..Options::default() }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let recordings = Arc::new(Recordings::create());
    let cloud = Arc::new(Cloud::start(arguments.options()).await.expect("a local cloud"));
    let begun = Instant::now();
    let period =
        Duration::from_secs_f64(arguments.minutes * 60.0 / f64::from(arguments.time_scale));
    let usage = Usage::watch(arguments.host.process());
    let mut slots = tokio::task::JoinSet::new();
    for number in 0..arguments.sessions {
        let slot = Slot::new(number, arguments.seed, Arc::clone(&cloud), Arc::clone(&recordings));
        slots.spawn(slot.run(begun + period));
    }
    let results: Vec<_> = slots.join_all().await.into_iter().flatten().collect();
    let hours = begun.elapsed().as_secs_f64() * f64::from(arguments.time_scale) / 3600.0;
    let calls = calls::of(&cloud).await;
    let summary = Summary::new(&arguments, hours, &results, &usage.stop().await, &calls);
    print!("{summary}");
    summary.write(&arguments.summary);
    if summary.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
