//! CPU and memory that this process uses, as shares of what it has.

use std::fs::read_to_string;
use std::num::NonZero;
use std::thread::available_parallelism;
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use tokio::time::Instant;

/// CPU and memory that the operator has set; `None`: measured.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Size {
    /// CPUs.
    pub(crate) cpus: Option<f64>,
    /// Memory in bytes.
    pub(crate) memory: Option<u64>,
}

/// Shares in use, from 0 to 1; `None`: not measured.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Load {
    /// Share of the CPUs.
    pub(crate) cpu: Option<f64>,
    /// Share of the memory.
    pub(crate) memory: Option<f64>,
}

/// Measures the load between two calls.
#[derive(Debug)]
pub(crate) struct Meter {
    cpus: f64,
    memory: Option<u64>,
    before: Option<(Instant, Duration)>,
}

impl Meter {
    /// Creates a meter. What `size` does not set is that of the cgroup, or of the machine.
    pub(crate) fn new(size: Size) -> Self {
        Self {
            cpus: size.cpus.or_else(cgroup_cpus).unwrap_or_else(all_cpus),
            memory: size.memory.or_else(cgroup_memory).or_else(all_memory),
            before: None,
        }
    }

    /// Measures, at the instant `now`.
    pub(crate) fn measure(&mut self, now: Instant) -> Load {
        let used = cpu_time();
        let before = self.before;
        self.before = used.map(|used| (now, used));
        let cpu = before.zip(used).map(|((then, was), used)| {
            let elapsed = now.saturating_duration_since(then).as_secs_f64();
            used.saturating_sub(was).as_secs_f64() / (elapsed * self.cpus).max(f64::EPSILON)
        });
        let memory = resident().zip(self.memory);
        Load { cpu, memory: memory.map(|(used, limit)| used as f64 / limit.max(1) as f64) }
    }
}

/// Returns the CPU time of this process so far, in user and kernel mode.
fn cpu_time() -> Option<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_SELF).ok()?;
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    u64::try_from(micros).ok().map(Duration::from_micros)
}

/// Returns the resident memory of this process in bytes.
fn resident() -> Option<u64> {
    kilobytes(&read_to_string("/proc/self/status").ok()?, "VmRSS:")
}

fn all_memory() -> Option<u64> {
    kilobytes(&read_to_string("/proc/meminfo").ok()?, "MemTotal:")
}

fn all_cpus() -> f64 {
    available_parallelism().map_or(1, NonZero::get) as f64
}

/// Returns the CPUs of the cgroup (v2).
fn cgroup_cpus() -> Option<f64> {
    quota(&read_to_string("/sys/fs/cgroup/cpu.max").ok()?)
}

/// Returns the memory of the cgroup (v2, v1); without a limit, v2 has no number and v1 has one
/// that is larger than the machine's memory.
fn cgroup_memory() -> Option<u64> {
    let files = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"].iter();
    let limit = files.filter_map(|file| read_to_string(file).ok()).next()?.trim().parse().ok();
    limit.filter(|limit| all_memory().is_none_or(|all| *limit <= all))
}

/// Reads `cpu.max`: quota and period in microseconds, or `max`.
fn quota(text: &str) -> Option<f64> {
    let (quota, period) = text.trim().split_once(' ')?;
    let (quota, period): (f64, f64) = (quota.parse().ok()?, period.parse().ok()?);
    (quota > 0.0 && period > 0.0).then(|| quota / period)
}

/// Returns a value in kB of a file of `/proc`, in bytes.
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let number: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(number * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_the_kernel_are_read() {
        assert_eq!(quota("50000 100000\n"), Some(0.5));
        assert_eq!(quota("max 100000\n"), None);
        let status = "VmPeak:\t  9000 kB\nVmRSS:\t    2048 kB\nThreads:\t3\n";
        assert_eq!(kilobytes(status, "VmRSS:"), Some(2 << 20));
        assert_eq!(kilobytes(status, "MemTotal:"), None);
    }

    #[test]
    fn a_busy_process_uses_its_cpu_and_an_idle_one_does_not() {
        let mut meter = Meter::new(Size { cpus: Some(1.0), memory: Some(1 << 40) });
        let start = Instant::now();
        assert_eq!(meter.measure(start).cpu, None);
        let mut sum = 0_u64;
        while start.elapsed() < Duration::from_millis(200) {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        let busy = meter.measure(Instant::now());
        let (Some(cpu), Some(memory)) = (busy.cpu, busy.memory) else { panic!("{busy:?}") };
        assert!(cpu > 0.01, "{busy:?}");
        assert!(memory > 0.0 && memory < 0.01, "{busy:?}");
        // An hour without any CPU time.
        let idle = meter.measure(Instant::now() + Duration::from_secs(3600)).cpu.unwrap();
        assert!(idle < 0.01, "{idle}");
    }
}
