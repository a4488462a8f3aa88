//! Starts the process of an execution environment, and waits for its exit.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;

use sam_template::Function;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::environment::ExecutionEnvironment;
use super::logs::Log;
use super::options::LambdaOptions;
use super::output::Output;
use super::{qualifier, runtime_api};

/// Starts a process of `function` with its own Runtime API. The environment is claimed for the
/// invocation that needs it; `idle` is notified when it becomes idle, and cancelling `stop` kills
/// it.
///
/// # Errors
/// The binary cannot be run, or no port is available.
pub(super) async fn start(
    id: u64,
    function: &Function,
    options: &LambdaOptions,
    idle: Arc<Notify>,
    stop: &CancellationToken,
) -> std::io::Result<Arc<ExecutionEnvironment>> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let log = Log::open(options, &function.log)?;
    let binary = options.binary(function);
    let mut child = command(&binary, function, options, id, address).spawn()?;
    let output = Output::of(&mut child, &log)?;
    let kill = stop.child_token();
    let environment =
        ExecutionEnvironment::new(id, child.id(), function.clone(), output, kill, idle);
    let environment = Arc::new(environment);
    let ended = CancellationToken::new();
    runtime_api::serve(listener, Arc::clone(&environment), ended.clone());
    tokio::spawn(watch(Arc::clone(&environment), child, ended));
    Ok(environment)
}

/// Waits until the process exits, or kills it when that is requested.
async fn watch(environment: Arc<ExecutionEnvironment>, mut child: Child, ended: CancellationToken) {
    let status = tokio::select! {
        status = child.wait() => status,
        () = environment.kill_requested() => {
            // An error means that the process has exited by itself in the meantime.
            let _ = child.start_kill();
            child.wait().await
        }
    };
    environment.record_exit(described(status));
    ended.cancel();
}

/// Returns the command that runs a binary with an environment in which a dynamically linked binary
/// runs, without the user's own AWS settings.
pub(crate) fn bare_command(binary: &Path) -> Command {
    let mut command = Command::new(binary);
    command.env_clear();
    for name in ["PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR", "LLVM_PROFILE_FILE"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
}

/// The command line and the environment of a function's process, as Lambda sets them up.
fn command(
    binary: &Path,
    function: &Function,
    options: &LambdaOptions,
    id: u64,
    address: SocketAddr,
) -> Command {
    let version = qualifier::version_of(function);
    let mut command = bare_command(binary);
    command
        .env("TZ", ":UTC")
        .env("LANG", "en_US.UTF-8")
        .envs(&options.environment)
        .env("AWS_ACCESS_KEY_ID", crate::iam::access_key(function))
        .envs(&function.environment)
        .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
        .env("AWS_LAMBDA_FUNCTION_NAME", &function.name)
        .env("AWS_LAMBDA_FUNCTION_VERSION", version)
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", function.memory_mb.to_string())
        .env("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
        .env("AWS_LAMBDA_LOG_FORMAT", "JSON")
        .env("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{}", function.name))
        .env("AWS_LAMBDA_LOG_STREAM_NAME", format!("local/[{version}]{id:032x}"))
        .env("AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR")
        .env("_HANDLER", "bootstrap")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A terminal sends SIGINT to its process group; the cloud decides when a function ends.
        .process_group(0)
        .kill_on_drop(true);
    if let Some(instances) = function.instances {
        command
            .env("AWS_LAMBDA_INITIALIZATION_TYPE", "lambda-managed-instances")
            .env("AWS_LAMBDA_MAX_CONCURRENCY", instances.max_concurrency.to_string());
    }
    if let Some(daemon) = options.xray.address(function) {
        command.env("AWS_XRAY_DAEMON_ADDRESS", daemon.to_string());
    }
    // As on Lambda, where a function starts in the folder of its code.
    if let Some(folder) = options.program(function).and_then(Path::parent) {
        command.current_dir(folder).env("LAMBDA_TASK_ROOT", folder);
    }
    command
}

/// Describes an exit status as Lambda's logs do.
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
