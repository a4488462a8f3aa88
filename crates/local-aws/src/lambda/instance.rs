//! One process of a function and what it is doing.

use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{Notify, oneshot, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::extensions::Extensions;
use super::invocation::Invocation;
use super::logs::Log;
use super::pool::{Pool, Running};
use super::{LambdaOptions, runtime_api};
use sam_template::Function;

/// How long an extension that has nothing to do takes to say so, in real time. One that does more
/// is not waited for: Lambda would start another process at once.
const FINISHING: Duration = Duration::from_millis(10);

/// What the process gave for an invocation.
#[derive(Debug)]
pub(super) enum Outcome {
    Answer(Bytes),
    Error(Bytes),
}

/// An invocation on its way to the process.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) invocation: Invocation,
    /// Real time, in milliseconds since the epoch.
    pub(super) deadline_ms: i64,
}

/// What an invocation keeps while the process has to do with it.
#[derive(Debug)]
pub(super) struct Kept {
    /// Its place in the function's concurrency.
    pub(super) _running: Running,
    /// Tells whoever watches its time that it is over.
    pub(super) _over: DropGuard,
}

/// What the process does, as far as the Runtime API tells.
#[derive(Debug)]
enum Doing {
    /// Its runtime or an extension has not asked for what comes first yet.
    Starting { asked: bool },
    /// Somebody has it and is about to hand over an invocation.
    Claimed,
    /// It works; the answer goes to the sender.
    Working { request_id: String, answer: oneshot::Sender<Outcome> },
    /// It has answered; its runtime or an extension has not asked for more.
    Answered { asked: bool, since: Instant },
    /// It waits for an invocation, since then.
    Idle(Instant),
}

/// Why a process could not begin.
#[derive(Debug, Clone)]
pub(super) enum StartFailure {
    /// The function reported an error while it started.
    Reported(Bytes),
    /// The process ended, with this description.
    Exited(String),
    /// It did not ask for an invocation in time.
    TooSlow,
}

/// One process.
#[derive(Debug)]
pub(super) struct Instance {
    pub(super) id: u64,
    /// The system's number of the process.
    pub(super) pid: Option<u32>,
    pool: Weak<Pool>,
    pub(super) function: Function,
    doing: Mutex<Doing>,
    job: Mutex<Option<Job>>,
    job_came: Notify,
    /// What the invocation in hand keeps, until its extensions are done with it too.
    kept: Mutex<Option<Kept>>,
    began: watch::Sender<bool>,
    start_error: Mutex<Option<Bytes>>,
    exit: watch::Sender<Option<String>>,
    kill: CancellationToken,
    pub(super) extensions: Extensions,
}

impl Instance {
    /// Starts a process with a Runtime API of its own. The caller has claimed it.
    ///
    /// # Errors
    /// The binary cannot be run or no port be had.
    pub(super) async fn start(
        id: u64,
        pool: &Arc<Pool>,
        options: &LambdaOptions,
        stop: &CancellationToken,
    ) -> std::io::Result<Arc<Self>> {
        let function = pool.function().clone();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let log = Log::open(&options.logs, &function.package, options.verbose)?;
        let mut child = command(pool, options, id, address).spawn()?;
        if let Some(stdout) = child.stdout.take() {
            tokio::spawn(log.clone().drain(stdout));
        }
        if let Some(stderr) = child.stderr.take() {
            tokio::spawn(log.drain(stderr));
        }
        let instance = Arc::new(Self {
            id,
            pid: child.id(),
            pool: Arc::downgrade(pool),
            function,
            doing: Mutex::new(Doing::Starting { asked: false }),
            job: Mutex::new(None),
            job_came: Notify::new(),
            kept: Mutex::default(),
            began: watch::Sender::new(false),
            start_error: Mutex::new(None),
            exit: watch::Sender::new(None),
            kill: stop.child_token(),
            extensions: Extensions::default(),
        });
        let ended = CancellationToken::new();
        runtime_api::serve(listener, Arc::clone(&instance), ended.clone());
        tokio::spawn(Arc::clone(&instance).watch(child, ended));
        Ok(instance)
    }

