//! Lambda: Invoke on one side, the Runtime API on the other, function processes between them.
//!
//! A function runs as the binary that is named after its package, in one process (`environment`)
//! per concurrent invocation (`pool`, `job`). On managed instances a fixed number of processes
//! (`instances`) run several invocations each (`workers`). Each process has its own Runtime API, on
//! a port that the system selects (`runtime_api`). Asynchronous invocations are queued, retried and
//! given up as Lambda does (`event`). The HTTP side is `api`.

mod api;
mod client_context;
mod concurrency;
mod deliveries;
mod environment;
mod event;
mod execution;
mod extensions;
mod instances;
mod invocation;
mod job;
mod logs;
mod options;
mod output;
mod pool;
mod process;
mod qualifier;
mod runtime_api;
mod segments;
mod service;
mod trace;
mod workers;

pub use deliveries::{Deliveries, Delivery, Outcome, SAMPLES_PER_MS};
pub use invocation::{Invoked, MAX_ASYNC_PAYLOAD, MAX_SYNC_PAYLOAD};
pub(crate) use logs::Log;
pub use options::LambdaOptions;
pub(crate) use output::Output;
pub(crate) use process::bare_command;
pub use service::Lambda;
