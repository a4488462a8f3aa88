//! The functions of the template and their invocations.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::aws_error::AwsError;
use crate::clock::Clock;
use crate::faults::{Fault, FaultKind, Faults};
use crate::sqs::Sqs;

use super::deliveries::Deliveries;
use super::event::EventQueue;
use super::invocation::{Invocation, Invoked, MAX_ASYNC_PAYLOAD, MAX_SYNC_PAYLOAD};
use super::options::LambdaOptions;
use super::pool::{self, Pool};
use super::qualifier;
use super::segments::Segments;
use sam_template::{Account, Function};

/// The operations that a fault may name: a run of a function, and the queueing of an event.
const OPERATIONS: [&str; 2] = ["Invoke", "InvokeAsync"];

/// The service.
#[derive(Debug)]
pub struct Lambda {
    clock: Clock,
    faults: Faults,
    account: Account,
    pub(super) pools: Vec<Arc<Pool>>,
    events: Arc<EventQueue>,
    deliveries: Deliveries,
    stop: CancellationToken,
}

impl Lambda {
    /// Creates the functions of the template without processes. All processes end when `stop` is
    /// cancelled.
    pub fn new(
        clock: Clock,
        faults: Faults,
        account: Account,
        functions: &[Function],
        sqs: Arc<Sqs>,
        options: LambdaOptions,
        stop: CancellationToken,
    ) -> Arc<Self> {
        let deliveries = Deliveries::new(options.recogniser.clone());
        let (options, iam) = (Arc::new(options.clone()), options.iam);
        let pools = functions
            .iter()
            .map(|function| {
                let (options, stop) = (Arc::clone(&options), stop.clone());
                let segments = Segments::new(options.xray.service(), function);
                let function = function.clone();
                Pool::new(function, clock.clone(), options, deliveries.clone(), segments, stop)
            })
            .collect();
        let events = EventQueue::new(clock.clone(), faults.clone(), iam, sqs, stop.clone());
        let events = Arc::new(events);
        Arc::new(Self { clock, faults, account, pools, events, deliveries, stop })
    }