    /// Waits for the process's end, or ends it when it is to be killed.
    async fn watch(self: Arc<Self>, mut child: Child, ended: CancellationToken) {
        let status = tokio::select! {
            status = child.wait() => status,
            () = self.kill.cancelled() => {
                // An error means that the process has ended by itself in the meantime.
                let _ = child.start_kill();
                child.wait().await
            }
        };
        self.let_go();
        self.exit.send_replace(Some(described(status)));
        ended.cancel();
        if let Some(pool) = self.pool.upgrade() {
            pool.remove(self.id);
        }
    }

    /// Waits until the process asks for its first invocation.
    ///
    /// # Errors
    /// It failed to start, ended, or took longer than `limit`.
    pub(super) async fn begun(&self, limit: Duration) -> Result<(), StartFailure> {
        let mut began = self.began.subscribe();
        let mut exit = self.exit.subscribe();
        tokio::select! {
            biased;
            Ok(_) = began.wait_for(|began| *began) => Ok(()),
            Ok(exit) = exit.wait_for(Option::is_some) => {
                match lock(&self.start_error).take() {
                    Some(report) => Err(StartFailure::Reported(report)),
                    None => Err(StartFailure::Exited(exit.clone().unwrap_or_default())),
                }
            }
            () = tokio::time::sleep(limit) => Err(StartFailure::TooSlow),
        }
    }

    /// Hands an invocation to the process; the answer comes through the receiver. What is `kept` is
    /// dropped once the process is done with it.
    pub(super) fn give(&self, job: Job, kept: Kept) -> oneshot::Receiver<Outcome> {
        let (answer, outcome) = oneshot::channel();
        *lock(&self.kept) = Some(kept);
        let request_id = job.invocation.request_id.clone();
        self.extensions.tell(&json!({
            "eventType": "INVOKE",
            "deadlineMs": job.deadline_ms,
            "requestId": request_id,
            "invokedFunctionArn": self.function.arn,
        }));
        *lock(&self.doing) = Doing::Working { request_id, answer };
        *lock(&self.job) = Some(job);
        self.job_came.notify_one();
        outcome
    }

    /// The invocation in hand is over.
    pub(super) fn let_go(&self) {
        drop(lock(&self.kept).take());
    }

    /// Waits for the end of the process and says how it ended.
    pub(super) async fn exited(&self) -> String {
        let mut exit = self.exit.subscribe();
        match exit.wait_for(Option::is_some).await {
            Ok(exit) => exit.clone().unwrap_or_default(),
            Err(_) => String::new(),
        }
    }

    /// Whether the process has ended.
    pub(super) fn is_over(&self) -> bool {
        self.exit.borrow().is_some() || self.kill.is_cancelled()
    }

    /// Ends the process at once (SIGKILL).
    pub(super) fn kill(&self) {
        self.kill.cancel();
    }

    /// Takes the process for an invocation, if it is idle and alive.
    pub(super) fn claim(&self) -> bool {
        let mut doing = lock(&self.doing);
        let free = matches!(*doing, Doing::Idle(_)) && !self.is_over();
        if free {
            *doing = Doing::Claimed;
        }
        free
    }

    /// Whether the process has answered and is about to ask for more.
    pub(super) fn settles(&self) -> bool {
        let soon = match *lock(&self.doing) {
            Doing::Answered { since, .. } => {
                !self.extensions.are_busy() || since.elapsed() < FINISHING
            }
            _ => false,
        };
        soon && !self.is_over()
    }

