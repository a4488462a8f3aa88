//! The figures of a load run.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use crate::calls::Calls;
use crate::cost::{Cost, Used};
use crate::memory::Trend;
use crate::processes::Process;
use crate::slot::{Load, SessionResult};
use crate::{Arguments, Host};

/// The median, two percentiles and the largest value.
#[derive(Debug, Default, Serialize)]
struct Percentiles {
    p50: f64,
    p95: f64,
    p99: f64,
    max: f64,
}

impl Percentiles {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<_> = values.collect();
        values.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let index = (share * values.len() as f64).ceil() as usize;
            values.get(index.saturating_sub(1)).copied().unwrap_or_default()
        };
        Self { p50: at(0.50), p95: at(0.95), p99: at(0.99), max: at(1.0) }
    }
}

impl fmt::Display for Percentiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { p50, p95, p99, max } = self;
        write!(f, "{p50:.1} p50, {p95:.1} p95, {p99:.1} p99, {max:.1} max")
    }
}

/// The figures, as they are written. Durations are ms of real time.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Summary {
    host: String,
    /// What was broken, and how often.
    chaos: Option<String>,
    injections: Option<usize>,
    /// Whether speakers sent whole fragments, and not block by block.
    whole_fragments: bool,
    /// Speakers, each with one session at a time.
    sessions: u64,
    /// Sessions that were open at the same time.
    most_at_a_time: usize,
    /// Sessions that ended.
    ended: usize,
    /// Hours of AWS's time.
    hours: f64,
    /// Hours of speech.
    session_hours: f64,
    time_scale: u32,
    lost: u64,
    twice: u64,
    failures: Vec<String>,
    post_ms: Percentiles,
    first_chunk_ms: Percentiles,
    /// Of all chunks, from their last sample in the stream to the processor.
    delivery_ms: Percentiles,
    stop_ms: Percentiles,
    /// The longest time of each session between two chunks that were accepted.
    longest_pause_ms: Percentiles,
    /// The time without delivery of each hand-off.
    hand_off_gap_ms: Percentiles,
    hand_offs: usize,
    /// Processes of the host.
    processes: usize,
    /// Percent of a core for each session that speaks.
    cpu_per_session: f64,
    /// Cores in use by program, over the whole run.
    cores: BTreeMap<String, f64>,
    /// Of the host, in MB.
    rss_per_process: Percentiles,
    most_files_per_process: usize,
    /// Of the host's processes and of the cloud.
    memory: Vec<Trend>,
    /// Calls of an hour of speech.
    calls_per_session_hour: Calls,
    /// USD at list price.
    cost_per_session_hour: f64,
    cost: Cost,
}

impl Summary {
    pub(crate) fn new(
        arguments: &Arguments,
        load: &Load,
        results: &[SessionResult],
        injections: Option<usize>,
        processes: &[Process],
        calls: &Calls,
    ) -> Self {
        let spread = |of: fn(&SessionResult) -> f64| {
            Percentiles::of(results.iter().filter(|result| result.failure.is_none()).map(of))
        };
        let (seconds, scale) =
            (load.begun.elapsed().as_secs_f64(), f64::from(load.cloud.time_scale()));
        let session_hours = results.iter().map(|result| result.seconds).sum::<f64>() / 3600.0;
        let is_host = |process: &&Process| process.program == arguments.host.program();
        let hosts: Vec<_> = processes.iter().filter(is_host).collect();
        let used = used(load, results, &hosts);
        let cost = Cost::of(arguments.host, used, &calls.each(session_hours));
        let gaps = hand_off_gaps(load, arguments.host);
        let memory = processes.iter().filter(|it| is_host(it) || it.program == "local-cloud");
        Self {
            host: arguments.host.name(),
            chaos: arguments.chaos.map(|chaos| chaos.name()),
            injections,
            whole_fragments: arguments.whole_fragments,
            sessions: arguments.sessions,
            most_at_a_time: most_at_a_time(results),
            ended: results.len(),
            hours: seconds * scale / 3600.0,
            session_hours,
            time_scale: arguments.time_scale,
            lost: results.iter().map(|result| result.lost).sum(),
            twice: results.iter().map(|result| result.twice).sum(),
            failures: results.iter().filter_map(|result| result.failure.clone()).collect(),
            post_ms: spread(|result| result.post_ms),
            first_chunk_ms: spread(|result| result.first_chunk_ms),
            delivery_ms: Percentiles::of(
                results.iter().flat_map(|it| it.delivery_ms.iter().copied()),
            ),
            stop_ms: spread(|result| result.stop_ms),
            longest_pause_ms: spread(|result| result.longest_pause_ms),
            hand_offs: gaps.len(),
            hand_off_gap_ms: Percentiles::of(gaps.into_iter()),
            processes: hosts.len(),
            cpu_per_session: 100.0 * used.cpu,
            cores: cores(processes, seconds),
            rss_per_process: Percentiles::of(
                hosts.iter().flat_map(|host| host.memory.iter().map(|(_, mb)| *mb)),
            ),
            most_files_per_process: hosts.iter().map(|host| host.most_files).max().unwrap_or(0),
            memory: memory.filter_map(|process| Trend::of(process, seconds)).collect(),
            calls_per_session_hour: calls.each(session_hours),
            cost_per_session_hour: cost.total,
            cost,
        }
    }

