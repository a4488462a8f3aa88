//! Every service, created from the template.
//!
//! - `template`: reads it.
//! - `processes`: what the processes of functions and workers share.

mod processes;
mod template;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, rfc3339};
use crate::cloudwatch::{CloudWatch, Metrics};
use crate::connections::Connections;
use crate::data_folder::DataFolder;
use crate::deploy::Deployed;
use crate::dynamodb::DynamoDb;
use crate::error::Error;
use crate::events::Events;
use crate::faults::Faults;
use crate::http_api::HttpApi;
use crate::http_api::issuer::Issuer;
use crate::iam::Iam;
use crate::kvs::Kvs;
use crate::lambda::{Lambda, LambdaOptions};
use crate::logs::Logs;
use crate::named_resources;
use crate::options::Options;
use crate::recogniser::{Recogniser, Words};
use crate::signaling::Signaling;
use crate::sns::Sns;
use crate::sqs::Sqs;
use crate::storage_session::{FragmentOptions, StorageSessions};
use crate::tasks::Tasks;
use crate::tls::TlsEndpoint;
use crate::xray::{Daemons, XRay};
use processes::{environment, own_folder};
use sam_template::{Route, Template};
pub use template::load_template;
use template::{local_issuer, programs};

/// The services of one start.
#[derive(Debug)]
pub struct Services {
    /// The clock of the services.
    pub clock: Clock,
    /// The pending faults.
    pub faults: Faults,
    deployed: Mutex<Deployed>,
    /// The URL of the services, for example `http://127.0.0.1:7878`.
    pub base_url: String,
    /// The same services over TLS, if they are served so.
    pub(crate) tls: Option<TlsEndpoint>,
    /// The permissions of the functions.
    pub iam: Arc<Iam>,
    /// Functions.
    pub lambda: Arc<Lambda>,
    /// Workers.
    pub tasks: Arc<Tasks>,
    /// Video streams and signaling channels.
    pub kvs: Arc<Kvs>,
    /// The connections of signaling channels.
    pub signaling: Arc<Signaling>,
    /// Storage sessions of WebRTC ingestion.
    pub(crate) storage_sessions: StorageSessions,
    /// Event buses.
    pub events: Arc<Events>,
    /// Queues.
    pub sqs: Arc<Sqs>,
    /// Metrics and alarms.
    pub cloudwatch: Arc<CloudWatch>,
    /// Topics.
    pub sns: Arc<Sns>,
    /// Traces.
    pub xray: Arc<XRay>,
    /// Tables.
    pub dynamodb: Arc<DynamoDb>,
    /// WebSocket connections.
    pub connections: Arc<Connections>,
    /// The HTTP API.
    pub http_api: Arc<HttpApi>,
    /// The token issuer.
    pub issuer: Arc<Issuer>,
    /// The folder to which functions write audio.
    pub audio: PathBuf,
    /// The folder of the functions' logs.
    pub logs: PathBuf,
    /// CloudWatch Logs.
    log_groups: Mutex<Arc<Logs>>,
    /// The folder of the page at `/speaker/`.
    pub speaker_page: Option<PathBuf>,
    /// The recogniser of the accepted speech.
    pub recogniser: Option<Recogniser>,
}

