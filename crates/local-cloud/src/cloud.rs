//! The whole cloud: reads the template, makes every service, serves until it is ended.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::account::Account;
use crate::clock::{Clock, rfc3339};
use crate::connections::Connections;
use crate::data_folder::DataFolder;
use crate::dynamodb::DynamoDb;
use crate::error::Error;
use crate::events::Events;
use crate::faults::Faults;
use crate::http_api::FrontDoor;
use crate::http_api::issuer::Issuer;
use crate::iam::Iam;
use crate::kvs::Kvs;
use crate::lambda::{Lambda, LambdaOptions};
use crate::server;
use crate::sqs::Sqs;
use crate::template::{LoadOptions, Template};

/// How long the function processes may take to end, in real time; they are killed, so it is short.
const END_LIMIT: Duration = Duration::from_secs(5);

/// What `local-cloud up` decides.
#[derive(Debug, Clone)]
pub struct CloudOptions {
    /// The port on 127.0.0.1; 0: the system picks one.
    pub port: u16,
    /// Where data is kept; absent: in memory and a folder that is removed at the end.
    pub data: Option<PathBuf>,
    /// The template that deploys.
    pub template: PathBuf,
    /// How many times as fast as the real clock: 1..=1000.
    pub time_scale: u32,
    /// Values of the template's parameters.
    pub parameters: BTreeMap<String, String>,
    /// The folder of the function binaries; absent: the folder of this program.
    pub binaries: Option<PathBuf>,
    /// Whether the functions' logs also go to stderr.
    pub verbose: bool,
    /// Where it is written what the functions call; absent: nowhere.
    pub calls: Option<PathBuf>,
    /// How long streams and channels take to come and to go, in milliseconds of the cloud's time.
    pub kvs_change_ms: u32,
    /// The base path that a custom domain maps to the HTTP API, without slashes around it.
    pub base_path: Option<String>,
}

impl Default for CloudOptions {
    fn default() -> Self {
        Self {
            port: 7878,
            data: None,
            template: PathBuf::from("infra/template.yaml"),
            time_scale: 1,
            parameters: BTreeMap::new(),
            binaries: None,
            verbose: false,
            calls: None,
            kvs_change_ms: crate::kvs::CHANGE_MS,
            base_path: None,
        }
    }
}

/// Every service of one cloud.
#[derive(Debug)]
pub struct Cloud {
    /// Its time.
    pub clock: Clock,
    /// The faults that wait.
    pub faults: Faults,
    /// What it runs.
    pub template: Template,
    /// Where it is reached, for example `http://127.0.0.1:7878`.
    pub base_url: String,
    /// What the functions may call.
    pub iam: Arc<Iam>,
    /// Functions.
    pub lambda: Arc<Lambda>,
    /// Video streams and signaling channels.
    pub kvs: Arc<Kvs>,
    /// Event buses.
    pub events: Arc<Events>,
    /// Queues.
    pub sqs: Arc<Sqs>,
    /// Tables.
    pub dynamodb: Arc<DynamoDb>,
    /// WebSocket connections.
    pub connections: Arc<Connections>,
    /// The HTTP API.
    pub front_door: Arc<FrontDoor>,
    /// The token issuer.
    pub issuer: Arc<Issuer>,
    /// Where the functions leave audio.
    pub audio: PathBuf,
    /// Where the functions' logs are.
    pub logs: PathBuf,
}

/// A cloud that serves. Its processes end with [`RunningCloud::end`], or when it is dropped.
#[derive(Debug)]
pub struct RunningCloud {
    cloud: Arc<Cloud>,
    stop: CancellationToken,
    server: JoinHandle<()>,
    /// Held until the cloud has ended: a temporary one goes with it.
    _data: DataFolder,
}

impl RunningCloud {
    /// Starts a cloud. When this returns, it serves.
    ///
    /// # Errors
    /// What keeps it from starting: the port, the template, a folder, a table, a rule.
    pub async fn start(options: CloudOptions) -> Result<Self, Error> {
        let listener = TcpListener::bind(("127.0.0.1", options.port))
            .await
            .map_err(Error::io(format!("port {}", options.port)))?;
        let address = listener.local_addr().map_err(Error::io("the port"))?;
        let data = DataFolder::open(options.data.as_deref())?;
        let stop = CancellationToken::new();
        // From here on a failure must not leave anything behind: dropping cancels, and removes a
        // temporary folder.
        let guard = stop.clone().drop_guard();
        let base_url = format!("http://{address}");
        let cloud = Arc::new(Cloud::new(&options, &data, base_url, &stop).await?);
        cloud.events.start(stop.clone());
        tokio::spawn(Arc::clone(&cloud.lambda).reap());
        let server = tokio::spawn(server::serve(listener, Arc::clone(&cloud)));
        Ok(Self { cloud, stop: guard.disarm(), server, _data: data })
    }

    /// Its services.
    pub fn cloud(&self) -> &Arc<Cloud> {
        &self.cloud
    }

    /// Ends it: the function processes first, then everything else.
    pub async fn end(self) {
        self.stop.cancel();
        if tokio::time::timeout(END_LIMIT, self.cloud.lambda.ended()).await.is_err() {
            tracing::warn!("some function processes have not ended");
        }
    }
}

