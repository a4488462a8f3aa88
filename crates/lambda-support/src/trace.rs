//! The X-Ray trace of the current invocation: its header, and the subsegments of its work.
//!
//! The AWS SDK reads `X-Amzn-Trace-Id` from a process-wide variable, which is wrong when one
//! process serves several invocations concurrently (Lambda Managed Instances do not set it). Here
//! each invocation stores its own header in a task-local, and `aws-adapters` adds it to every AWS
//! call of the invocation.
//!
//! A [`Subsegment`] is a named piece of work, and an [`AwsCall`] a call of AWS within it. Both are
//! recorded if the trace is sampled and Lambda has set `AWS_XRAY_DAEMON_ADDRESS`. Each is sent when
//! it ends, so that a process that is killed loses only what is still open. The format is that of
//! <https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html>. Sending never
//! waits and never fails the work (docs/adr/0017).
//!
//! X-Ray keeps 500 KB of a trace, and a run of 15 minutes makes thousands of calls. Within one
//! subsegment the first [`RECORDED_CALLS`] calls of each operation are recorded, and as many later
//! ones that fail; the others are counted in its metadata. They carry `Sampled=0`, so that the
//! functions that they invoke record nothing either.

mod aws_call;
mod daemon;
mod document;
mod header;
mod subsegment;

use std::sync::Arc;

pub use aws_call::{AwsCall, CallEnd, RECORDED_CALLS};
pub use daemon::Daemon;
pub use document::Failure;
pub use header::same_trace;
pub use subsegment::{Subsegment, annotate};

use subsegment::Parent;

tokio::task_local! {
    static SCOPE: Scope;
}

/// Maximum length of a propagated trace header: EventBridge's limit for `TraceHeader`.
const MAX_LEN: usize = 500;

/// The trace at the current place of the program.
#[derive(Debug, Clone, Default)]
struct Scope {
    header: Option<Arc<str>>,
    /// What subsegments belong to; `None` if the trace is not recorded.
    parent: Option<Arc<Parent>>,
}

impl Scope {
    fn current() -> Self {
        SCOPE.try_with(Clone::clone).unwrap_or_default()
    }
}

/// Runs `work` with `header` (the value of `Lambda-Runtime-Trace-Id`) as its trace header. A header
/// longer than 500 characters is dropped, because headers also come from events.
///
/// Spawned tasks do not inherit the header: wrap their future in [`scope`] with [`current`].
pub async fn scope<F: Future>(header: Option<String>, work: F) -> F::Output {
    scope_to(Daemon::of_process(), header, work).await
}

/// As [`scope`], with this daemon in place of that of the environment.
pub async fn scope_to<F: Future>(
    daemon: Option<Arc<Daemon>>,
    header: Option<String>,
    work: F,
) -> F::Output {
    let header = header.filter(|header| header.len() <= MAX_LEN);
    let parent = daemon.zip(header.as_deref()).and_then(|(daemon, header)| {
        Some(Arc::new(Parent::invocation(daemon, header::sampled(header)?)))
    });
    let scope = Scope { header: header.map(Into::into), parent };
    SCOPE.scope(scope, work).await
}

/// Returns the trace header of the enclosing [`scope`], if any. Its parent is the enclosing
/// [`Subsegment`].
pub fn current() -> Option<String> {
    SCOPE.try_with(|scope| scope.header.as_deref().map(ToOwned::to_owned)).ok().flatten()
}

#[cfg(test)]
mod tests;
