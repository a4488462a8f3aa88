//! One function: its settings, its processes and its invocations. The processes of a function on
//! managed instances are in `instances`.

mod processes;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::concurrency::{Concurrency, ConcurrencyPermit};
use super::deliveries::Deliveries;
use super::environment::ExecutionEnvironment;
use super::execution::{self, Limits};
use super::invocation::{Invocation, Invoked, MAX_SYNC_TIME};
use super::options::LambdaOptions;
use super::segments::{Segment, Segments};
use super::trace;
use crate::aws_error::AwsError;
use crate::clock::{Clock, real_now_us};
use crate::faults::{Fault, FaultKind, Faults};
use sam_template::Function;

pub(super) use processes::REAP_EVERY;

/// One function.
#[derive(Debug)]
pub(super) struct Pool {
    function: RwLock<Arc<Function>>,
    clock: Clock,
    options: Arc<LambdaOptions>,
    deliveries: Deliveries,
    segments: Segments,
    stop: CancellationToken,
    environments: Mutex<BTreeMap<u64, Arc<ExecutionEnvironment>>>,
    /// Notified when an environment becomes idle or exits.
    changed: Arc<Notify>,
    next_id: AtomicU64,
    concurrency: Concurrency,
    counts: Counts,
}

/// The counters that `/_local/state` shows.
#[derive(Debug, Default)]
struct Counts {
    invocations: AtomicU64,
    errors: AtomicU64,
    throttles: AtomicU64,
    timeouts: Arc<AtomicU64>,
}

impl Pool {
    pub(super) fn new(
        function: Function,
        clock: Clock,
        options: Arc<LambdaOptions>,
        deliveries: Deliveries,
        segments: Segments,
        stop: CancellationToken,
    ) -> Arc<Self> {
        Arc::new(Self {
            concurrency: Concurrency::new(function.reserved_concurrency),
            function: RwLock::new(Arc::new(function)),
            clock,
            options,
            deliveries,
            segments,
            stop,
            environments: Mutex::default(),
            changed: Arc::new(Notify::new()),
            next_id: AtomicU64::new(1),
            counts: Counts::default(),
        })
    }

    /// Returns the function's concurrency.
    pub(super) fn concurrency(&self) -> &Concurrency {
        &self.concurrency
    }

