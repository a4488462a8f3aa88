//! A running cloud takes new values of parameters, as a deployed stack does, or refuses them before
//! anything changes.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use local_aws::Options;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, TestCloud, examples};

const TEMPLATE: &str = r#"
Parameters:
  Host: { Type: String, Default: function, AllowedValues: [function, worker] }
  Greeting: { Type: String, Default: hello }
  TableName: { Type: String, Default: items }
Conditions:
  Workers: !Equals [!Ref Host, worker]
Resources:
  Echo:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: echo-dev
      CodeUri: echo
      Timeout: 30
      Environment: { Variables: { GREETING: !Ref Greeting } }
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: !Ref TableName
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [ { AttributeName: id, AttributeType: S } ]
      KeySchema: [ { AttributeName: id, KeyType: HASH } ]
  Rule:
    Type: AWS::Events::Rule
    Properties:
      Name: work-dev
      EventPattern: { source: [work] }
      Targets: [ { Id: work, Arn: !If [Workers, !GetAtt Queue.Arn, !GetAtt Echo.Arn] } ]
  Queue:
    Type: AWS::SQS::Queue
    Condition: Workers
    Properties: { QueueName: work-dev }
  Policy:
    Type: AWS::SQS::QueuePolicy
    Condition: Workers
    Properties:
      Queues: [!Ref Queue]
      PolicyDocument:
        Statement: [ { Effect: Allow, Principal: { Service: events.amazonaws.com }, Action: "sqs:SendMessage", Resource: "*" } ]
  Worker:
    Type: AWS::ECS::TaskDefinition
    Condition: Workers
    Properties:
      Family: worker-dev
      ContainerDefinitions: [ { Name: worker, Environment: [ { Name: GREETING, Value: !Ref Greeting } ] } ]
"#;

/// A worker that shows its environment, and ends on SIGTERM.
const WORKER: &str = "#!/bin/sh\ntrap 'exit 0' TERM\necho \"greeting $GREETING\"\n\
                      while :; do sleep 0.02; done\n";

struct Deployment {
    cloud: TestCloud,
    folder: PathBuf,
}

impl Deployment {
    async fn start() -> Self {
        let folder = std::env::temp_dir().join(format!("deploy-{}", uuid()));
        std::fs::create_dir_all(&folder).unwrap();
        let template = folder.join("template.yaml");
        std::fs::write(&template, TEMPLATE).unwrap();
        std::os::unix::fs::symlink(examples().join("echo"), folder.join("echo")).unwrap();
        std::fs::write(folder.join("worker"), WORKER).unwrap();
        let executable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(folder.join("worker"), executable).unwrap();
        let (template, binaries) = (Some(template), Some(folder.clone()));
        let cloud = TestCloud::with(Options { template, binaries, ..Options::default() }).await;
        Self { cloud, folder }
    }

    async fn deploy(&self, parameters: Value) -> Answer {
        let request = self.cloud.call(Method::POST, "/_local/deploy");
        self.cloud.send(request.json(&json!({ "parameters": parameters }))).await
    }

    /// Deploys, and returns what changed.
    async fn changed(&self, parameters: Value) -> Value {
        let answer = self.deploy(parameters).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body["changed"].clone()
    }

    async fn put_event(&self) {
        let entry = json!({"Source": "work", "DetailType": "Work", "Detail": "{}"});
        let put = self.cloud.aws("events", "AWSEvents.PutEvents", json!({ "Entries": [entry] }));
        assert_eq!(put.await.body["FailedEntryCount"], 0);
    }

    async fn until_workers(&self, what: &str, so: impl Fn(&Value) -> bool) {
        let check = async |cloud: &TestCloud| so(&cloud.state().await["tasks"]);
        self.cloud.until(what, check).await;
    }

    async fn end(self) {
        self.cloud.end().await;
        std::fs::remove_dir_all(&self.folder).unwrap();
    }
}

fn uuid() -> String {
    uuid::Uuid::new_v4().to_string()
}

#[tokio::test]
async fn invocations_that_run_keep_their_settings_and_later_ones_have_the_new() {
    let stack = Deployment::start().await;
    let slow = stack.cloud.invoke("echo", json!({"do": "sleep", "ms": 1_500}));
    let deployed = async {
        let runs = async |cloud: &TestCloud| cloud.function("echo-dev").await["running"] == 1;
        stack.cloud.until("a run", runs).await;
        assert_eq!(stack.changed(json!({"Greeting": "hi"})).await, json!(["Echo"]));
        stack.cloud.invoke("echo", json!({})).await.body
    };
    let (slow, new) = tokio::join!(slow, deployed);
    let greeting = |body: &Value| body["environment"]["GREETING"].clone();
    assert_eq!((greeting(&slow.body), greeting(&new)), (json!("hello"), json!("hi")));
    for _ in 0..2 {
        let later = stack.cloud.invoke("echo", json!({})).await.body;
        assert_eq!(later["pid"], new["pid"], "not the process with the old settings");
    }
    assert_eq!(stack.cloud.state().await["parameters"]["Greeting"], "hi");

    let instances = async |cloud: &TestCloud| cloud.function("echo-dev").await["instances"].clone();
    let alone = async |cloud: &TestCloud| match instances(cloud).await.as_array().map(Vec::as_slice)
    {
        Some([only]) => only["pid"] == new["pid"],
        _ => false,
    };
    stack.cloud.until("the end of the old process", alone).await;
    assert_eq!(stack.changed(json!({"Greeting": "hey"})).await, json!(["Echo"]));
    let none = async |cloud: &TestCloud| instances(cloud).await == json!([]);
    stack.cloud.until("the end of the idle process", none).await;
    assert_eq!(stack.changed(json!({})).await, json!([]));
    stack.end().await;
}

