//! CPU time, memory and file descriptors of the processes below this one (Linux only).

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

const EVERY: Duration = Duration::from_secs(5);
/// How often the memory of each process is written to the file.
const WRITTEN_EVERY: Duration = Duration::from_secs(60);
/// Clock ticks a second, of `/proc/PID/stat`: 100 on every Linux that Rust supports.
const TICKS: f64 = 100.0;

/// What one process used.
#[derive(Debug, Default)]
pub(crate) struct Process {
    /// The file name of its program.
    pub(crate) program: String,
    /// CPU time as last read, in seconds.
    pub(crate) cpu_seconds: f64,
    /// Seconds since the start, and the resident memory then, in MB.
    pub(crate) memory: Vec<(f64, f64)>,
    /// Most open file descriptors.
    pub(crate) most_files: usize,
}

/// A task that reads the use of processes until it is stopped.
#[derive(Debug)]
pub(crate) struct Usage {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Vec<Process>>,
}

impl Usage {
    /// Reads the use of this process and of its descendants, and writes their memory to the file
    /// `log`.
    pub(crate) fn watch(log: PathBuf) -> Self {
        let (stop, mut stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let mut used = Used::new(&log);
            loop {
                used.read();
                tokio::select! {
                    _ = &mut stopped => return used.processes.into_values().collect(),
                    () = tokio::time::sleep(EVERY) => {}
                }
            }
        });
        Self { stop, task }
    }

    /// Returns what was read.
    pub(crate) async fn stop(self) -> Vec<Process> {
        let _ = self.stop.send(());
        self.task.await.unwrap_or_default()
    }
}

struct Used {
    begun: Instant,
    written: Option<Duration>,
    log: File,
    processes: BTreeMap<u32, Process>,
}

impl Used {
    fn new(log: &Path) -> Self {
        if let Some(folder) = log.parent() {
            fs::create_dir_all(folder).expect("the folder of the memory's log");
        }
        let mut log = File::create(log).expect("the memory's log");
        writeln!(log, "seconds,program,pid,residentMb").expect("write the memory's log");
        Self { begun: Instant::now(), written: None, log, processes: BTreeMap::new() }
    }

    fn read(&mut self) {
        let at = self.begun.elapsed();
        let is_due = self.written.is_none_or(|written| at >= written + WRITTEN_EVERY);
        self.written = if is_due { Some(at) } else { self.written };
        let stats = stats();
        for (id, stat) in stats.iter().filter(|(id, _)| is_below_this(**id, &stats)) {
            // A process that ends meanwhile is left out.
            let Some((program, memory, files)) = details(*id) else { continue };
            if is_due {
                let _ = writeln!(self.log, "{:.0},{program},{id},{memory:.1}", at.as_secs_f64());
            }
            let process = self.processes.entry(*id).or_default();
            process.program = program;
            process.cpu_seconds = stat.cpu_seconds;
            process.memory.push((at.as_secs_f64(), memory));
            process.most_files = process.most_files.max(files);
        }
    }
}

struct Stat {
    parent: u32,
    cpu_seconds: f64,
}

/// Reads `/proc/PID/stat` of all processes.
fn stats() -> BTreeMap<u32, Stat> {
    let ids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = ids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    ids.filter_map(|id| Some((id, stat(id)?))).collect()
}

fn stat(id: u32) -> Option<Stat> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // proc(5): the command stands in parentheses; ppid, utime and stime are fields 4, 14 and 15.
    let fields: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
    Some(Stat { parent: fields.get(1)?.parse().ok()?, cpu_seconds: ticks / TICKS })
}

fn is_below_this(id: u32, stats: &BTreeMap<u32, Stat>) -> bool {
    let parents = std::iter::successors(Some(id), |id| stats.get(id).map(|stat| stat.parent));
    parents.take(16).any(|id| id == std::process::id())
}

/// Returns the program of a process, its resident memory in MB and its open files.
fn details(id: u32) -> Option<(String, f64, usize)> {
    let folder = Path::new("/proc").join(id.to_string());
    let program = fs::read_link(folder.join("exe")).ok()?.file_name()?.to_str()?.to_owned();
    let status = fs::read_to_string(folder.join("status")).ok()?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes = resident.split_whitespace().next()?.parse::<f64>().ok()?;
    Some((program, kilobytes / 1024.0, fs::read_dir(folder.join("fd")).ok()?.count()))
}