    /// Returns the function with its current settings.
    pub(super) fn function(&self) -> Arc<Function> {
        Arc::clone(&self.function.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes new settings, as UpdateFunctionConfiguration does: invocations that run continue in
    /// their process, later ones get a process with the new settings.
    pub(super) fn deploy(self: &Arc<Self>, function: &Function) {
        let before = self.function();
        if before.reserved_concurrency != function.reserved_concurrency {
            self.concurrency.reserve(function.reserved_concurrency);
        }
        let mut current = self.function.write().unwrap_or_else(PoisonError::into_inner);
        *current = Arc::new(function.clone());
        drop(current);
        let pool = Arc::clone(self);
        tokio::spawn(async move { pool.end_outdated().await });
    }

    /// Records the segments of the function's invocations.
    pub(super) fn segments(&self) -> &Segments {
        &self.segments
    }

    /// Where the function's binary is, or should be.
    pub(super) fn binary(&self) -> PathBuf {
        self.options.binary(&self.function())
    }

    /// Rejects an invocation that is part of a recursive loop.
    ///
    /// # Errors
    /// `RecursiveInvocationException`.
    pub(super) fn check_loop(&self, invocation: &Invocation) -> Result<(), AwsError> {
        let function = self.function();
        let links = trace::links(&invocation.trace, &function.name);
        if function.recursive_loop_allowed || links < trace::MAX_LINKS {
            return Ok(());
        }
        let message = "Lambda detected the function being invoked in a recursive loop with other \
                       AWS resources and stopped your function's invocation.";
        Err(AwsError::bad_request("RecursiveInvocationException", message).with("Type", "User"))
    }

    /// Runs one invocation to its end, even if the caller disconnects, and ends `segment`, that of
    /// its request.
    ///
    /// # Errors
    /// `TooManyRequestsException` at the concurrency limit, `ServiceException` when no process can
    /// be started, or a fault's error.
    pub(super) async fn invoke(
        self: &Arc<Self>,
        invocation: Invocation,
        fault: Option<Fault>,
        segment: Segment,
    ) -> Result<Invoked, AwsError> {
        let permit = match self.concurrency.acquire() {
            Ok(permit) => permit,
            Err(throttled) => {
                self.refused(&throttled);
                return Err(segment.refused(throttled));
            }
        };
        let pool = Arc::clone(self);
        let answer_lost = fault.as_ref().filter(|fault| fault.kind == FaultKind::AnswerLost);
        let lost = answer_lost.map(Fault::error);
        let task = tokio::spawn(async move {
            let (payload, received_us) = (invocation.payload.clone(), real_now_us());
            let root = trace::root(&invocation.trace).to_owned();
            let result = pool.run(invocation, fault, permit).await;
            pool.note(&payload, &root, &result, received_us);
            segment.end_with(&result);
            result
        });
        let invoked = match task.await {
            Ok(result) => result?,
            Err(error) => return Err(AwsError::internal("ServiceException", error.to_string())),
        };
        match lost {
            Some(error) => Err(error),
            None => Ok(invoked),
        }
    }

    /// Records the function's answer in the delivery log, also when the caller does not receive it.
    fn note(
        &self,
        payload: &Bytes,
        root: &str,
        result: &Result<Invoked, AwsError>,
        received_us: u64,
    ) {
        let failed = result.as_ref().is_ok_and(|invoked| invoked.function_error.is_some());
        let answer = match result {
            Ok(invoked) => Ok(&invoked.payload[..]),
            Err(error) => Err(error.code.as_ref()),
        };
        self.deliveries.record(payload, root, answer, failed, received_us, real_now_us());
    }

    /// Returns the fault of an invocation, if there is one.
    ///
    /// # Errors
    /// The fault's error, of which a throttle counts as one of the function.
    pub(super) async fn gate(
        &self,
        faults: &Faults,
        operation: &str,
    ) -> Result<Option<Fault>, AwsError> {
        let gate = faults.gate("lambda", operation, &self.function().name).await;
        gate.inspect_err(|error| self.refused(error))
    }

    /// Counts an error that is a throttle.
    pub(super) fn refused(&self, error: &AwsError) {
        if error.code == "TooManyRequestsException" {
            self.counts.throttles.fetch_add(1, Ordering::Relaxed);
            self.metric("Throttles", "Count", 1.0);
        }
    }

    /// Adds a value to a metric of the function (Lambda guide, "Types of metrics").
    fn metric(&self, metric: &str, unit: &str, value: f64) {
        let function = self.function();
        let dimension = ("FunctionName", function.name.as_str());
        self.options.metrics.count("AWS/Lambda", metric, dimension, unit, value);
    }

    /// Adds how many invocations run now.
    pub(super) fn sample_concurrency(&self) {
        let running = self.concurrency.running();
        if running > 0 {
            self.metric("ConcurrentExecutions", "Count", running as f64);
        }
    }

    async fn run(
        self: &Arc<Self>,
        mut invocation: Invocation,
        fault: Option<Fault>,
        permit: ConcurrencyPermit,
    ) -> Result<Invoked, AwsError> {
        let is_answered = fault.as_ref().is_some_and(|fault| fault.kind == FaultKind::Answer);
        let instance = if is_answered { None } else { self.claim_instance()? };
        self.counts.invocations.fetch_add(1, Ordering::Relaxed);
        self.sample_concurrency();
        let began = self.clock.now_ms();
        let invoked = match fault {
            Some(fault) if fault.kind == FaultKind::Answer => {
                invocation.answered_by_fault(&fault.extra)
            }
            fault => match self.environment(instance, &invocation).await {
                Ok((environment, initialized)) => {
                    let segment = self.segments.run(&mut invocation, initialized);
                    let timeout = self.timeout(&environment.function, &invocation);
                    let timeouts = Arc::clone(&self.counts.timeouts);
                    let limits = Limits { timeout, timeouts };
                    let run = execution::execute(&environment, &invocation, fault, permit, limits);
                    let invoked = run.await;
                    segment.end(&invoked);
                    invoked
                }
                Err(invoked) => {
                    self.segments.run(&mut invocation, None).end(&invoked);
                    invoked
                }
            },
        };
        let failed = invoked.function_error.is_some();
        self.counts.errors.fetch_add(u64::from(failed), Ordering::Relaxed);
        self.metric("Invocations", "Count", 1.0);
        self.metric("Errors", "Count", f64::from(failed));
        self.metric("Throttles", "Count", 0.0);
        self.metric("Duration", "Milliseconds", (self.clock.now_ms() - began) as f64);
        match self.stop.is_cancelled() {
            true => Err(AwsError::internal("ServiceException", "local-cloud is ending")),
            false => Ok(invoked),
        }
    }

    /// Returns how long an invocation may last, in real time.
    fn timeout(&self, function: &Function, invocation: &Invocation) -> Duration {
        let timeout = match invocation.is_event {
            true => function.timeout,
            false => function.timeout.min(MAX_SYNC_TIME),
        };
        match invocation.of_http_request {
            true => self.clock.request_timeout(timeout),
            false => self.clock.real(timeout),
        }
    }

    /// Returns the service's part of `/_local/state`.
    pub(super) fn state(&self) -> Value {
        let (count, function) =
            (|count: &AtomicU64| count.load(Ordering::Relaxed), self.function());
        let instances = self
            .environments()
            .values()
            .map(|it| {
                json!({
                    "id": it.id, "pid": it.pid, "doing": it.state_name(), "running": it.running(),
                })
            })
            .collect::<Vec<_>>();
        json!({
            "name": function.name,
            "package": function.package,
            "log": function.log,
            "arn": function.arn,
            "program": self.options.program(&function),
            "timeoutSeconds": function.timeout.as_secs(),
            "running": self.concurrency.running(),
            "instances": instances,
            "started": count(&self.next_id) - 1,
            "invocations": count(&self.counts.invocations),
            "errors": count(&self.counts.errors),
            "timeouts": count(&self.counts.timeouts),
            "throttles": count(&self.counts.throttles),
        })
    }

    /// Returns the clock of the services.
    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Waits until the services stop.
    pub(super) async fn stopped(&self) {
        self.stop.cancelled().await;
    }
}