#[tokio::test]
async fn events_go_to_the_workers_and_back_to_the_function() {
    let stack = Deployment::start().await;
    stack.put_event().await;
    let invoked = async |cloud: &TestCloud| cloud.function("echo-dev").await["invocations"] == 1;
    stack.cloud.until("an invocation", invoked).await;

    let changed = stack.changed(json!({"Host": "worker", "Greeting": "hi"})).await;
    assert_eq!(changed, json!(["Rule", "Queue", "Echo", "Worker"]));
    stack.put_event().await;
    let queued = async |cloud: &TestCloud| cloud.state().await["sqs"]["work-dev"]["visible"] == 1;
    stack.cloud.until("a message", queued).await;
    let state = stack.cloud.state().await;
    assert_eq!(state["events"]["rules"]["work-dev"]["matched"], 2, "over both targets");
    let logged = async |cloud: &TestCloud| {
        let log = cloud.get("/_local/logs/worker").await.body;
        log.as_str().is_some_and(|log| log.matches("greeting hi").count() == 2)
    };
    stack.cloud.until("two workers with the new value", logged).await;

    // New settings: each worker is replaced.
    let pids = |tasks: &Value| -> Vec<Value> {
        tasks["workers"].as_array().unwrap().iter().map(|it| it["pid"].clone()).collect()
    };
    let before = pids(&stack.cloud.state().await["tasks"]);
    assert_eq!(stack.changed(json!({"Greeting": "hey"})).await, json!(["Echo", "Worker"]));
    let replaced = |tasks: &Value| {
        let now = pids(tasks);
        now.len() == 2 && now.iter().all(|pid| !before.contains(pid))
    };
    stack.until_workers("replaced workers", replaced).await;

    let changed = stack.changed(json!({"Host": "function"})).await;
    assert_eq!(changed, json!(["Rule", "Queue", "Worker"]));
    stack.put_event().await;
    let invoked = async |cloud: &TestCloud| cloud.function("echo-dev").await["invocations"] == 2;
    stack.cloud.until("an invocation", invoked).await;
    let inactive = |tasks: &Value| tasks["services"][0]["status"] == "INACTIVE";
    stack.until_workers("the end of the workers", inactive).await;
    let stopped = stack.cloud.state().await["tasks"]["services"][0]["stopped"].clone();
    for worker in stopped.as_array().unwrap() {
        assert_eq!(worker["lastEnd"], "exit status: 0");
    }
    let name = json!({"QueueName": "work-dev"});
    let gone = stack.cloud.aws("sqs", "AmazonSQS.GetQueueUrl", name).await;
    assert_eq!(gone.status, 400, "{}", gone.body);
    let update = stack.cloud.call(Method::PUT, "/_local/tasks/worker").json(&json!({}));
    assert_eq!(stack.cloud.send(update).await.status, 404, "a deleted service");

    // Created again: an empty queue, and two workers.
    stack.changed(json!({"Host": "worker"})).await;
    assert_eq!(stack.cloud.state().await["sqs"]["work-dev"]["visible"], 0);
    stack.until_workers("new workers", |tasks| pids(tasks).len() == 2).await;
    stack.end().await;
}

/// The template of the repository with each host, from each other.
#[tokio::test]
async fn every_host_is_deployed_in_place_of_every_other() {
    let template =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/template.yaml");
    let parameters = [("ConsumerHost".to_owned(), "managed-instances".to_owned())].into();
    let options = Options { template: Some(template), parameters, ..Options::default() };
    let cloud = TestCloud::with(Options { workers: 0, ..options }).await;
    for host in
        ["container", "lambda", "managed-instances", "lambda", "container", "managed-instances"]
    {
        let request = cloud.call(Method::POST, "/_local/deploy");
        let deployed = request.json(&json!({ "parameters": { "ConsumerHost": host } }));
        let answer = cloud.send(deployed).await;
        assert_eq!(answer.status, 200, "{host}: {}", answer.body);
        assert_eq!(cloud.state().await["parameters"]["ConsumerHost"], host);
    }
    cloud.end().await;
}

#[tokio::test]
async fn what_a_running_cloud_does_not_change_is_refused_before_anything_changes() {
    let stack = Deployment::start().await;
    let before = stack.cloud.state().await;
    for (parameters, reason) in [
        (json!({"TableName": "things", "Greeting": "hi", "Host": "worker"}), "Table: "),
        (json!({"Host": "elsewhere"}), "Host: \"elsewhere\" is none of AllowedValues"),
        (json!({"Hosts": "worker"}), "Hosts: the template has no such parameter: is it Host?"),
    ] {
        let refused = stack.deploy(parameters).await;
        let error = refused.body["error"].as_str().unwrap_or_default();
        assert_eq!(refused.status, 400, "{}", refused.body);
        assert!(error.contains(reason), "{error}");
    }
    let after = stack.cloud.state().await;
    for part in ["parameters", "tasks", "sqs", "events"] {
        assert_eq!(after[part], before[part], "{part}");
    }
    assert_eq!(
        stack.cloud.invoke("echo", json!({})).await.body["environment"]["GREETING"],
        "hello"
    );
    for body in [json!({}), json!({"parameters": {"Greeting": 7}}), json!({"parameter": {}})] {
        let request = stack.cloud.call(Method::POST, "/_local/deploy").json(&body);
        assert_eq!(stack.cloud.send(request).await.status, 400, "{body}");
    }
    stack.end().await;
}
