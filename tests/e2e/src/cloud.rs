//! A local cloud as a child process. Its clients are in `client` (the session API), `aws` (AWS's
//! APIs) and `local` (`/_local`).

mod aws;
mod client;
mod local;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::Error;

/// Maximum wait for a log line.
const LOG_TIMEOUT: Duration = Duration::from_secs(30);

/// The settings of a local cloud.
#[derive(Debug, Clone)]
pub struct Options {
    /// `--time-scale`: how many times faster than real time the cloud runs.
    pub time_scale: u32,
    /// Length of a fragment, ms.
    pub fragment_ms: u32,
    /// `--parameter NAME=VALUE` of the template.
    pub parameters: Vec<String>,
    /// More arguments of `local-cloud up`.
    pub arguments: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { time_scale: 10, fragment_ms: 2_000, parameters: Vec::new(), arguments: Vec::new() }
    }
}

/// A running local cloud. Dropping this stops it and its child processes.
#[derive(Debug)]
pub struct Cloud {
    process: Child,
    url: String,
    data: PathBuf,
    http: reqwest::Client,
    options: Options,
}

impl Cloud {
    /// Starts a cloud on a free port and waits until it is ready.
    ///
    /// # Errors
    /// [`Error::NotBuilt`], [`Error::NotReady`] with its log, [`Error::Io`].
    pub async fn start(options: Options) -> Result<Self, Error> {
        Self::launch(options, fresh_directory()?, |_| {}).await
    }

    /// As [`Cloud::start`], with this `RUST_LOG` of the cloud.
    ///
    /// # Errors
    /// As [`Cloud::start`].
    pub async fn start_logging(options: Options, filter: &str) -> Result<Self, Error> {
        let logging = |command: &mut Command| {
            command.env("RUST_LOG", filter);
        };
        Self::launch(options, fresh_directory()?, logging).await
    }

    /// As [`Cloud::start`], with another template. Its functions' calls are not recorded for the
    /// check of unused permissions, because its roles differ from the deployed ones.
    ///
    /// # Errors
    /// As [`Cloud::start`].
    pub async fn start_on(options: Options, template: &str) -> Result<Self, Error> {
        let data = fresh_directory()?;
        let file = data.join("template.yaml");
        std::fs::write(&file, template).map_err(io("write a template"))?;
        // The template includes it.
        let alarms = "observability.yaml";
        std::fs::copy(root().join("infra").join(alarms), data.join(alarms))
            .map_err(io("copy the alarms"))?;
        let on_it = |command: &mut Command| {
            command.arg("--template").arg(&file).env_remove("LOCAL_CLOUD_CALLS");
        };
        Self::launch(options, data, on_it).await
    }

    async fn launch(
        options: Options,
        data: PathBuf,
        change: impl FnOnce(&mut Command),
    ) -> Result<Self, Error> {
        let (process, url) = spawn(&options, &data, change).await?;
        let http = reqwest::Client::builder().timeout(Duration::from_secs(60)).build()?;
        Ok(Self { process, url, data, http, options })
    }

    /// Stops the cloud and starts it again with the same data and options, on another port.
    ///
    /// # Errors
    /// As [`Cloud::start`].
    pub async fn restart(&mut self) -> Result<(), Error> {
        signal("TERM", &self.process.id().map(u64::from).into_iter().collect::<Vec<_>>());
        self.process.wait().await.map_err(io("stop local-cloud"))?;
        (self.process, self.url) = spawn(&self.options, &self.data, |_| {}).await?;
        Ok(())
    }

    /// Starts `local-cloud run` against this cloud, with piped stdout and stderr.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be started.
    pub fn run(&self) -> Result<Child, Error> {
        Command::new(binary("local-cloud")?)
            .args(["run", "--url", &self.url])
            .current_dir(root())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(io("start a run"))
    }

    /// Returns `session-ops` for this cloud, with piped stdout and stderr.
    ///
    /// # Errors
    /// [`Error::NotBuilt`].
    pub fn session_ops(&self, arguments: &[&str]) -> Result<Command, Error> {
        let mut command = Command::new(binary("session-ops")?);
        command.args(arguments).env("AWS_ENDPOINT_URL", &self.url).env("AWS_REGION", "us-east-1");
        command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
        command.env_remove("AWS_PROFILE").kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(command)
    }

    /// Returns `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns how many times faster than real time the cloud runs.
    pub fn time_scale(&self) -> u32 {
        self.options.time_scale
    }

    /// Returns the length of a fragment, ms.
    pub(crate) fn fragment_ms(&self) -> u32 {
        self.options.fragment_ms
    }