    /// Runs a function and waits for its answer (RequestResponse). `function` is a name or an ARN,
    /// `trace` the X-Amzn-Trace-Id header to pass on.
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
        self.invoke_sync(function, Invocation::new(payload, trace, MAX_SYNC_PAYLOAD)?).await
    }

    /// As [`Lambda::invoke`], for an HTTP request.
    pub(crate) async fn invoke_for_http(
        &self,
        function: &str,
        payload: Bytes,
        trace: String,
    ) -> Result<Invoked, AwsError> {
        let mut invocation = Invocation::new(payload, Some(trace), MAX_SYNC_PAYLOAD)?;
        invocation.of_http_request = true;
        self.invoke_sync(function, invocation).await
    }

    /// Runs an invocation of a function and waits for its answer.
    pub(super) async fn invoke_sync(
        &self,
        function: &str,
        mut invocation: Invocation,
    ) -> Result<Invoked, AwsError> {
        let pool = self.invocable(function)?;
        let segment = pool.segments().request(&mut invocation);
        match self.admit(pool, "Invoke", &invocation).await {
            Ok(fault) => pool.invoke(invocation, fault, segment).await,
            Err(error) => Err(segment.refused(error)),
        }
    }

    /// Returns the fault that applies to an invocation.
    ///
    /// # Errors
    /// The fault's error, or that of a recursive loop.
    async fn admit(
        &self,
        pool: &Pool,
        operation: &str,
        invocation: &Invocation,
    ) -> Result<Option<Fault>, AwsError> {
        let fault = pool.gate(&self.faults, operation).await?;
        pool.check_loop(invocation)?;
        Ok(fault)
    }

    /// Queues an event for a function (Event, 202). Lambda retries it, and sends a record of an
    /// event that it gives up to the function's OnFailure destination.
    ///
    /// # Errors
    /// The event could not be queued: as [`Lambda::invoke`], without the throttling.
    pub async fn invoke_async(
        self: &Arc<Self>,
        function: &str,
        payload: Bytes,
        trace: Option<String>,
    ) -> Result<(), AwsError> {
        self.queue(function, payload, trace).await.map(drop)
    }

    /// As [`Lambda::invoke_async`]; returns the id of the invocation.
    pub(super) async fn queue(
        self: &Arc<Self>,
        function: &str,
        payload: Bytes,
        trace: Option<String>,
    ) -> Result<String, AwsError> {
        let pool = Arc::clone(self.invocable(function)?);
        let mut invocation = Invocation::new(payload, trace, MAX_ASYNC_PAYLOAD)?;
        invocation.is_event = true;
        let segment = pool.segments().request(&mut invocation);
        let fault = match self.admit(&pool, "InvokeAsync", &invocation).await {
            Ok(fault) => fault,
            Err(error) => return Err(segment.refused(error)),
        };
        let request_id = invocation.request_id.clone();
        match fault {
            Some(fault) if fault.kind == FaultKind::Answer => return Ok(request_id),
            Some(fault) if fault.kind == FaultKind::AnswerLost => {
                self.events.push(pool, invocation, segment)?;
                return Err(fault.error());
            }
            _ => self.events.push(pool, invocation, segment)?,
        }
        Ok(request_id)
    }

    /// Returns the recorded invocations of the audio processor.
    pub fn deliveries(&self) -> &Deliveries {
        &self.deliveries
    }

    /// Returns the operations that a fault may name.
    pub fn operations() -> impl Iterator<Item = &'static str> {
        OPERATIONS.into_iter()
    }

    /// Returns whether `function`, a name or an ARN, is a function that runs here.
    pub(crate) fn runs(&self, function: &str) -> bool {
        self.invocable(function).is_ok()
    }

    /// Returns the deployed names of the functions.
    pub(crate) fn names(&self) -> Vec<String> {
        self.pools.iter().map(|pool| pool.function().name.clone()).collect()
    }

    /// Takes new settings of functions.
    pub(crate) fn deploy(&self, functions: &[Function]) {
        for function in functions {
            let own = |pool: &&Arc<Pool>| pool.function().logical_id == function.logical_id;
            if let Some(pool) = self.pools.iter().find(own) {
                pool.deploy(function);
            }
        }
    }

    /// Returns the functions without a binary, with the path at which it is missing.
    pub fn missing_binaries(&self) -> Vec<(String, PathBuf)> {
        let missing = self.pools.iter().filter(|pool| !pool.binary().is_file());
        missing.map(|pool| (pool.function().name.clone(), pool.binary())).collect()
    }

    /// Kills all processes of a function, also those that run an invocation. Returns how many there
    /// were.
    ///
    /// # Errors
    /// There is no such function.
    pub(crate) fn kill(&self, function: &str) -> Result<usize, AwsError> {
        Ok(self.pool(function)?.kill_all())
    }

    /// Samples the gauges of the functions.
    pub(crate) fn sample_metrics(&self) {
        self.pools.iter().for_each(|pool| pool.sample_concurrency());
    }

    /// Starts `count` processes of each function on managed instances, and keeps their number.
    /// Returns when each has started, or has failed to.
    pub(crate) async fn keep_instances(&self, count: u32) {
        join_all(self.pools.iter().map(|pool| pool.keep_instances(count))).await;
    }

    /// Kills processes that have been idle for long, until the services stop.
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

    /// Returns the service's part of `/_local/state`.
    pub fn state(&self) -> Value {
        let functions = self.pools.iter().map(|pool| pool.state()).collect::<Vec<_>>();
        json!({ "functions": functions, "waitingEvents": self.events.pending() })
    }

    /// Returns the pool of a function that can be invoked with the qualifier in `function`.
    pub(super) fn invocable(&self, function: &str) -> Result<&Arc<Pool>, AwsError> {
        let pool = self.pool(function)?;
        let (name, qualifier) = qualifier::split(function);
        match qualifier::is_invocable(&pool.function(), qualifier) {
            true => Ok(pool),
            false => Err(self.no_function(name, qualifier)),
        }
    }

    /// Returns the pool of a function by package name, deployed name or ARN, each with any
    /// qualifier.
    pub(super) fn pool(&self, function: &str) -> Result<&Arc<Pool>, AwsError> {
        let (name, qualifier) = qualifier::split(function);
        let by = |matches: fn(&Function, &str) -> bool| {
            self.pools.iter().find(|pool| matches(&pool.function(), name))
        };
        let found = by(|it, name| it.name == name).or_else(|| by(|it, name| it.package == name));
        found.ok_or_else(|| self.no_function(name, qualifier))
    }

    fn no_function(&self, name: &str, qualifier: Option<&str>) -> AwsError {
        let qualifier = qualifier.map(|it| format!(":{it}")).unwrap_or_default();
        let arn = self.account.arn("lambda", &format!("function:{name}{qualifier}"));
        AwsError::not_found(format!("Function not found: {arn}")).with("Type", "User")
    }
}
