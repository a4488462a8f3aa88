use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use sam_template::{LoadOptions, Template};

use super::*;
use crate::cloudwatch::Metrics;
use crate::iam::Iam;

/// A worker that ends on SIGTERM. The trap runs when `sleep` has ended.
const ENDS_ON_SIGTERM: &str = "trap 'exit 0' TERM; while :; do sleep 0.02; done";
/// A worker that goes on after SIGTERM.
const IGNORES_SIGTERM: &str = "trap 'echo terminated' TERM; while :; do sleep 0.02; done";

/// Services in a folder of their own, with a script as their worker.
struct Cluster {
    tasks: Arc<Tasks>,
    stop: CancellationToken,
    folder: PathBuf,
}

impl Cluster {
    fn start(script: &str, count: u32) -> Self {
        let folder = std::env::temp_dir().join(format!("tasks-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir_all(&folder).unwrap();
        install(&folder.join("worker"), script);
        let text = "Resources: { Worker: { Type: AWS::ECS::TaskDefinition, Properties: {
            Family: worker-dev, ContainerDefinitions: [ { Name: worker, StopTimeout: 2 } ] } } }";
        let template = Template::load(text, &LoadOptions::default()).unwrap();
        let clock = Clock::new(50.0);
        let options = Arc::new(LambdaOptions {
            binaries: folder.clone(),
            programs: Default::default(),
            logs: folder.join("logs"),
            verbose: false,
            environment: Default::default(),
            iam: Arc::new(Iam::new(&template, None).unwrap()),
            xray: Default::default(),
            recogniser: None,
            metrics: Metrics::new(clock.clone()),
        });
        let stop = CancellationToken::new();
        let tasks = Tasks::start(&template.tasks, count, &clock, &options, &stop);
        Self { tasks, stop, folder }
    }

    /// Returns a field of each worker.
    fn workers(&self, field: &str) -> Vec<Value> {
        let state = self.tasks.state();
        let workers = state["workers"].as_array().unwrap();
        workers.iter().map(|worker| worker[field].clone()).collect()
    }

    /// Returns a field of the service.
    fn service(&self, field: &str) -> Value {
        self.tasks.state()["services"][0][field].clone()
    }

    fn update(&self, update: Value) -> Result<Value, UpdateError> {
        self.tasks.update("worker", serde_json::from_value(update).unwrap())
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("logs/worker.log")).unwrap_or_default()
    }

    /// Polls until the condition holds; panics after half a minute.
    async fn until(&self, what: &str, so: impl Fn(&Self) -> bool) {
        let started = Instant::now();
        while !so(self) {
            let state = self.tasks.state();
            assert!(started.elapsed() < Duration::from_secs(30), "no {what}: {state}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn end(self) {
        self.stop.cancel();
        self.tasks.ended().await;
        std::fs::remove_dir_all(&self.folder).unwrap();
    }
}

fn install(path: &Path, script: &str) {
    // `ready` is printed when the trap is set: before, SIGTERM ends any script.
    let (trap, rest) = script.split_once(';').unwrap();
    std::fs::write(path, format!("#!/bin/sh\n{trap}\necho ready\n{rest}\n")).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Waits until as many processes as this have set their trap.
async fn ready(cluster: &Cluster, count: usize) {
    cluster.until("ready worker", |it| it.log().matches("ready").count() >= count).await;
}

#[tokio::test]
async fn workers_are_added_and_stopped_as_the_desired_count_says() {
    let cluster = Cluster::start(ENDS_ON_SIGTERM, 1);
    ready(&cluster, 1).await;
    let first = cluster.workers("pid");
    let updated = cluster.update(json!({"desiredCount": 3})).unwrap();
    assert_eq!((&updated["desiredCount"], &updated["running"]), (&json!(3), &json!(3)));
    ready(&cluster, 3).await;
    assert_eq!(cluster.workers("pid")[..1], first, "the first one goes on");

    let updated = cluster.update(json!({"desiredCount": 1})).unwrap();
    assert_eq!((&updated["running"], &updated["stopping"]), (&json!(1), &json!(2)));
    cluster.until("end", |it| it.service("stopping") == 0).await;
    assert_eq!(cluster.workers("pid"), first, "the last ones to start are stopped first");
    let stopped = cluster.service("stopped");
    for worker in stopped.as_array().unwrap() {
        assert_eq!((&worker["lastEnd"], &worker["starts"]), (&json!("exit status: 0"), &json!(1)));
    }
    assert_eq!(stopped.as_array().unwrap().len(), 2);

    // One that ends by itself is started again.
    assert_eq!((cluster.tasks.kill("worker"), cluster.tasks.kill("other")), (Some(1), None));
    cluster.until("restart", |it| it.workers("starts") == [2]).await;
    assert_ne!(cluster.workers("pid"), first);

    cluster.update(json!({"desiredCount": 0})).unwrap();
    cluster.until("end", |it| it.workers("pid").is_empty()).await;
    cluster.end().await;
}

#[tokio::test]
async fn a_deployment_replaces_one_worker_after_the_other() {
    let cluster = Cluster::start(IGNORES_SIGTERM, 2);
    ready(&cluster, 2).await;
    let old = cluster.workers("pid");
    let updated = cluster.update(json!({"forceNewDeployment": true})).unwrap();
    assert_eq!((&updated["running"], &updated["stopping"]), (&json!(2), &json!(1)));
    assert_eq!(cluster.workers("stopping"), [true, false, false], "the new one was started first");
    cluster.until("end", |it| it.service("stopping") == 0).await;
    assert!(cluster.workers("pid").iter().all(|pid| !old.contains(pid)));
    assert_eq!(cluster.workers("deployment"), [2, 2]);
    let stopped = cluster.service("stopped");
    let ends: Vec<_> = stopped.as_array().unwrap().iter().map(|it| it["lastEnd"].clone()).collect();
    assert_eq!(ends, ["signal: 9 (SIGKILL)", "signal: 9 (SIGKILL)"], "after StopTimeout");
    assert_eq!(cluster.log().matches("terminated").count(), 2, "SIGTERM came first");
    cluster.end().await;
}

#[tokio::test]
async fn the_end_of_the_cloud_kills_workers_and_starts_none() {
    let cluster = Cluster::start(IGNORES_SIGTERM, 2);
    ready(&cluster, 2).await;
    cluster.update(json!({"desiredCount": 1})).unwrap();
    cluster.end().await;
}

#[tokio::test]
async fn an_update_that_cannot_be_made_is_refused() {
    let cluster = Cluster::start(ENDS_ON_SIGTERM, 0);
    let unknown = cluster.tasks.update("other", ServiceUpdate::default());
    assert_eq!(unknown, Err(UpdateError::Unknown("other".to_owned())));
    assert_eq!(cluster.update(json!({"desiredCount": 101})), Err(UpdateError::TooMany));
    assert_eq!(cluster.tasks.update("worker-dev", ServiceUpdate::default()).unwrap()["running"], 0);
    cluster.end().await;
}
