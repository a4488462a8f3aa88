//! EventBridge and SQS over HTTP, on a free port, with a rule that delivers to a queue, so that
//! deliveries can be read without a function.

#![allow(unreachable_pub)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use local_aws::clock::Clock;
use local_aws::cloudwatch::Metrics;
use local_aws::events::Events;
use local_aws::faults::Faults;
use local_aws::iam::Iam;
use local_aws::lambda::{Lambda, LambdaOptions};
use local_aws::sqs::Sqs;
use sam_template::{LoadOptions, Template};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

const TEMPLATE: &str = r#"
AWSTemplateFormatVersion: "2010-09-09"
Resources:
  Inbox: { Type: AWS::SQS::Queue, Properties: { QueueName: inbox } }
  Dead: { Type: AWS::SQS::Queue, Properties: { QueueName: dead } }
  InboxPolicy:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref Inbox]
      PolicyDocument:
        Statement:
          - Effect: Allow
            Principal: { Service: events.amazonaws.com }
            Action: sqs:SendMessage
            Resource: !GetAtt Inbox.Arn
  DeadPolicy:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref Dead]
      PolicyDocument:
        Statement:
          - Effect: Allow
            Principal: { Service: events.amazonaws.com }
            Action: sqs:SendMessage
            Resource: !GetAtt Dead.Arn
            Condition:
              ArnEquals: { "aws:SourceArn": [!GetAtt ToInbox.Arn, !GetAtt ToMissing.Arn] }
  ToInbox:
    Type: AWS::Events::Rule
    Properties:
      Name: to-inbox
      EventPattern: { source: [session-management], detail: { status: [ACTIVE, ENDED] } }
      Targets:
        - Id: inbox
          Arn: !GetAtt Inbox.Arn
          RetryPolicy: { MaximumRetryAttempts: 2, MaximumEventAgeInSeconds: 3600 }
          DeadLetterConfig: { Arn: !GetAtt Dead.Arn }
  ToMissing:
    Type: AWS::Events::Rule
    Properties:
      Name: to-missing
      EventPattern: { source: [missing] }
      Targets:
        - Id: function
          Arn: !Sub "arn:aws:lambda:${AWS::Region}:${AWS::AccountId}:function:missing"
          DeadLetterConfig: { Arn: !GetAtt Dead.Arn }
  WithoutPermission:
    Type: AWS::Events::Rule
    Properties:
      Name: without-permission
      EventPattern: { source: [without-permission] }
      Targets:
        - Id: function
          Arn: !Sub "arn:aws:lambda:${AWS::Region}:${AWS::AccountId}:function:missing"
          DeadLetterConfig: { Arn: !GetAtt Dead.Arn }
  EachMinute:
    Type: AWS::Events::Rule
    Properties:
      Name: each-minute
      State: DISABLED
      ScheduleExpression: rate(1 minute)
      Targets:
        - { Id: inbox, Arn: !GetAtt Inbox.Arn, Input: '{"action":"health_check"}' }
  Archive:
    Type: AWS::Events::Archive
    Properties:
      ArchiveName: kept
      SourceArn: !Sub "arn:aws:events:${AWS::Region}:${AWS::AccountId}:event-bus/default"
      EventPattern: { source: [session-management] }
"#;

fn faults() -> Faults {
    Faults::default()
        .with_operations("events", Events::operations())
        .with_operations("lambda", Lambda::operations())
        .with_operations("sqs", Sqs::operations())
}

/// The two services, served until the value is dropped.
pub struct Cloud {
    pub url: String,
    pub faults: Faults,
    pub events: Arc<Events>,
    pub clock: Clock,
    stop: CancellationToken,
}

impl Drop for Cloud {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Cloud {
    /// Starts both services, with a clock that runs `scale` times as fast.
    pub async fn open(scale: f64) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let options = LoadOptions { base_url: url.clone(), ..LoadOptions::default() };
        let template = Template::load(TEMPLATE, &options).unwrap();
        let (clock, faults, stop) = (Clock::new(scale), faults(), CancellationToken::new());
        let sqs = Sqs::new(clock.clone(), faults.clone(), &template.queues);
        let metrics = Metrics::new(clock.clone());
        let lambda = Lambda::new(
            clock.clone(),
            faults.clone(),
            template.account.clone(),
            &template.functions,
            Arc::clone(&sqs),
            LambdaOptions {
                binaries: PathBuf::new(),
                programs: BTreeMap::new(),
                logs: PathBuf::new(),
                verbose: false,
                environment: BTreeMap::new(),
                iam: Arc::new(Iam::new(&template, None).unwrap()),
                xray: local_aws::xray::Daemons::default(),
                recogniser: None,
                metrics: metrics.clone(),
            },
            stop.clone(),
        );
        let events = Events::new(
            clock.clone(),
            faults.clone(),
            metrics,
            &template,
            lambda,
            Arc::clone(&sqs),
        )
        .unwrap();
        events.start(stop.clone());
        let shared = Arc::clone(&events);
        let router = Router::new().fallback(move |request: Request| {
            let (events, sqs) = (Arc::clone(&shared), Arc::clone(&sqs));
            async move {
                let target = request.headers().get("x-amz-target").cloned();
                match target.as_ref().and_then(|it| it.to_str().ok()) {
                    Some(target) if target.starts_with("AmazonSQS.") => sqs.handle(request).await,
                    _ => events.handle(request).await,
                }
            }
        });
        let ended = stop.clone();
        tokio::spawn(async move {
            let stopped = async move { ended.cancelled().await };
            axum::serve(listener, router).with_graceful_shutdown(stopped).await.unwrap();
        });
        Self { url, faults, events, clock, stop }
    }

    /// Makes one call; returns status and answer.
    pub async fn call(&self, target: &str, body: Value) -> (u16, Value) {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client.post(&self.url).header("x-amz-target", target).body(body.to_string());
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap())
    }

    pub async fn ok(&self, target: &str, body: Value) -> Value {
        let (status, answer) = self.call(target, body).await;
        assert_eq!(status, 200, "{target}: {answer}");
        answer
    }

    /// Puts one event with this source and status.
    pub async fn put(&self, source: &str, status: &str) -> Value {
        let detail = json!({"sessionId": "blessed-shepherd-123", "status": status}).to_string();
        let entry =
            json!({"Source": source, "DetailType": "Session Status Change", "Detail": detail});
        self.ok("AWSEvents.PutEvents", json!({"Entries": [entry]})).await
    }

    /// Receives and deletes the next message of a queue; waits up to 20 s of the cloud's time.
    pub async fn next(&self, queue: &str) -> Option<Value> {
        let request = json!({
            "QueueUrl": format!("{}/000000000000/{queue}", self.url), "WaitTimeSeconds": 20,
            "MessageAttributeNames": ["All"], "AttributeNames": ["All"],
        });
        let answer = self.ok("AmazonSQS.ReceiveMessage", request.clone()).await;
        let message = answer["Messages"].get(0)?.clone();
        let delete = json!({
            "QueueUrl": request["QueueUrl"], "ReceiptHandle": message["ReceiptHandle"],
        });
        self.ok("AmazonSQS.DeleteMessage", delete).await;
        Some(message)
    }

    /// Polls until `done` returns true.
    pub async fn until(&self, what: &str, done: impl Fn(&Value) -> bool) {
        for _ in 0..2000 {
            if done(&self.events.state()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("gave up waiting for {what}: {}", self.events.state());
    }
}