    /// Whether each session ended, with each sample once, and the chaos took place.
    pub(crate) fn is_whole(&self) -> bool {
        let is_delivered = self.failures.is_empty() && (self.lost, self.twice) == (0, 0);
        self.ended > 0 && is_delivered && self.injections != Some(0)
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

/// Returns the largest number of sessions that were open at the same time.
fn most_at_a_time(results: &[SessionResult]) -> usize {
    let opened = results.iter().filter(|result| result.open_seconds > 0.0);
    let open_at = |at: f64| {
        let is_open =
            |it: &&SessionResult| (it.opened_at..it.opened_at + it.open_seconds).contains(&at);
        results.iter().filter(is_open).count()
    };
    opened.map(|result| open_at(result.opened_at)).max().unwrap_or_default()
}

/// Returns what an hour of speech used. Speech passes at AWS's time, the CPU works in real time.
fn used(load: &Load, results: &[SessionResult], hosts: &[&Process]) -> Used {
    let speech = results.iter().map(|result| result.seconds).sum::<f64>();
    let open = results.iter().map(|result| result.open_seconds).sum::<f64>();
    let cpu = hosts.iter().map(|host| host.cpu_seconds).sum::<f64>();
    // At each reading, the memory of all processes of the host.
    let mut memory: BTreeMap<u64, f64> = BTreeMap::new();
    for (at, mb) in hosts.iter().flat_map(|host| &host.memory) {
        *memory.entry((at * 1000.0) as u64).or_default() += mb;
    }
    let most_mb = memory.values().copied().fold(0.0, f64::max);
    Used {
        cpu: cpu / speech,
        memory_gb: most_mb / 1024.0 / load.sessions as f64,
        open: open * f64::from(load.cloud.time_scale()) / speech,
    }
}

/// Returns how many cores each program used.
fn cores(processes: &[Process], seconds: f64) -> BTreeMap<String, f64> {
    let mut cores: BTreeMap<String, f64> = BTreeMap::new();
    for process in processes {
        *cores.entry(process.program.clone()).or_default() += process.cpu_seconds / seconds;
    }
    cores
}

/// Returns the metric `HandOffGapMillis` of each hand-off.
fn hand_off_gaps(load: &Load, host: Host) -> Vec<f64> {
    let log = load.cloud.log(host.deployed());
    let lines = log.lines().filter(|line| line.contains("HandOffGapMillis"));
    let lines = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter_map(|line| line["HandOffGapMillis"].as_f64()).collect()
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, sessions, ended, session_hours, .. } = self;
        let (mean, most) = (session_hours / self.hours, self.most_at_a_time);
        let unit = if self.whole_fragments { "whole fragments" } else { "blocks" };
        writeln!(f, "host           {host}, {sessions} speakers that send {unit}")?;
        writeln!(
            f,
            "sessions       {ended}, at most {most} at a time, {mean:.0} spoke on average"
        )?;
        if let Some((chaos, injections)) = self.chaos.as_ref().zip(self.injections) {
            writeln!(f, "chaos          {chaos}, {injections} times")?;
        }
        writeln!(f, "speech         {session_hours:.2} hours in {:.2}", self.hours)?;
        writeln!(f, "lost, twice    {}, {} samples", self.lost, self.twice)?;
        writeln!(f, "POST           {} ms", self.post_ms)?;
        writeln!(f, "first chunk    {} ms after the producer's start", self.first_chunk_ms)?;
        writeln!(f, "delivery       {} ms after a chunk's last sample", self.delivery_ms)?;
        writeln!(f, "stop           {} ms after DELETE", self.stop_ms)?;
        writeln!(f, "longest pause  {} ms between two chunks", self.longest_pause_ms)?;
        writeln!(
            f,
            "hand-offs      {}, without delivery {} ms",
            self.hand_offs, self.hand_off_gap_ms
        )?;
        writeln!(f, "CPU            {:.2} % of a core for a session", self.cpu_per_session)?;
        let cores = self.cores.iter().map(|(program, cores)| format!("{program} {cores:.2}"));
        writeln!(f, "cores in use   {}", cores.collect::<Vec<_>>().join(", "))?;
        writeln!(f, "memory         {} MB of a process", self.rss_per_process)?;
        for trend in self.memory.iter().take(6) {
            writeln!(f, "               {}", trend.show())?;
        }
        writeln!(f, "files          {} of a process at most", self.most_files_per_process)?;
        writeln!(f, "cost           {}", self.cost.show())?;
        for failure in &self.failures {
            writeln!(f, "failed         {failure}")?;
        }
        Ok(())
    }
}
