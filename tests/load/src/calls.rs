//! The AWS calls of the sessions' hosts, as the local cloud counts them.

use e2e::Cloud;
use serde::Serialize;

use crate::Host;

/// The logical ids of what runs sessions.
const HOSTS: [&str; 3] =
    ["KvsStreamConsumerFunction", "KvsStreamConsumerInstancesFunction", "WorkerTaskDefinition"];

/// The calls of the hosts.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Calls {
    /// Writes of the table `Streams`.
    pub(crate) writes: f64,
    /// GetItem of `Streams` and `Sessions`.
    pub(crate) gets: f64,
    /// Query of `Connections`.
    pub(crate) queries: f64,
    pub(crate) queue: f64,
    /// Bytes of the host's log.
    pub(crate) log_bytes: f64,
}

impl Calls {
    /// Returns the calls of one of `hours`.
    pub(crate) fn each(&self, hours: f64) -> Self {
        let Self { writes, gets, queries, queue, log_bytes } = self;
        let [writes, gets, queries, queue, log_bytes] =
            [writes, gets, queries, queue, log_bytes].map(|count| count / hours);
        Self { writes, gets, queries, queue, log_bytes }
    }
}

/// Reads the counts of a cloud whose sessions run on `host`.
pub(crate) async fn of(cloud: &Cloud, host: Host) -> Calls {
    let state = cloud.state().await.unwrap_or_default();
    let calls = |host: &str, is_counted: &dyn Fn(&str) -> bool| -> f64 {
        let actions = state["calls"][host].as_object().into_iter().flatten();
        let counted = actions.filter(|(action, _)| is_counted(action));
        // An empty sum is -0.0.
        counted.filter_map(|(_, count)| count.as_f64()).sum::<f64>() + 0.0
    };
    let all = |is_counted: &dyn Fn(&str) -> bool| HOSTS.map(|host| calls(host, is_counted));
    let count = |action: &str| all(&|name| name == action).iter().sum();
    let log = std::fs::metadata(cloud.scratch(&format!("logs/{}.log", host.deployed())));
    Calls {
        writes: count("dynamodb:UpdateItem"),
        gets: count("dynamodb:GetItem"),
        queries: count("dynamodb:Query"),
        queue: all(&|name| name.starts_with("sqs:")).iter().sum(),
        log_bytes: log.map_or(0.0, |file| file.len() as f64),
    }
}
