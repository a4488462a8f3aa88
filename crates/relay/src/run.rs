//! Runs one session for the lifetime of one Lambda invocation, or of one message of a worker.
//!
//! There are three entry points: [`Relay::start`] (ACTIVE, or a restart by the health check),
//! [`Relay::stop`] (ENDED) and [`Relay::resume`] (the next invocation after a hand-off). Each takes
//! the lease if no active run holds it, and processes the stream until it is drained, given up,
//! handed off, or taken over by another run. Reader, deliverer and lease renewer are futures of one
//! task: dropping the run at any await point leaves only the last checkpoint, from which the next
//! run resumes.

use std::convert::Infallible;

use session::ports::{Clock, Tracer, Work};
use session::{Desired, StreamItem};

use crate::deadline::Deadline;
use crate::end_notice;
use crate::error::RelayError;
use crate::handoff::take_over;
use crate::lease::{AcquireOutcome, WaitPolicy, acquire};
use crate::lease_table::LeaseTable;
use crate::leased_run::run_with_lease;
use crate::ports::{Ports, Relay};
use crate::reader::read;
use crate::report::{Outcome, Report, RunRequest};
use crate::retry::retry;
use crate::run_state::RunState;

impl<P: Ports> Relay<'_, P> {
    /// Processes a session that has started, or that has no active run although it should.
    ///
    /// Repeated calls are harmless: while another active run holds the lease, this returns within
    /// about half a lease. A session with a stop request is not restarted; its remaining audio is
    /// drained.
    ///
    /// # Errors
    /// Returns [`RelayError`]; Lambda then retries the event.
    pub async fn start(self, request: RunRequest) -> Result<Report, RelayError> {
        let deadline = self.deadline(&request);
        let item = self.request_run(&request).await?;
        self.acquire_and_run(request, Some(item), WaitPolicy::ReturnIfActive, deadline).await
    }

    /// Stops a session: the rest of its stream is still delivered, by the active run or, if there
    /// is none, by this one.
    ///
    /// # Errors
    /// Returns [`RelayError`]; Lambda then retries the event.
    pub async fn stop(self, request: RunRequest) -> Result<Report, RelayError> {
        let deadline = self.deadline(&request);
        let session = &request.session_id;
        let stop_at = self.ctx.now_ms();
        retry(&self, session, || self.leases.request_stop(session, stop_at)).await?;
        // The stop is stored even if the rest fails; stream and settings may still be missing
        // (ENDED before ACTIVE).
        let item = self.request_run(&request).await?;
        self.acquire_and_run(request, Some(item), WaitPolicy::ReturnIfActive, deadline).await
    }

    /// Resumes a session that the holder of `epoch` hands off.
    ///
    /// # Errors
    /// Returns [`RelayError`]; Lambda then retries the event.
    pub async fn resume(self, request: RunRequest, epoch: u64) -> Result<Report, RelayError> {
        let deadline = self.deadline(&request);
        let session = &request.session_id;
        let item = retry(&self, session, || self.leases.load(session)).await?;
        self.acquire_and_run(request, item, WaitPolicy::WaitForRelease { epoch }, deadline).await
    }

    fn deadline(&self, request: &RunRequest) -> Deadline {
        Deadline::new(self.ctx.instant(), request.remaining, request.hand_over.clone())
    }

    async fn request_run(&self, request: &RunRequest) -> Result<StreamItem, RelayError> {
        let RunRequest { session_id, stream_arn, settings, .. } = request;
        let write = || self.leases.request_run(session_id, stream_arn.as_ref(), settings.as_ref());
        retry(self, session_id, write).await
    }

    /// Acquires the lease and runs with it, then notifies the listeners if the session has ended.
    /// `item` is the session's item as last read; `None` if no run was ever requested.
    async fn acquire_and_run(
        &self,
        request: RunRequest,
        item: Option<StreamItem>,
        wait: WaitPolicy,
        deadline: Deadline,
    ) -> Result<Report, RelayError> {
        let session = &request.session_id;
        let Some(item) = item else {
            return Ok(Report::without_lease(session.clone(), Outcome::Ended, 0));
        };
        let (report, stopping) = if item.ended {
            let stopping = item.desired == Desired::Stop;
            (Report::without_lease(session.clone(), Outcome::Ended, item.epoch), stopping)
        } else {
            let run = RunState::new(self, session, &item)?;
            if wait != WaitPolicy::ReturnIfActive {
                run.adopt(&item)?;
            }
            let report = tokio::select! {
                biased;
                report = acquire_then_deliver(&run, &request.owner, wait, &deadline) => report?,
                never = read_when_due(&run, wait) => match never {},
            };
            (report, run.lease.is_stopping())
        };
        if stopping && matches!(report.outcome, Outcome::Ended | Outcome::GivenUp) {
            end_notice::send(self, session, deadline.at).await;
        }
        Ok(report)
    }
}

async fn acquire_then_deliver<P: Ports>(
    run: &RunState<'_, P>,
    owner: &str,
    wait: WaitPolicy,
    deadline: &Deadline,
) -> Result<Report, RelayError> {
    let ctx = &run.ctx;
    let session = &ctx.session_id;
    let outcome = match wait {
        WaitPolicy::ReturnIfActive => acquire(ctx.relay, session, owner, wait, |_| {}).await?,
        WaitPolicy::WaitForRelease { epoch } => {
            let work = Work { name: "take over", session_id: session, epoch: Some(epoch) };
            ctx.relay.ctx.traced(work, take_over(run, owner, epoch)).await?
        }
    };
    let (outcome, epoch) = match outcome {
        AcquireOutcome::Acquired(lease) => {
            tracing::info!(sessionId = %session, epoch = lease.epoch, "lease acquired");
            run.adopt(&lease.item)?;
            let work = Work { name: "deliver", session_id: session, epoch: Some(lease.epoch) };
            return ctx.relay.ctx.traced(work, run_with_lease(run, &lease, deadline)).await;
        }
        AcquireOutcome::Ended { epoch } => (Outcome::Ended, epoch),
        AcquireOutcome::Active { epoch } if run.lease.is_stopping() => (Outcome::Stopping, epoch),
        AcquireOutcome::Active { epoch } => (Outcome::AlreadyRunning, epoch),
    };
    Ok(Report::without_lease(session.clone(), outcome, epoch))
}

/// Reads the stream. A successor reads before it holds the lease, so that connection, decoder and
/// queue are ready when the lease is free; any other run reads once it holds the lease, because a
/// duplicate event must not open a connection.
async fn read_when_due<P: Ports>(run: &RunState<'_, P>, wait: WaitPolicy) -> Infallible {
    if wait == WaitPolicy::ReturnIfActive {
        run.lease.acquired().await;
    }
    read(run).await
}