impl Drop for RunningCloud {
    fn drop(&mut self) {
        self.stop.cancel();
        self.server.abort();
    }
}

impl Cloud {
    async fn new(
        options: &CloudOptions,
        data: &DataFolder,
        base_url: String,
        stop: &CancellationToken,
    ) -> Result<Self, Error> {
        let template = load(options, &base_url)?;
        let clock = Clock::new(f64::from(options.time_scale));
        let faults = Faults::of(&template);
        let iam = Arc::new(Iam::new(&template, options.calls.as_deref())?);
        let account = template.account.clone();
        let issuer = Arc::new(Issuer::new(&template, &local_issuer(&base_url))?);
        let sqs = Sqs::new(clock.clone(), faults.clone(), &template.queues);
        let lambda = Lambda::new(
            clock.clone(),
            faults.clone(),
            account.clone(),
            &template.functions,
            Arc::clone(&sqs),
            LambdaOptions {
                binaries: options.binaries.clone().unwrap_or_else(own_folder),
                logs: data.logs.clone(),
                verbose: options.verbose,
                environment: environment(options, data, &account, &base_url),
                iam: Arc::clone(&iam),
            },
            stop.clone(),
        );
        let (faults_too, lambda_too) = (faults.clone(), Arc::clone(&lambda));
        let events =
            Events::new(clock.clone(), faults_too, &template, lambda_too, Arc::clone(&sqs))
                .map_err(|reason| Error::Service { service: "events", reason })?;
        let kvs = Kvs::new(clock.clone(), faults.clone(), account, base_url.clone());
        kvs.change_within(options.kvs_change_ms);
        let dynamodb = DynamoDb::start(
            faults.clone(),
            &template.tables,
            data.database.as_deref(),
            stop.clone(),
        )
        .await?;
        let connections = Connections::new(clock.clone(), faults.clone());
        let front_door = FrontDoor::new(
            clock.clone(),
            faults.clone(),
            &template,
            Arc::clone(&lambda),
            Arc::clone(&issuer),
            options.base_path.clone(),
        );
        let (audio, logs) = (data.audio.clone(), data.logs.clone());
        Ok(Self {
            clock,
            faults,
            template,
            base_url,
            iam,
            lambda,
            kvs,
            events,
            sqs,
            dynamodb,
            connections,
            front_door,
            issuer,
            audio,
            logs,
        })
    }

    /// What `/_local/state` answers.
    pub fn state(&self) -> Value {
        json!({
            "url": self.base_url,
            "time": rfc3339(self.clock.now_ms()),
            "timeScale": self.clock.scale(),
            "parameters": self.template.parameters,
            "outputs": self.template.outputs,
            "routes": self.front_door.state(),
            "lambda": self.lambda.state(),
            "dynamodb": { "tables": self.dynamodb.state() },
            "events": self.events.state(),
            "connections": self.connections.state(),
            "sqs": self.sqs.state(),
            "kinesisvideo": self.kvs.state(),
            "faults": self.faults.list(),
            "audio": self.audio,
            "logs": self.logs,
        })
    }
}

/// The template of a cloud that is reached at `base_url`.
///
/// # Errors
/// It cannot be read, or says what local-cloud does not run.
pub(crate) fn load(options: &CloudOptions, base_url: &str) -> Result<Template, Error> {
    let path = &options.template;
    let text = std::fs::read_to_string(path).map_err(Error::io(path.display().to_string()))?;
    let load = LoadOptions {
        account: Account::default(),
        base_url: base_url.to_owned(),
        parameters: options.parameters.clone(),
        // Listeners are told through this cloud, whose connections are made under /_local.
        stand_ins: BTreeMap::from([
            ("WebSocketApiEndpoint".to_owned(), base_url.to_owned()),
            ("WebSocketApiId".to_owned(), Connections::API_ID.to_owned()),
        ]),
        // Deploying asks for these; here the issuer is this cloud's own.
        fallbacks: BTreeMap::from([
            ("JwtIssuer".to_owned(), local_issuer(base_url)),
            ("JwtAudience".to_owned(), "local".to_owned()),
        ]),
    };
    Template::load(&text, &load).map_err(|source| Error::Template { path: path.clone(), source })
}

fn local_issuer(base_url: &str) -> String {
    format!("{base_url}/_local")
}

/// What Lambda, and this cloud, put into every function's environment.
fn environment(
    options: &CloudOptions,
    data: &DataFolder,
    account: &Account,
    base_url: &str,
) -> BTreeMap<String, String> {
    let audio = data.audio.display().to_string();
    [
        ("AWS_REGION", account.region.clone()),
        ("AWS_DEFAULT_REGION", account.region.clone()),
        ("AWS_SECRET_ACCESS_KEY", "local".to_owned()),
        ("AWS_SESSION_TOKEN", "local".to_owned()),
        ("AWS_ENDPOINT_URL", base_url.to_owned()),
        ("TIME_SCALE", options.time_scale.to_string()),
        ("AUDIO_OUT_DIR", audio),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// The folder of this program; tests run one folder below their binaries.
fn own_folder() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    let folder = program.parent().map(Path::to_path_buf).unwrap_or_default();
    match folder.file_name() {
        Some(name) if name == "deps" => folder.parent().map(Path::to_path_buf).unwrap_or(folder),
        _ => folder,
    }
}