    /// Waits until `function` (a package name) has logged `text` at least `times` times.
    ///
    /// # Errors
    /// [`Error::TimedOut`] with the end of the log.
    pub async fn logged(&self, function: &str, text: &str, times: usize) -> Result<(), Error> {
        let start = Instant::now();
        loop {
            let log = self.log(function);
            if log.matches(text).count() >= times {
                return Ok(());
            }
            if start.elapsed() > LOG_TIMEOUT {
                let last = log.lines().rev().take(5).collect::<Vec<_>>().join("\n");
                let (what, seconds) = (format!("{text:?} in the log"), LOG_TIMEOUT.as_secs());
                return Err(Error::TimedOut { what, seconds, last });
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until `host` (a package name) has logged the end of `runs` runs. A run logs its last
    /// metrics and its end after it has written the session's item, so they can be missing from the
    /// log of a session that is drained.
    ///
    /// # Errors
    /// [`Error::TimedOut`] with the end of the log.
    pub async fn runs_finished(&self, host: &str, runs: u64) -> Result<(), Error> {
        self.logged(host, "run finished", usize::try_from(runs).unwrap_or(usize::MAX)).await
    }

    /// Returns the path of a file that is deleted with the cloud's data.
    pub fn scratch(&self, name: &str) -> PathBuf {
        self.data.join(name)
    }

    /// Returns the log of `function` (a package name).
    pub fn log(&self, function: &str) -> String {
        let logs = self.data.join("logs");
        std::fs::read_to_string(logs.join(format!("{function}.log"))).unwrap_or_default()
    }

    /// Returns the log of the cloud itself.
    pub fn own_log(&self) -> String {
        std::fs::read_to_string(self.data.join("cloud.log")).unwrap_or_default()
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        if let Some(id) = self.process.id() {
            // On SIGTERM the cloud stops its functions. `kill_on_drop` is the fallback.
            let _ = std::process::Command::new("kill").arg(id.to_string()).status();
            for _ in 0..100 {
                if !matches!(self.process.try_wait(), Ok(None)) {
                    break;
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        if std::thread::panicking() {
            eprintln!("the cloud's data is kept in {}", self.data.display());
        } else {
            let _ = std::fs::remove_dir_all(&self.data);
        }
    }
}

/// Starts `local-cloud up` on a data folder and waits until it is ready. Returns it with its URL.
async fn spawn(
    options: &Options,
    data: &Path,
    change: impl FnOnce(&mut Command),
) -> Result<(Child, String), Error> {
    let path = data.join("cloud.log");
    let log = std::fs::File::options().create(true).append(true).open(&path);
    let mut command = Command::new(binary("local-cloud")?);
    command.args(["up", "--port", "0", "--data"]).arg(data);
    command.args(["--time-scale", &options.time_scale.to_string()]);
    for parameter in &options.parameters {
        command.args(["--parameter", parameter]);
    }
    command.args(&options.arguments);
    change(&mut command);
    let mut process = command
        .current_dir(root())
        .stdout(Stdio::piped())
        .stderr(log.map_err(io("create cloud.log"))?)
        .kill_on_drop(true)
        .spawn()
        .map_err(io("start local-cloud"))?;
    match ready(&mut process).await {
        Some(url) => Ok((process, url)),
        None => Err(Error::NotReady(std::fs::read_to_string(path).unwrap_or_default())),
    }
}

/// Sends a signal (`STOP`, `CONT`, `KILL`) to processes; processes that have exited are ignored.
pub fn signal(name: &str, processes: &[u64]) {
    for process in processes {
        let mut kill = std::process::Command::new("kill");
        let _ = kill.args([&format!("-{name}"), &process.to_string()]).status();
    }
}

/// Returns the URL in the line `ready URL`, or `None` if the process exits before it.
async fn ready(process: &mut Child) -> Option<String> {
    let mut lines = BufReader::new(process.stdout.take()?).lines();
    let mut url = None;
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(found) = line.strip_prefix("ready ") {
            url = Some(found.trim().to_owned());
            break;
        }
    }
    // Discards later output, so that the process never writes to a closed pipe.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    url
}

/// Returns the deployed template, `infra/template.yaml`.
///
/// # Errors
/// [`Error::Io`].
pub fn template() -> Result<String, Error> {
    std::fs::read_to_string(root().join("infra/template.yaml")).map_err(io("read the template"))
}

/// Returns the root folder of the workspace.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Returns the path of a built binary with the profile and target directory of this executable,
/// which cargo places beside the binaries or in their `deps` folder. `examples/NAME` is an example.
///
/// # Errors
/// [`Error::NotBuilt`].
pub fn binary(name: &str) -> Result<PathBuf, Error> {
    let this = std::env::current_exe().map_err(io("find the running test"))?;
    let folders = this.ancestors().skip(1).take(2);
    let mut paths = folders.map(|folder| folder.join(name));
    let built = |path: &PathBuf| path.is_file();
    paths.find(built).ok_or_else(|| Error::NotBuilt(name.to_owned()))
}

fn fresh_directory() -> Result<PathBuf, Error> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("e2e-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&path).map_err(io("create a data directory"))?;
    Ok(path)
}

/// Returns a function that adds the failed step to an I/O error.
pub(crate) fn io(what: &'static str) -> impl Fn(std::io::Error) -> Error {
    move |source| Error::Io { what: what.to_owned(), source }
}
