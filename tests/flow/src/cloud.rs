//! One local cloud as a child process, and the calls that a client makes to it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::{Error, Session};

/// How long a line of a log may be waited for.
const LOG_PATIENCE: Duration = Duration::from_secs(30);

/// How a cloud is started.
#[derive(Debug, Clone)]
pub struct Options {
    /// `--time-scale`: how many times faster than real time the cloud runs.
    pub time_scale: u32,
    /// `--parameter NAME=VALUE` of the template.
    pub parameters: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { time_scale: 10, parameters: Vec::new() }
    }
}

/// A running local cloud. It and its children end when this is dropped.
#[derive(Debug)]
pub struct Cloud {
    process: Child,
    url: String,
    data: PathBuf,
    http: reqwest::Client,
    options: Options,
}

impl Cloud {
    /// Starts a cloud on a port the system picks and waits until it serves.
    ///
    /// # Errors
    /// [`Error::NotBuilt`], [`Error::NotReady`] with its log, [`Error::Io`].
    pub async fn start(options: Options) -> Result<Self, Error> {
        Self::start_logging(options, None).await
    }

    /// As [`Cloud::start`], with `RUST_LOG` of the cloud itself.
    ///
    /// # Errors
    /// As [`Cloud::start`].
    pub async fn start_logging(options: Options, filter: Option<&str>) -> Result<Self, Error> {
        let data = fresh_directory()?;
        let log = std::fs::File::create(data.join("cloud.log")).map_err(io("create cloud.log"))?;
        let mut command = Command::new(binary("local-cloud")?);
        command.args(["up", "--port", "0", "--data"]).arg(&data);
        command.args(["--time-scale", &options.time_scale.to_string()]);
        for parameter in &options.parameters {
            command.args(["--parameter", parameter]);
        }
        if let Some(filter) = filter {
            command.env("RUST_LOG", filter);
        }
        let mut process = command
            .current_dir(root())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .map_err(io("start local-cloud"))?;
        let url = ready(&mut process).await;
        let Some(url) = url else {
            let log = std::fs::read_to_string(data.join("cloud.log")).unwrap_or_default();
            return Err(Error::NotReady(log));
        };
        let http = reqwest::Client::builder().timeout(Duration::from_secs(60)).build()?;
        Ok(Self { process, url, data, http, options })
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// How many times faster than real time it runs.
    pub fn time_scale(&self) -> u32 {
        self.options.time_scale
    }

    /// A request to the HTTP API, to be shaped and sent by whoever asks.
    pub fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    /// A request to the HTTP API, with `token` as its bearer when there is one.
    ///
    /// # Errors
    /// [`Error::Http`] when nothing answers; every answer is returned, whatever its status.
    pub async fn api(
        &self,
        method: reqwest::Method,
        path: &str,
        token: Option<&str>,
        body: Option<Value>,
    ) -> Result<(u16, Value), Error> {
        let mut request = self.request(method, path);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        let text = answer.text().await?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    /// A token of the cloud's own issuer. `claims` may hold `sub`, `expiresIn`, `aud`, …
    ///
    /// # Errors
    /// [`Error::Answer`] when the issuer refuses.
    pub async fn token(&self, claims: Value) -> Result<String, Error> {
        let path = "/_local/token";
        let (status, body) = self.api(reqwest::Method::POST, path, None, Some(claims)).await?;
        match body["token"].as_str() {
            Some(token) if status == 200 => Ok(token.to_owned()),
            _ => Err(Error::Answer { what: path.into(), status, body: body.to_string() }),
        }
    }

    /// Opens a session as `speaker`, in English.
    ///
    /// # Errors
    /// [`Error::Answer`] unless the answer is 201.
    pub async fn open(&self, speaker: &str) -> Result<Session<'_>, Error> {
        let token = self.token(json!({ "sub": speaker })).await?;
        let body = json!({ "sourceLanguage": "en" });
        let post = reqwest::Method::POST;
        let (status, body) = self.api(post, "/sessions", Some(&token), Some(body)).await?;
        match body["sessionId"].as_str() {
            Some(id) if status == 201 => Ok(Session::new(self, id.to_owned(), token)),
            _ => {
                Err(Error::Answer { what: "POST /sessions".into(), status, body: body.to_string() })
            }
        }
    }

    /// Lets a fault wait (`/_local/faults`).
    ///
    /// # Errors
    /// [`Error::Answer`] when the fault is not one the cloud knows.
    pub async fn fault(&self, fault: Value) -> Result<(), Error> {
        let path = "/_local/faults";
        let (status, body) = self.api(reqwest::Method::POST, path, None, Some(fault)).await?;
        if status < 300 {
            return Ok(());
        }
        Err(Error::Answer { what: path.into(), status, body: body.to_string() })
    }

    /// Forgets every fault that still waits.
    ///
    /// # Errors
    /// [`Error::Http`] when nothing answers.
    pub async fn calm(&self) -> Result<(), Error> {
        let path = "/_local/faults";
        self.api(reqwest::Method::DELETE, path, None, None).await.map(drop)
    }

    /// The system's numbers of `function`'s processes.
    ///
    /// # Errors
    /// [`Error::Http`] when nothing answers.
    pub async fn processes(&self, function: &str) -> Result<Vec<u64>, Error> {
        let state = self.state().await?;
        let functions = state["lambda"]["functions"].as_array().cloned().unwrap_or_default();
        let instances = functions
            .iter()
            .filter(|known| known["package"] == function)
            .flat_map(|known| known["instances"].as_array().cloned().unwrap_or_default());
        Ok(instances.filter_map(|instance| instance["pid"].as_u64()).collect())
    }

    /// The faults that wait still, each with how many calls it would strike.
    ///
    /// # Errors
    /// [`Error::Http`] when nothing answers.
    pub async fn waiting_faults(&self) -> Result<Vec<Value>, Error> {
        let (_, body) = self.api(reqwest::Method::GET, "/_local/faults", None, None).await?;
        Ok(body["faults"].as_array().cloned().unwrap_or_default())
    }

    /// That no fault waits any more: a test whose fault never struck has shown nothing.
    ///
    /// # Errors
    /// [`Error::Answer`] with those that wait.
    pub async fn every_fault_struck(&self) -> Result<(), Error> {
        let waiting = self.waiting_faults().await?;
        if waiting.is_empty() {
            return Ok(());
        }
        let body = Value::from(waiting).to_string();
        Err(Error::Answer { what: "/_local/faults".into(), status: 200, body })
    }

    /// One AWS call of the JSON protocol (DynamoDB, EventBridge, SQS), `target` as in
    /// `X-Amz-Target`. The signature is not checked locally; its scope routes the call.
    ///
    /// # Errors
    /// [`Error::Answer`] unless the answer is 200.
    pub async fn aws(&self, service: &str, target: &str, body: Value) -> Result<Value, Error> {
        let answer = self
            .http
            .post(&self.url)
            .header("authorization", signature(service))
            .header("x-amz-date", "20260101T000000Z")
            .header("x-amz-target", target)
            .header("content-type", "application/x-amz-json-1.0")
            .body(body.to_string())
            .send()
            .await?;
        let (status, text) = (answer.status().as_u16(), answer.text().await?);
        if status != 200 {
            return Err(Error::Answer { what: target.into(), status, body: text });
        }
        Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    /// One call of Kinesis Video's REST protocol, for example `createStream`.
    ///
    /// # Errors
    /// [`Error::Answer`] unless the answer is 200.
    pub async fn kinesis_video(&self, operation: &str, body: Value) -> Result<Value, Error> {
        let request = self.http.post(format!("{}/{operation}", self.url)).json(&body);
        let answer = request.header("authorization", signature("kinesisvideo")).send().await?;
        let (status, text) = (answer.status().as_u16(), answer.text().await?);
        if status != 200 {
            return Err(Error::Answer { what: operation.into(), status, body: text });
        }
        Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    /// Invokes a function (by its package name) and waits for its answer, whatever it is.
    ///
    /// # Errors
    /// [`Error::Http`] when nothing answers.
    pub async fn invoke(&self, function: &str, payload: &Value) -> Result<Value, Error> {
        let url = format!("{}/2015-03-31/functions/{function}/invocations", self.url);
        let request = self.http.post(url).header("authorization", signature("lambda"));
        let text = request.body(payload.to_string()).send().await?.text().await?;
        Ok(serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// Puts a `Session Status Change` with this detail on the bus.
    ///
    /// # Errors
    /// As [`Cloud::aws`].
    pub async fn put_status_change(&self, detail: &Value) -> Result<(), Error> {
        let entry = json!({
            "Source": "session-management", "DetailType": "Session Status Change",
            "Detail": detail.to_string(), "EventBusName": "default",
        });
        let entries = json!({ "Entries": [entry] });
        self.aws("events", "AWSEvents.PutEvents", entries).await.map(drop)
    }

    /// Waits until `function` (its package name) has logged `text` so many times.
    ///
    /// # Errors
    /// [`Error::Waited`] with the end of the log.
    pub async fn logged(&self, function: &str, text: &str, times: usize) -> Result<(), Error> {
        let start = Instant::now();
        loop {
            let log = self.log(function);
            if log.matches(text).count() >= times {
                return Ok(());
            }
            if start.elapsed() > LOG_PATIENCE {
                let last = log.lines().rev().take(5).collect::<Vec<_>>().join("\n");
                let (what, seconds) = (format!("{text:?} in the log"), LOG_PATIENCE.as_secs());
                return Err(Error::Waited { what, seconds, last });
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The item of `table` (without its suffix) whose key `sessionId` is `id`, in DynamoDB's JSON.
    ///
    /// # Errors
    /// As [`Cloud::aws`].
    pub async fn item(&self, table: &str, id: &str) -> Result<Option<Value>, Error> {
        let key = json!({ "sessionId": { "S": id } });
        let body =
            json!({ "TableName": format!("{table}-dev"), "Key": key, "ConsistentRead": true });
        let answer = self.aws("dynamodb", "DynamoDB_20120810.GetItem", body).await?;
        Ok(answer.get("Item").cloned())
    }

    /// What `/_local/state` says.
    ///
    /// # Errors
    /// [`Error::Http`] when nothing answers.
    pub async fn state(&self) -> Result<Value, Error> {
        Ok(self.api(reqwest::Method::GET, "/_local/state", None, None).await?.1)
    }

    /// A file of this cloud's own, gone with it.
    pub fn scratch(&self, name: &str) -> PathBuf {
        self.data.join(name)
    }

    /// All that `function` (its package name) has logged so far.
    pub fn log(&self, function: &str) -> String {
        let logs = self.data.join("logs");
        std::fs::read_to_string(logs.join(format!("{function}.log"))).unwrap_or_default()
    }

    /// How often `function` (its package name) was invoked.
    ///
    /// # Errors
    /// [`Error::Http`] when nothing answers.
    pub async fn invocations(&self, function: &str) -> Result<u64, Error> {
        let state = self.state().await?;
        let functions = state["lambda"]["functions"].as_array().cloned().unwrap_or_default();
        let found = functions.iter().find(|known| known["package"] == function);
        Ok(found.and_then(|known| known["invocations"].as_u64()).unwrap_or_default())
    }

    /// All that the cloud itself has logged so far.
    pub fn own_log(&self) -> String {
        std::fs::read_to_string(self.data.join("cloud.log")).unwrap_or_default()
    }

    /// The bytes at `path`, `None` when it is not there.
    ///
    /// # Errors
    /// [`Error::Http`] when nothing answers.
    pub(crate) async fn bytes(&self, path: &str) -> Result<Option<Vec<u8>>, Error> {
        let answer = self.http.get(format!("{}{path}", self.url)).send().await?;
        if !answer.status().is_success() {
            return Ok(None);
        }
        Ok(Some(answer.bytes().await?.to_vec()))
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        if let Some(id) = self.process.id() {
            // SIGTERM first: the cloud then ends its functions. `kill_on_drop` is the fallback.
            let _ = std::process::Command::new("kill").arg(id.to_string()).status();
            for _ in 0..100 {
                if !matches!(self.process.try_wait(), Ok(None)) {
                    break;
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        if std::thread::panicking() {
            eprintln!("the cloud's data is kept for a look: {}", self.data.display());
        } else {
            let _ = std::fs::remove_dir_all(&self.data);
        }
    }
}

/// A header that names the service; locally nobody checks the signature itself.
fn signature(service: &str) -> String {
    let scope = format!("Credential=test/20260101/us-east-1/{service}/aws4_request");
    format!("AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0")
}

/// Sends a signal (`STOP`, `CONT`, `KILL`) to processes; one that has ended is none to complain about.
pub fn signal(name: &str, processes: &[u64]) {
    for process in processes {
        let mut kill = std::process::Command::new("kill");
        let _ = kill.args([&format!("-{name}"), &process.to_string()]).status();
    }
}

/// The URL in the line `ready URL`, or `None` when the process ends before it says so.
async fn ready(process: &mut Child) -> Option<String> {
    let mut lines = BufReader::new(process.stdout.take()?).lines();
    let mut url = None;
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(found) = line.strip_prefix("ready ") {
            url = Some(found.trim().to_owned());
            break;
        }
    }
    // What it prints later is read and dropped, so that it never meets a closed pipe.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    url
}

/// The top folder of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A built binary of the workspace.
pub(crate) fn binary(name: &str) -> Result<PathBuf, Error> {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let path = target.join("release").join(name);
    if path.is_file() { Ok(path) } else { Err(Error::NotBuilt(path.display().to_string())) }
}

fn fresh_directory() -> Result<PathBuf, Error> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("flow-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&path).map_err(io("create a data directory"))?;
    Ok(path)
}

/// Names the step in which the system refused.
pub(crate) fn io(what: &'static str) -> impl Fn(std::io::Error) -> Error {
    move |source| Error::Io { what: what.to_owned(), source }
}