    /// Since when the process has been idle.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        match *lock(&self.doing) {
            Doing::Idle(since) => Some(since),
            _ => None,
        }
    }

    /// What `/_local/state` calls what the process does.
    pub(super) fn doing(&self) -> &'static str {
        match *lock(&self.doing) {
            Doing::Starting { .. } => "starting",
            Doing::Claimed | Doing::Working { .. } => "working",
            Doing::Answered { .. } if self.extensions.are_busy() => "working",
            Doing::Answered { .. } | Doing::Idle(_) => "idle",
        }
    }

    /// The process asks for its next invocation; waits until there is one.
    pub(super) async fn next(&self) -> Job {
        if let Doing::Starting { asked } | Doing::Answered { asked, .. } = &mut *lock(&self.doing) {
            *asked = true;
        }
        self.settle();
        loop {
            let came = self.job_came.notified();
            if let Some(job) = lock(&self.job).take() {
                return job;
            }
            came.await;
        }
    }

    /// Once runtime and extensions have all asked for what comes next, the process can have an
    /// invocation.
    pub(super) fn settle(&self) {
        if self.extensions.are_busy() {
            return;
        }
        let mut doing = lock(&self.doing);
        if let Doing::Answered { .. } = *doing {
            self.let_go();
        }
        match *doing {
            Doing::Starting { asked: true } => {
                *doing = Doing::Claimed;
                self.began.send_replace(true);
            }
            Doing::Answered { asked: true, .. } => *doing = Doing::Idle(Instant::now()),
            _ => return,
        }
        drop(doing);
        if let Some(pool) = self.pool.upgrade() {
            pool.parked();
        }
    }

    /// The process gives an outcome for an invocation. False when that is not what it works on.
    pub(super) fn finish(&self, request_id: &str, outcome: Outcome) -> bool {
        let mut doing = lock(&self.doing);
        let answered = Doing::Answered { asked: false, since: Instant::now() };
        match std::mem::replace(&mut *doing, answered) {
            Doing::Working { request_id: own, answer } if own == request_id => {
                if !self.extensions.are_busy() {
                    self.let_go();
                }
                // Nobody waits any more when the invocation has timed out meanwhile.
                let _ = answer.send(outcome);
                true
            }
            other => {
                *doing = other;
                false
            }
        }
    }

    /// The process reports that it cannot start; it is expected to end by itself.
    pub(super) fn start_failed(&self, report: Bytes) {
        *lock(&self.start_error) = Some(report);
    }
}

/// The command line and the environment of a function's process, as Lambda sets it up.
fn command(pool: &Pool, options: &LambdaOptions, id: u64, address: SocketAddr) -> Command {
    let function = pool.function();
    let mut command = Command::new(pool.binary());
    command.env_clear();
    // Enough for a dynamically linked binary to run; nothing of the user's own AWS settings.
    for name in ["PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR", "LLVM_PROFILE_FILE"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
        .env("TZ", ":UTC")
        .env("LANG", "en_US.UTF-8")
        .envs(&options.environment)
        .env("AWS_ACCESS_KEY_ID", crate::iam::access_key(function))
        .envs(&function.environment)
        .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
        .env("AWS_LAMBDA_FUNCTION_NAME", &function.name)
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", function.memory_mb.to_string())
        .env("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
        .env("AWS_LAMBDA_LOG_FORMAT", "JSON")
        .env("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{}", function.name))
        .env("AWS_LAMBDA_LOG_STREAM_NAME", format!("local/[$LATEST]{id:032x}"))
        .env("_HANDLER", "bootstrap")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// How a process ended, in Lambda's words.
fn described(status: std::io::Result<ExitStatus>) -> String {
    use std::os::unix::process::ExitStatusExt;
    match status {
        Ok(status) => match (status.code(), status.signal()) {
            (Some(code), _) => format!("exit status {code}"),
            (None, Some(9)) => "signal: killed".to_owned(),
            (None, Some(11)) => "signal: segmentation fault".to_owned(),
            (None, signal) => format!("signal: {}", signal.unwrap_or_default()),
        },
        Err(error) => format!("cannot be waited for: {error}"),
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