impl Services {
    /// Creates every service. They end when `stop` is cancelled.
    pub(crate) async fn new(
        options: &Options,
        data: &DataFolder,
        base_url: String,
        stop: &CancellationToken,
    ) -> Result<Self, Error> {
        let template = Arc::new(load_template(options, &base_url)?);
        let clock = Clock::new(f64::from(options.time_scale));
        let faults = faults_for(&template);
        let iam = Arc::new(Iam::new(&template, options.calls.as_deref())?);
        let account = template.account.clone();
        let issuer = Arc::new(Issuer::new(&template, &local_issuer(&base_url))?);
        let sqs = Sqs::new(clock.clone(), faults.clone(), &template.queues);
        let metrics = Metrics::new(clock.clone());
        let sns = Sns::new(&template.topics);
        let cloudwatch = CloudWatch::new(
            clock.clone(),
            faults.clone(),
            metrics.clone(),
            &template,
            Arc::clone(&sns),
        )
        .map_err(|reason| Error::Service { service: "cloudwatch", reason })?;
        let recogniser = options.recogniser.as_deref();
        let recogniser = recogniser.map(|command| Recogniser::new(command, stop.clone()));
        let xray = XRay::new(account.clone());
        let daemons = Daemons::start(&xray, &template.functions, &iam, stop).await;
        let processes = LambdaOptions {
            binaries: options.binaries.clone().unwrap_or_else(own_folder),
            programs: programs(options, &template)?,
            logs: data.logs.clone(),
            verbose: options.verbose,
            environment: environment(options, data, &account, &base_url),
            iam: Arc::clone(&iam),
            xray: daemons.map_err(Error::io("the X-Ray daemons"))?,
            recogniser: recogniser.clone(),
            metrics: metrics.clone(),
        };
        let lambda = Lambda::new(
            clock.clone(),
            faults.clone(),
            account.clone(),
            &template.functions,
            Arc::clone(&sqs),
            processes.clone(),
            stop.clone(),
        );
        named_resources::check(options, &base_url, &template, &lambda)?;
        let (faults_too, lambda_too) = (faults.clone(), Arc::clone(&lambda));
        let events = Events::new(
            clock.clone(),
            faults_too,
            metrics.clone(),
            &template,
            lambda_too,
            Arc::clone(&sqs),
        )
        .map_err(|reason| Error::Service { service: "events", reason })?;
        let kvs = Kvs::new(clock.clone(), faults.clone(), account, base_url.clone());
        kvs.change_within(options.kvs_change_ms);
        kvs.allow_storage_channels(options.storage_channels);
        let region = template.account.region.clone();
        let signaling = Signaling::new(clock.clone(), faults.clone(), Arc::clone(&kvs), region);
        let clients = Arc::clone(&signaling);
        let storage_sessions = StorageSessions::new(
            Arc::clone(&kvs),
            faults.clone(),
            Box::new(move |channel, client| clients.service_side(channel, client)),
            FragmentOptions {
                length_ms: options.ingestion_fragment_ms,
                progressive: options.progressive_ingestion,
            },
            stop.clone(),
        );
        let dynamodb = DynamoDb::start(
            faults.clone(),
            metrics.clone(),
            &template.tables,
            data.database.as_deref(),
            stop.clone(),
        )
        .await?;
        let connections = Connections::new(clock.clone(), faults.clone());
        let http_api = HttpApi::new(
            clock.clone(),
            faults.clone(),
            &template,
            Arc::clone(&lambda),
            Arc::clone(&issuer),
            options.base_path.clone(),
        );
        let (audio, logs) = (data.audio.clone(), data.logs.clone());
        let log_groups = Logs::new(&template, &logs, clock.now_ms());
        let processes = Arc::new(processes);
        let tasks = Tasks::start(&template.tasks, options.workers, &clock, &processes, stop);
        let deployed = Deployed { options: options.clone(), template };
        Ok(Self {
            clock,
            faults,
            deployed: Mutex::new(deployed),
            base_url,
            tls: None,
            iam,
            lambda,
            tasks,
            kvs,
            signaling,
            storage_sessions,
            events,
            sqs,
            cloudwatch,
            sns,
            xray,
            dynamodb,
            connections,
            http_api,
            issuer,
            audio,
            logs,
            log_groups: Mutex::new(Arc::new(log_groups)),
            speaker_page: options.speaker_page.clone(),
            recogniser,
        })
    }

    /// Sets the endpoint over TLS, which is also that of signaling.
    pub(crate) fn secure(&mut self, endpoint: TlsEndpoint) {
        self.kvs.signal_at(endpoint.url.replacen("http", "ws", 1));
        self.tls = Some(endpoint);
    }

    /// Returns the template as it is deployed.
    pub fn template(&self) -> Arc<Template> {
        Arc::clone(&self.deployed().template)
    }

