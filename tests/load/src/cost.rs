//! What an hour of a session costs on each host, from the CPU time, memory and calls of a run. The
//! processor and the media of Kinesis Video Streams, which cost the same on every host, are not
//! included.

use serde::Serialize;

use crate::Host;
use crate::calls::Calls;
use crate::prices::{
    FARGATE_GB_HOUR, FARGATE_VCPU_HOUR, GB_SECOND, INSTANCE_GB, INSTANCE_HOUR, INSTANCE_VCPUS,
    LOG_GB, QUEUE_REQUEST, READ_UNIT, WRITE_UNIT,
};

/// Memory of a function's environment, in GB (`ConsumerMemory`).
const FUNCTION_GB: f64 = 0.25;
/// A worker's vCPUs and GB, and its most sessions (`WorkerCpu`, `WorkerMemory`,
/// `WorkerMaxSessions`).
const WORKER: (f64, f64) = (1.0, 2.0);
const WORKER_SESSIONS: f64 = 200.0;
/// Sessions of an instance's environment at most: Lambda's limit for Rust is 64 for each vCPU.
const INSTANCE_SESSIONS: f64 = 64.0 * INSTANCE_VCPUS;
/// Shares of CPU and memory that are in use: the target of the workers' scaling, and their bound.
const CPU_SHARE: f64 = 0.5;
const MEMORY_SHARE: f64 = 0.8;
/// Write units of an item of `Streams`, which has up to 3 KB.
const WRITE_UNITS: f64 = 3.0;
/// Time between two reads of a session's record, in seconds.
const SESSION_POLL: f64 = 5.0;

/// What a session used, by the hour.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Used {
    /// Hours of CPU.
    pub(crate) cpu: f64,
    /// Resident memory, in GB.
    pub(crate) memory_gb: f64,
    /// Hours in which the host ran the session: longer than the speech.
    pub(crate) open: f64,
}

/// USD for an hour of a session's speech.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Cost {
    compute: f64,
    lease_table: f64,
    other_tables: f64,
    queue: f64,
    logs: f64,
    pub(crate) total: f64,
}

impl Cost {
    /// Returns the cost of an hour of speech, which took these calls.
    pub(crate) fn of(host: Host, used: Used, calls: &Calls) -> Self {
        let session_reads = used.open * 3600.0 / SESSION_POLL;
        let lease_reads = (calls.gets - session_reads).max(0.0);
        let compute = compute(host, used);
        let lease_table = calls.writes * WRITE_UNITS * WRITE_UNIT + lease_reads * READ_UNIT;
        let other_tables = (session_reads + calls.queries) * READ_UNIT;
        let queue = calls.queue * QUEUE_REQUEST;
        let logs = calls.log_bytes / 1e9 * LOG_GB;
        let total = compute + lease_table + other_tables + queue + logs;
        Self { compute, lease_table, other_tables, queue, logs, total }
    }

    pub(crate) fn show(&self) -> String {
        format!(
            "USD {:.5} a session-hour: compute {:.5}, lease table {:.5}, other tables {:.5}, \
             queue {:.5}, logs {:.5}",
            self.total, self.compute, self.lease_table, self.other_tables, self.queue, self.logs
        )
    }
}

/// Returns the price of what runs the session. A worker and an instance are paid as a whole, so
/// their scarcest resource counts.
fn compute(host: Host, used: Used) -> f64 {
    let share = |vcpus: f64, gb: f64, sessions: f64| {
        let (cpu, memory) = (used.cpu / CPU_SHARE / vcpus, used.memory_gb / MEMORY_SHARE / gb);
        cpu.max(memory).max(1.0 / sessions)
    };
    match host {
        Host::Lambda => used.open * 3600.0 * FUNCTION_GB * GB_SECOND,
        Host::Container => {
            let (vcpus, gb) = WORKER;
            let hour = vcpus * FARGATE_VCPU_HOUR + gb * FARGATE_GB_HOUR;
            share(vcpus, gb, WORKER_SESSIONS) * hour
        }
        Host::ManagedInstances => {
            share(INSTANCE_VCPUS, INSTANCE_GB, INSTANCE_SESSIONS) * INSTANCE_HOUR
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USED: Used = Used { cpu: 0.01, memory_gb: 0.001, open: 1.0 };

    #[test]
    fn the_scarcest_resource_of_a_worker_counts() {
        let hour = FARGATE_VCPU_HOUR + 2.0 * FARGATE_GB_HOUR;
        let is = |used: Used, share: f64| {
            assert!((compute(Host::Container, used) - share * hour).abs() < 1e-12, "{used:?}");
        };
        is(USED, 0.02);
        is(Used { memory_gb: 0.08, ..USED }, 0.05);
        is(Used { cpu: 0.0001, ..USED }, 1.0 / 200.0);
    }

    #[test]
    fn the_nominal_calls_of_an_hour_cost_a_thousandth_of_a_dollar() {
        // A renewal each 12 s, a read each second that is not one, the session's record each 5 s.
        let calls =
            Calls { writes: 300.0, gets: 3_300.0 + 720.0, queries: 120.0, ..Calls::default() };
        let cost = Cost::of(Host::Lambda, USED, &calls);
        assert!((cost.compute - 0.012).abs() < 1e-5, "{cost:?}");
        assert!((cost.lease_table - 0.000_975).abs() < 1e-6, "{cost:?}");
        assert!((cost.other_tables - 0.000_105).abs() < 1e-6, "{cost:?}");
    }
}
