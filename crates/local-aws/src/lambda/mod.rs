//! Lambda: Invoke on one side, the Runtime API on the other, function processes between them.
//!
//! A function runs as the binary that is named after its package, in as many processes
//! (`instance`) as there are invocations at once (`pool`); each process has a Runtime API of
//! its own on a port that the system picks (`runtime_api`). Asynchronous invocations are queued,
//! retried and given up as Lambda does (`event`). The HTTP side is `api`.

mod api;
mod carry_out;
mod client_context;
mod deliveries;
mod event;
mod extensions;
mod instance;
mod invocation;
mod logs;
mod pool;
mod runtime_api;
mod trace;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::aws_error::AwsError;
use crate::clock::Clock;
use crate::faults::{FaultKind, Faults};
use crate::iam::Iam;
use crate::sqs::Sqs;
pub use deliveries::{Deliveries, Delivery, Outcome};
use invocation::Invocation;
use pool::Pool;
use sam_template::Account;
use sam_template::Function;

/// The largest payload and answer of a synchronous invocation, in bytes (Lambda quotas: 6 MB).
pub const MAX_SYNC_PAYLOAD: usize = 6 * 1024 * 1024;
/// The largest payload of an asynchronous invocation, in bytes (1 MB since 2026-01).
pub const MAX_ASYNC_PAYLOAD: usize = 1024 * 1024;

/// What a fault can strike: a run of a function, and the taking of an event.
const OPERATIONS: [&str; 2] = ["Invoke", "InvokeAsync"];

/// What the machine decides about functions.
#[derive(Debug, Clone)]
pub struct LambdaOptions {
    /// Where the function binaries are.
    pub binaries: PathBuf,
    /// The folder for the functions' logs, one file each.
    pub logs: PathBuf,
    /// Whether logs also go to this process's stderr.
    pub verbose: bool,
    /// What every function finds in its environment beside its own variables.
    pub environment: BTreeMap<String, String>,
    /// What the functions may do.
    pub iam: Arc<Iam>,
}

/// The service.
#[derive(Debug)]
pub struct Lambda {
    clock: Clock,
    faults: Faults,
    account: Account,
    sqs: Arc<Sqs>,
    iam: Arc<Iam>,
    pools: Vec<Arc<Pool>>,
    events: event::Waiting,
    deliveries: Deliveries,
    stop: CancellationToken,
}

/// What an invocation gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invoked {
    /// The id of the invocation, as the function saw it.
    pub request_id: String,
    /// The answer, or the error's `{"errorType", "errorMessage"}`.
    pub payload: Bytes,
    /// `Handled` or `Unhandled` when the function failed; absent when it answered.
    pub function_error: Option<String>,
}

impl Lambda {
    /// The functions of the template, none of them running yet. All of their processes end when
    /// `stop` is cancelled.
    pub fn new(
        clock: Clock,
        faults: Faults,
        account: Account,
        functions: &[Function],
        sqs: Arc<Sqs>,
        options: LambdaOptions,
        stop: CancellationToken,
    ) -> Arc<Self> {
        let (options, iam) = (Arc::new(options.clone()), options.iam);
        let deliveries = Deliveries::default();
        let pools = functions
            .iter()
            .map(|function| {
                let (options, stop) = (Arc::clone(&options), stop.clone());
                Pool::new(function.clone(), clock.clone(), options, deliveries.clone(), stop)
            })
            .collect();
        let events = event::Waiting::default();
        Arc::new(Self { clock, faults, account, sqs, iam, pools, events, deliveries, stop })
    }

    /// Runs a function and waits for its answer (RequestResponse). `function` is a name or an ARN,
    /// `trace` the X-Amzn-Trace-Id header to hand on.
    ///
    /// # Errors
    /// `ResourceNotFoundException`, `TooManyRequestsException`, `RequestTooLargeException`,
    /// `InvalidRequestContentException`, `ServiceException`. A failing function is no error here:
    /// see [`Invoked::function_error`].
    pub async fn invoke(
        &self,
        function: &str,
        payload: Bytes,
        trace: Option<String>,
    ) -> Result<Invoked, AwsError> {
        self.invoke_for(function, payload, trace, None).await
    }

    /// [`Lambda::invoke`] with the caller's ClientContext, decoded.
    async fn invoke_for(
        &self,
        function: &str,
        payload: Bytes,
        trace: Option<String>,
        client_context: Option<String>,
    ) -> Result<Invoked, AwsError> {
        let pool = self.pool(function)?;
        let mut invocation = Invocation::new(payload, trace, MAX_SYNC_PAYLOAD)?;
        invocation.client_context = client_context;
        let pool_name = pool.function().name.clone();
        let fault = self.faults.gate("lambda", "Invoke", &pool_name).await?;
        pool.check_loop(&invocation)?;
        pool.invoke(invocation, fault).await
    }