    /// Locks what is deployed, so that there is one deployment at a time.
    pub(crate) fn deployed(&self) -> MutexGuard<'_, Deployed> {
        self.deployed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the log groups.
    pub(crate) fn log_groups(&self) -> Arc<Logs> {
        Arc::clone(&self.log_groups.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the log groups by those of a template.
    pub(crate) fn deploy_logs(&self, template: &Template) {
        let logs = Logs::new(template, &self.logs, self.clock.now_ms());
        *self.log_groups.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(logs);
    }

    /// Returns the recognised words of a session.
    pub fn words(&self, session_id: &str) -> Words {
        self.recogniser.as_ref().map_or_else(Words::absent, |it| it.words(session_id))
    }

    /// Returns the body of `GET /_local/state`.
    pub fn state(&self) -> Value {
        let template = self.template();
        json!({
            "url": self.base_url,
            "tls": self.tls,
            "time": rfc3339(self.clock.now_ms()),
            "timeScale": self.clock.scale(),
            "parameters": template.parameters,
            "outputs": template.outputs,
            "routes": self.http_api.state(),
            "lambda": self.lambda.state(),
            "tasks": self.tasks.state(),
            "dynamodb": { "tables": self.dynamodb.state() },
            "events": self.events.state(),
            "connections": self.connections.state(),
            "sqs": self.sqs.state(),
            "cloudwatch": self.cloudwatch.state(),
            "xray": self.xray.state(),
            "kinesisvideo": self.kvs.state(),
            "signaling": self.signaling.state(),
            "storageSessions": self.storage_sessions.state(),
            "calls": self.iam.counts(),
            "faults": self.faults.list(),
            "recogniser": self.recogniser.as_ref().map(Recogniser::command),
            "audio": self.audio,
            "logs": self.logs,
        })
    }
}

/// Returns an empty list of faults that accepts every operation that a fault may name. Those of
/// `execute-api` are the routes of the template's HTTP APIs and the calls on WebSocket connections.
fn faults_for(template: &Template) -> Faults {
    let routes = template.http_apis.iter().flat_map(|api| &api.routes).map(Route::key);
    Faults::default()
        .with_operations("lambda", Lambda::operations())
        .with_operations("dynamodb", DynamoDb::operations())
        .with_operations("events", Events::operations())
        .with_operations("kinesisvideo", Kvs::operations())
        .with_operations("kinesisvideo", Signaling::operations())
        .with_operations("sqs", Sqs::operations())
        .with_operations("monitoring", CloudWatch::operations())
        .with_operations("execute-api", routes)
        .with_operations("execute-api", Connections::operations())
}

#[cfg(test)]
mod tests {
    use sam_template::LoadOptions;

    use super::*;
    use crate::faults::Fault;

    fn template() -> Template {
        let text = "Resources: { F: { Type: AWS::Serverless::Function, Properties: { CodeUri: f, \
                    Events: { Open: { Type: HttpApi, Properties: { Method: post, Path: /sessions } } } } } }";
        Template::load(text, &LoadOptions::default()).unwrap()
    }

    fn fault(json: Value) -> Fault {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_fault_that_could_never_apply_is_refused_with_what_could_be_meant() {
        let faults = faults_for(&template());
        for (service, misspelt, meant) in [
            ("events", "PutEvent", "PutEvents"),
            ("events", "deliver", "Deliver"),
            ("lambda", "InvokeAsynch", "InvokeAsync"),
            ("dynamodb", "PutItems", "PutItem"),
            ("kinesisvideo", "getMedia", "GetMedia"),
            ("kinesisvideo", "ConnectAsMain", "ConnectAsMaster"),
            ("sqs", "SendMessages", "SendMessage"),
            ("monitoring", "GetMetrics", "GetMetricData"),
            ("execute-api", "POST /session", "POST /sessions"),
            ("execute-api", "PostToConnections", "PostToConnection"),
        ] {
            let json = serde_json::json!({"service": service, "operation": misspelt});
            let refusal = faults.add(fault(json)).unwrap_err().to_string();
            assert!(refusal.starts_with("operation: ") && refusal.contains(misspelt), "{refusal}");
            assert!(refusal.contains(meant), "{refusal}");
            let json = serde_json::json!({"service": service, "operation": meant});
            faults.add(fault(json)).unwrap();
        }
    }
}
