//! CPU time, memory and file descriptors of the processes with one name (Linux only).

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

const EVERY: Duration = Duration::from_secs(2);
/// Clock ticks a second, of `/proc/PID/stat`: 100 on every Linux that Rust supports.
const TICKS: f64 = 100.0;

/// What the processes used.
#[derive(Debug, Default)]
pub(crate) struct Used {
    /// CPU time as last read, in seconds, by process.
    pub(crate) cpu_seconds: BTreeMap<u32, f64>,
    /// Memory at each reading, in MB, of each process.
    pub(crate) memory_mb: Vec<f64>,
    /// Most open file descriptors of one process.
    pub(crate) most_files: usize,
}

/// A task that reads the use of processes until it is stopped.
#[derive(Debug)]
pub(crate) struct Usage {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Used>,
}

impl Usage {
    /// Reads the use of this process's descendants whose command is `name`.
    pub(crate) fn watch(name: &'static str) -> Self {
        let (stop, mut stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let mut used = Used::default();
            loop {
                used.read(name);
                tokio::select! {
                    _ = &mut stopped => return used,
                    () = tokio::time::sleep(EVERY) => {}
                }
            }
        });
        Self { stop, task }
    }

    /// Returns what was read.
    pub(crate) async fn stop(self) -> Used {
        let _ = self.stop.send(());
        self.task.await.unwrap_or_default()
    }
}

impl Used {
    fn read(&mut self, name: &str) {
        let ids = fs::read_dir("/proc").into_iter().flatten().flatten();
        let ids = ids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        for id in ids {
            self.read_process(id, name);
        }
    }

    /// Reads one process; one that ends meanwhile is left out.
    fn read_process(&mut self, id: u32, name: &str) -> Option<()> {
        let folder = Path::new("/proc").join(id.to_string());
        let executable = fs::read_link(folder.join("exe")).ok()?;
        if executable.file_name()?.to_str()? != name {
            return None;
        }
        let stat = fs::read_to_string(folder.join("stat")).ok()?;
        // proc(5): the command stands in parentheses; utime and stime are fields 14 and 15.
        let fields: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
        self.cpu_seconds.insert(id, ticks / TICKS);
        let status = fs::read_to_string(folder.join("status")).ok()?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kilobytes = resident.split_whitespace().next()?.parse::<f64>().ok()?;
        self.memory_mb.push(kilobytes / 1024.0);
        self.most_files = self.most_files.max(fs::read_dir(folder.join("fd")).ok()?.count());
        Some(())
    }
}