    /// Queues an event for a function (Event, 202): Lambda then retries it by itself and sends what
    /// it gives up to the function's OnFailure destination.
    ///
    /// # Errors
    /// Why the event was not even queued: as [`Lambda::invoke`], without the throttling.
    pub async fn invoke_async(
        self: &Arc<Self>,
        function: &str,
        payload: Bytes,
        trace: Option<String>,
    ) -> Result<(), AwsError> {
        self.queue(function, payload, trace).await.map(drop)
    }

    /// [`Lambda::invoke_async`] that tells the id of the invocation.
    async fn queue(
        self: &Arc<Self>,
        function: &str,
        payload: Bytes,
        trace: Option<String>,
    ) -> Result<String, AwsError> {
        let pool = Arc::clone(self.pool(function)?);
        let invocation = Invocation::new(payload, trace, MAX_ASYNC_PAYLOAD)?;
        let pool_name = pool.function().name.clone();
        let fault = self.faults.gate("lambda", "InvokeAsync", &pool_name).await?;
        pool.check_loop(&invocation)?;
        let request_id = invocation.request_id.clone();
        match fault {
            Some(fault) if fault.kind == FaultKind::Answer => return Ok(request_id),
            Some(fault) if fault.kind == FaultKind::AnswerLost => {
                event::queue(self, pool, invocation)?;
                return Err(fault.error());
            }
            _ => event::queue(self, pool, invocation)?,
        }
        Ok(request_id)
    }

    /// What the audio processor was offered and answered.
    pub fn deliveries(&self) -> &Deliveries {
        &self.deliveries
    }

    /// The operations that a fault can strike.
    pub fn operations() -> impl Iterator<Item = &'static str> {
        OPERATIONS.into_iter()
    }

    /// Answers one request of the `lambda` scope.
    pub async fn handle(self: Arc<Self>, request: Request) -> Response {
        api::handle(self, request).await
    }

    /// The functions that have no binary, with the path where it was looked for.
    pub fn missing_binaries(&self) -> Vec<(String, PathBuf)> {
        let missing = self.pools.iter().filter(|pool| !pool.binary().is_file());
        missing.map(|pool| (pool.function().name.clone(), pool.binary())).collect()
    }

    /// Ends idle instances until the cloud stops, as Lambda does after some minutes.
    pub async fn reap(self: Arc<Self>) {
        while !self.stop.is_cancelled() {
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = self.clock.sleep(pool::REAP_EVERY) => {}
            }
            for pool in &self.pools {
                pool.reap();
            }
        }
    }

    /// Waits until every function process has ended; cancel the stop token first.
    pub async fn ended(&self) {
        for pool in &self.pools {
            pool.ended().await;
        }
    }

    /// What `/_local/state` shows.
    pub fn state(&self) -> Value {
        let functions = self.pools.iter().map(|pool| pool.state()).collect::<Vec<_>>();
        json!({ "functions": functions, "waitingEvents": self.events.count() })
    }

    /// The pool of a function by package name, deployed name or ARN, any of them with a qualifier.
    fn pool(&self, function: &str) -> Result<&Arc<Pool>, AwsError> {
        let name = bare_name(function);
        let by = |matches: fn(&Function, &str) -> bool| {
            self.pools.iter().find(|pool| matches(pool.function(), name))
        };
        by(|it, name| it.name == name).or_else(|| by(|it, name| it.package == name)).ok_or_else(
            || {
                let arn = self.account.arn("lambda", &format!("function:{name}"));
                AwsError::not_found(format!("Function not found: {arn}")).with("Type", "User")
            },
        )
    }
}

/// The name inside `NAME`, `NAME:QUALIFIER`, `ACCOUNT:function:NAME` or an ARN of either form.
fn bare_name(function: &str) -> &str {
    let name = match function.split_once("function:") {
        Some((_, rest)) => rest,
        None => function,
    };
    name.split(':').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_answers_to_every_form_of_its_name() {
        for name in [
            "f-dev",
            "f-dev:$LATEST",
            "000000000000:function:f-dev",
            "arn:aws:lambda:us-east-1:000000000000:function:f-dev",
            "arn:aws:lambda:us-east-1:000000000000:function:f-dev:live",
        ] {
            assert_eq!(bare_name(name), "f-dev");
        }
    }
}
