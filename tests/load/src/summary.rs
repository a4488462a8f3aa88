//! The figures of a load run.

use std::fmt;
use std::path::Path;

use serde::Serialize;

use crate::Arguments;
use crate::calls::Calls;
use crate::processes::Used;
use crate::slot::SessionResult;

/// USD for a GB-second of Lambda on arm64, and for a vCPU-hour and a GB-hour of Fargate on arm64
/// (list prices, US East, October 2026).
const LAMBDA_GB_SECOND: f64 = 0.000_013_333_4;
const FARGATE_VCPU_HOUR: f64 = 0.032_38;
const FARGATE_GB_HOUR: f64 = 0.003_56;
/// Memory of a consumer's function, in GB (`ConsumerMemory`).
const FUNCTION_GB: f64 = 0.25;
/// A c7g.large has two vCPUs for 0.0725 USD; Lambda adds 15 %.
const INSTANCE_VCPU_HOUR: f64 = 0.0725 / 2.0 * 1.15;
/// Sessions that one vCPU of a managed instance runs at most, and the share of them in use.
const SESSIONS_PER_VCPU: f64 = 64.0;
const INSTANCE_SHARE: f64 = 0.5;
/// Share of a worker's CPU that its service uses (the target of its scaling).
const WORKER_CPU_SHARE: f64 = 0.5;

/// The median and two percentiles, in ms of real time.
#[derive(Debug, Default, Serialize)]
struct Spread {
    p50: f64,
    p95: f64,
    p99: f64,
}

impl Spread {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<_> = values.collect();
        values.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let index = (share * values.len() as f64).ceil() as usize;
            values.get(index.saturating_sub(1)).copied().unwrap_or_default()
        };
        Self { p50: at(0.50), p95: at(0.95), p99: at(0.99) }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} ms p50, {:.1} ms p95, {:.1} ms p99", self.p50, self.p95, self.p99)
    }
}

/// The figures, as they are written.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Summary {
    host: &'static str,
    /// Sessions at a time.
    sessions: u64,
    /// Sessions that ended.
    ended: usize,
    /// Hours of AWS's time.
    hours: f64,
    session_hours: f64,
    time_scale: u32,
    lost: u64,
    twice: u64,
    failures: Vec<String>,
    post_ms: Spread,
    first_chunk_ms: Spread,
    /// The sessions' medians.
    delivery_ms: Spread,
    /// The sessions' 99th percentiles.
    delivery_p99_ms: Spread,
    stop_ms: Spread,
    processes: usize,
    /// Percent of a core for each session that speaks.
    cpu_per_session: f64,
    /// In MB.
    rss_per_process: Spread,
    most_files_per_process: usize,
    /// USD at list price, without the processor.
    cost_per_session_hour: f64,
    /// Of it the tables.
    tables_per_session_hour: f64,
}

impl Summary {
    pub(crate) fn new(
        arguments: &Arguments,
        hours: f64,
        results: &[SessionResult],
        used: &Used,
        calls: &Calls,
    ) -> Self {
        let spread = |of: fn(&SessionResult) -> f64| {
            Spread::of(results.iter().filter(|result| result.failure.is_none()).map(of))
        };
        let session_hours = results.iter().map(|result| result.seconds).sum::<f64>() / 3600.0;
        let cpu_hours = used.cpu_seconds.values().sum::<f64>() / 3600.0;
        // Speech passes at AWS's time, the CPU works in real time.
        let cpu_share = cpu_hours / session_hours;
        let rss_per_process = Spread::of(used.memory_mb.iter().copied());
        let memory = rss_per_process.p95 / 1024.0 / arguments.sessions as f64;
        let host = match arguments.host {
            crate::Host::Lambda => 3600.0 * FUNCTION_GB * LAMBDA_GB_SECOND,
            crate::Host::ManagedInstances => {
                INSTANCE_VCPU_HOUR / (SESSIONS_PER_VCPU * INSTANCE_SHARE)
            }
            crate::Host::Container => {
                cpu_share / WORKER_CPU_SHARE * FARGATE_VCPU_HOUR
                    + f64::from(arguments.workers) * memory * FARGATE_GB_HOUR
            }
        };
        let tables = calls.tables() / session_hours;
        Self {
            host: arguments.host.name(),
            sessions: arguments.sessions,
            ended: results.len(),
            hours,
            session_hours,
            time_scale: arguments.time_scale,
            lost: results.iter().map(|result| result.lost).sum(),
            twice: results.iter().map(|result| result.twice).sum(),
            failures: results.iter().filter_map(|result| result.failure.clone()).collect(),
            post_ms: spread(|result| result.post_ms),
            first_chunk_ms: spread(|result| result.first_chunk_ms),
            delivery_ms: spread(|result| result.delivery_p50_ms),
            delivery_p99_ms: spread(|result| result.delivery_p99_ms),
            stop_ms: spread(|result| result.stop_ms),
            processes: used.cpu_seconds.len(),
            cpu_per_session: 100.0 * cpu_share,
            rss_per_process,
            most_files_per_process: used.most_files,
            cost_per_session_hour: host + tables,
            tables_per_session_hour: tables,
        }
    }

    /// Whether each session ended, with each sample once.
    pub(crate) fn is_whole(&self) -> bool {
        self.ended > 0 && self.failures.is_empty() && (self.lost, self.twice) == (0, 0)
    }

    /// Writes the figures.
    pub(crate) fn write(&self, path: &Path) {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).expect("the folder of the figures");
        }
        let text = serde_json::to_string_pretty(self).expect("serialize the figures");
        std::fs::write(path, text + "\n").expect("write the figures");
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, sessions, ended, session_hours, .. } = self;
        writeln!(f, "host           {host}, {sessions} sessions at a time, {ended} in all")?;
        writeln!(f, "speech         {session_hours:.2} hours in {:.2}", self.hours)?;
        writeln!(f, "lost, twice    {}, {} samples", self.lost, self.twice)?;
        writeln!(f, "POST           {}", self.post_ms)?;
        writeln!(f, "first chunk    {} after the producer's start", self.first_chunk_ms)?;
        writeln!(f, "delivery       {} (medians of the sessions)", self.delivery_ms)?;
        writeln!(f, "               {} (their 99th percentiles)", self.delivery_p99_ms)?;
        writeln!(f, "stop           {} after DELETE", self.stop_ms)?;
        writeln!(f, "CPU            {:.2} % of a core for a session", self.cpu_per_session)?;
        let Spread { p50, p95, p99 } = self.rss_per_process;
        writeln!(
            f,
            "memory         {p50:.0} MB p50, {p95:.0} MB p95, {p99:.0} MB p99 of a process"
        )?;
        writeln!(f, "files          {} of a process at most", self.most_files_per_process)?;
        writeln!(
            f,
            "cost           USD {:.4} a session-hour without the processor, of it tables {:.4}",
            self.cost_per_session_hour, self.tables_per_session_hour
        )?;
        for failure in &self.failures {
            writeln!(f, "failed         {failure}")?;
        }
        Ok(())
    }
}
