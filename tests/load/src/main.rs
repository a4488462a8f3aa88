//! `make load`: keeps a number of sessions open on one local cloud, with real processes, arrivals
//! and ends at random, compares what each delivers with what was spoken, and writes the durations
//! and the use of CPU and memory to `target/load/summary.json`. With `--chaos` it breaks something
//! meanwhile.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod calls;
mod chaos;
mod cost;
mod memory;
mod prices;
mod processes;
mod recordings;
mod slot;
mod summary;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use e2e::{Cloud, Options};

use crate::chaos::Chaos;
use crate::processes::Usage;
use crate::recordings::Recordings;
use crate::slot::{Load, Slot};
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
    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// Returns the name of the program that runs the sessions.
    fn program(self) -> &'static str {
        match self {
            Self::Lambda | Self::ManagedInstances => "kvs-stream-consumer",
            Self::Container => "stream-worker",
        }
    }

    /// Returns the name of the function or task that runs the sessions, and of its log.
    fn deployed(self) -> &'static str {
        match self {
            Self::Lambda => "kvs-stream-consumer",
            Self::ManagedInstances => "kvs-stream-consumer-instances-dev",
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
    /// Minutes of AWS's time in which sessions begin; most end within them.
    #[arg(long, default_value_t = 30.0)]
    minutes: f64,
    /// How many times as fast as real time AWS's clock runs.
    #[arg(long, default_value_t = 1)]
    time_scale: u32,
    /// Speakers send each fragment of two seconds when it is complete, as WebRTC ingestion may do,
    /// and not block by block.
    #[arg(long)]
    whole_fragments: bool,
    /// What is broken meanwhile, over and over.
    #[arg(long)]
    chaos: Option<Chaos>,
    /// The seed of arrivals and lengths.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The file to which the figures are written; beside it, memory.csv has the memory of each
    /// process by the minute.
    #[arg(long, default_value = "target/load/summary.json")]
    summary: PathBuf,
}

impl Arguments {
    fn options(&self) -> Options {
        let mut arguments = vec!["--storage-channels".to_owned(), (self.sessions * 2).to_string()];
        if self.host != Host::Lambda {
            let workers = self.workers.to_string();
            arguments.extend(["--consumer-host".to_owned(), self.host.name()]);
            arguments.extend(["--workers".to_owned(), workers]);
        }
        // Every slot is a speaker of its own; the default limits are those of one account's API.
        let parameters = [
            "RequestsPerSecond=1000".to_owned(),
            "RequestBurst=2000".to_owned(),
            format!("WorkerMaxSessions={}", self.sessions.max(200)),
        ];
        let (time_scale, parameters) = (self.time_scale, parameters.to_vec());
        Options { time_scale, arguments, parameters, ..Options::default() }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let recordings = Recordings::create();
    let cloud = Cloud::start(arguments.options()).await.expect("a local cloud");
    let usage = Usage::watch(arguments.summary.with_file_name("memory.csv"));
    let begun = Instant::now();
    let minutes = arguments.minutes / f64::from(arguments.time_scale);
    let end = begun + Duration::from_secs_f64(minutes * 60.0);
    let Arguments { sessions, whole_fragments, .. } = arguments;
    let load = Load { cloud, recordings, sessions, whole_fragments, begun, end };
    let load = Arc::new(load);
    let mut slots = tokio::task::JoinSet::new();
    for number in 0..arguments.sessions {
        slots.spawn(Slot::new(number, arguments.seed, Arc::clone(&load)).run());
    }
    let injections = match arguments.chaos {
        Some(chaos) => Some(chaos.run(&load, arguments.host).await.expect("the chaos")),
        None => None,
    };
    let results: Vec<_> = slots.join_all().await.into_iter().flatten().collect();
    let calls = calls::of(&load.cloud, arguments.host).await;
    let processes = usage.stop().await;
    let summary = Summary::new(&arguments, &load, &results, injections, &processes, &calls);
    print!("{summary}");
    summary.write(&arguments.summary);
    if summary.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
