//! Why a worker ends.

use lambda_support::ConfigError;

/// An error that ends the worker.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The environment is invalid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A signal handler cannot be installed.
    #[error("cannot install the handler of a signal: {0}")]
    Signals(#[source] std::io::Error),
    /// The container's health checks cannot be served.
    #[error("cannot listen on port {port} for health checks: {source}")]
    Port {
        /// The port.
        port: u16,
        /// The cause.
        source: std::io::Error,
    },
    /// Sessions were still running when the time for the stop was over. Their leases expire.
    #[error("stopped with {0} sessions that were not handed over; their leases expire")]
    NotHandedOver(usize),
    /// The worker that is checked does not answer.
    #[error("the worker does not answer: {0}")]
    Unhealthy(String),
}
