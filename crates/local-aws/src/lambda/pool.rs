//! The processes of one function: claimed when idle, started on demand, killed when idle for long.
//! Those of a function on managed instances are in `instances`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::concurrency::{Concurrency, ConcurrencyPermit};
use super::deliveries::Deliveries;
use super::environment::{ExecutionEnvironment, StartFailure};
use super::execution::{self, Limits};
use super::invocation::{Invocation, Invoked, MAX_SYNC_TIME};
use super::options::LambdaOptions;
use super::segments::{self, Segment, Segments};
use super::{process, trace};
use crate::aws_error::AwsError;
use crate::clock::{Clock, real_now_us};
use crate::faults::{Fault, FaultKind, Faults};
use sam_template::Function;

/// How often idle processes are checked, and how long one may be idle, on the scaled clock. Lambda
/// keeps them for some minutes, without a guarantee.
pub(super) const REAP_EVERY: Duration = Duration::from_secs(60);
const KEPT_IDLE: Duration = Duration::from_secs(600);
/// The minimum for any time scale, in real time.
const KEPT_IDLE_REAL: Duration = Duration::from_secs(20);

/// How long a process may take until it asks for its first invocation (Lambda's init phase), in
/// real time: a process does not start faster when the clock is scaled.
const START_LIMIT: Duration = Duration::from_secs(10);

/// How long an invocation waits, in real time, for a process that has answered and is about to ask
/// for more, before it starts another one. It takes a round trip on this machine.
const SETTLING: Duration = Duration::from_millis(200);

/// How often an invocation checks for such a process.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

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

    /// Ends the processes with earlier settings, each when it is idle.
    async fn end_outdated(&self) {
        loop {
            let changed = self.changed.notified();
            self.reap();
            let function = self.function();
            if self.environments().values().all(|it| it.function == *function) {
                return;
            }
            tokio::select! {
                () = changed => {}
                () = self.stop.cancelled() => return,
            }
        }
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
            Some(fault) if fault.kind == FaultKind::Answer => invocation.said(&fault.extra),
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

    /// Returns the process for an invocation: the claimed one, or an idle one, the last used first,
    /// or a new one, with the time when its start began.
    async fn environment(
        self: &Arc<Self>,
        claimed: Option<Arc<ExecutionEnvironment>>,
        invocation: &Invocation,
    ) -> Result<(Arc<ExecutionEnvironment>, Option<f64>), Invoked> {
        if let Some(environment) = claimed {
            return Ok((environment, None));
        }
        let settled = Instant::now() + SETTLING;
        loop {
            let changed = self.changed.notified();
            let (idle, settling) = self.claim_idle();
            match idle {
                Some(environment) => return Ok((environment, None)),
                None if !settling || Instant::now() > settled => break,
                // Checked again whether or not something has changed.
                None => drop(tokio::time::timeout(LOOK_AGAIN, changed).await),
            }
        }
        let began = segments::now();
        match self.start().await {
            Ok(environment) => Ok((environment, Some(began))),
            Err(failure) => Err(not_started(failure, invocation)),
        }
    }

    /// Claims an idle process, and returns whether another is about to be idle.
    fn claim_idle(&self) -> (Option<Arc<ExecutionEnvironment>>, bool) {
        let (environments, function) = (self.environments(), self.function());
        let current = environments.values().filter(|it| it.function == *function);
        let mut idle: Vec<_> =
            current.clone().filter_map(|it| Some((it.idle_since()?, it))).collect();
        idle.sort_by_key(|(since, _)| std::cmp::Reverse(*since));
        let claimed = idle.into_iter().find(|(_, it)| it.claim()).map(|(_, it)| Arc::clone(it));
        (claimed, current.into_iter().any(|it| it.is_settling()))
    }

    /// Starts a process, and waits until it asks for its first invocation.
    pub(super) async fn start(self: &Arc<Self>) -> Result<Arc<ExecutionEnvironment>, StartFailure> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (idle, stop) = (Arc::clone(&self.changed), &self.stop);
        let function = self.function();
        let started = process::start(id, &function, &self.options, idle, stop).await;
        let environment = started.map_err(|error| {
            StartFailure::NotStarted(format!("{}: {error}", self.binary().display()))
        })?;
        self.environments().insert(id, Arc::clone(&environment));
        let (pool, exiting) = (Arc::downgrade(self), Arc::clone(&environment));
        tokio::spawn(async move {
            exiting.exited().await;
            if let Some(pool) = pool.upgrade() {
                pool.remove(id);
            }
        });
        match environment.started(START_LIMIT).await {
            Ok(()) => Ok(environment),
            Err(failure) => {
                environment.kill();
                Err(failure)
            }
        }
    }

    /// Removes an exited process.
    pub(super) fn remove(&self, id: u64) {
        self.environments().remove(&id);
        self.changed.notify_waiters();
    }

    /// Kills the processes that have been idle for long, and idle ones with earlier settings.
    pub(super) fn reap(&self) {
        let function = self.function();
        let longest = self.clock.real(KEPT_IDLE).max(KEPT_IDLE_REAL);
        for environment in self.environments().values() {
            let is_outdated = environment.function != *function;
            let idle = environment
                .idle_since()
                .is_some_and(|since| is_outdated || since.elapsed() > longest);
            // Claimed first, so that no invocation is given to a process that is being ended.
            if idle && environment.claim() {
                environment.kill();
            }
        }
    }

    /// Kills all processes, also those that run an invocation. Returns how many there were.
    pub(super) fn kill_all(&self) -> usize {
        let environments = self.environments();
        environments.values().for_each(|environment| environment.kill());
        environments.len()
    }

    /// Waits until no process is left.
    pub(super) async fn ended(&self) {
        loop {
            let ended = self.changed.notified();
            if self.environments().is_empty() {
                return;
            }
            ended.await;
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

    pub(super) fn environments(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<ExecutionEnvironment>>> {
        self.environments.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the result of an invocation whose process did not start.
fn not_started(failure: StartFailure, invocation: &Invocation) -> Invoked {
    match failure {
        StartFailure::Reported(report) => invocation.failed(report),
        StartFailure::Exited(how) => {
            let reason = format!("Runtime exited with error: {how}");
            invocation.ended("Runtime.ExitError", &reason)
        }
        StartFailure::TooSlow => {
            let reason = "Runtime did not ask for its first invocation in 10 s";
            invocation.ended("Sandbox.Timedout", reason)
        }
        StartFailure::NotStarted(reason) => invocation.ended("Runtime.InvalidEntrypoint", &reason),
    }
}
