//! The AWS calls of a session's host, as the local cloud counts them, and their price.

use e2e::Cloud;
use reqwest::Method;

/// USD for a write unit and a read unit of DynamoDB on demand (list price, US East, October 2026).
const WRITE_UNIT: f64 = 0.625e-6;
const READ_UNIT: f64 = 0.125e-6;
/// Write units of a Streams item, which has up to 3 KB, and read units.
const WRITE_UNITS: f64 = 3.0;

/// The calls of the consumer and of the workers.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Calls {
    pub(crate) writes: f64,
    pub(crate) reads: f64,
}

impl Calls {
    /// Returns the price of the calls of tables, in USD.
    pub(crate) fn tables(self) -> f64 {
        self.writes * WRITE_UNITS * WRITE_UNIT + self.reads * READ_UNIT
    }
}

/// Reads the counts of a cloud.
pub(crate) async fn of(cloud: &Cloud) -> Calls {
    let state = cloud.api(Method::GET, "/_local/state", None, None).await;
    let state = state.map(|(_, state)| state).unwrap_or_default();
    let hosts = ["KvsStreamConsumerFunction", "WorkerTaskDefinition"];
    let count = |action: &str| -> f64 {
        let of = |host: &&str| state["calls"][host][action].as_f64();
        hosts.iter().filter_map(of).sum()
    };
    Calls {
        writes: count("dynamodb:UpdateItem"),
        reads: count("dynamodb:GetItem") + count("dynamodb:Query"),
    }
}
