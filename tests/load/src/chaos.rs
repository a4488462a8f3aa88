//! What is broken while the sessions run, over and over until the end of the run.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use e2e::{Cloud, Error, signal};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{sleep, sleep_until};

use crate::Host;
use crate::slot::Load;

/// Longer and shorter than a lease, which lasts 36 s.
const LONG_CUT: Duration = Duration::from_secs(60);
const SHORT_CUT: Duration = Duration::from_secs(20);
/// Longer than a message stays invisible, which is 30 s.
const REDELIVERY: Duration = Duration::from_secs(45);
/// Calls that a fault applies to: all until it is removed.
const ALL: u32 = 1_000_000_000;

/// A kind of chaos.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Chaos {
    /// SIGKILL of one worker, or of one function's process.
    KillOne,
    /// SIGKILL of all of them.
    KillAll,
    /// SIGKILL of all workers, and their messages are deleted: only the health check is left.
    Lost,
    /// A deployment each minute replaces one worker after the other.
    Rolling,
    /// The number of workers changes: 4, 2, 3, 1.
    Scaling,
    /// Calls of the lease table hang, or fail, for longer and for shorter than a lease.
    Cut,
    /// Messages can neither be kept invisible nor deleted.
    Redelivery,
    /// Each event is delivered twice, as to two clusters. With workers, each continuation is sent
    /// again too, and a deployment each minute makes continuations.
    Twice,
}

impl Chaos {
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// Returns the time between two injections, in AWS's time.
    fn every(self) -> Duration {
        Duration::from_secs(match self {
            Self::Rolling | Self::Scaling => 60,
            Self::KillOne | Self::KillAll | Self::Redelivery => 120,
            Self::Cut => 180,
            Self::Lost => 480,
            Self::Twice => 1,
        })
    }

    /// Injects faults until the load ends. Returns how often.
    ///
    /// # Errors
    /// The cloud refuses what is needed.
    pub(crate) async fn run(self, load: &Load, host: Host) -> Result<usize, Error> {
        let (mut injections, mut seen) = (0, Events::default());
        loop {
            let next = Instant::now() + load.real(self.every());
            sleep_until(next.into()).await;
            if next >= load.end {
                return Ok(injections);
            }
            injections += match self {
                Self::KillOne => kill(&load.cloud, host, injections, 1).await?,
                Self::KillAll => kill(&load.cloud, host, 0, usize::MAX).await?,
                Self::Lost => kill(&load.cloud, host, 0, usize::MAX).await? + purge(load).await?,
                Self::Rolling => update(&load.cloud, json!({"forceNewDeployment": true})).await?,
                Self::Scaling => {
                    let count = [4, 2, 3, 1][injections % 4];
                    update(&load.cloud, json!({"desiredCount": count})).await?
                }
                Self::Cut => cut(load, injections).await?,
                Self::Redelivery => redeliver(load).await?,
                Self::Twice => seen.repeat(&load.cloud, host).await?,
            };
        }
    }
}

/// Returns the processes that run sessions.
async fn hosts(cloud: &Cloud, host: Host) -> Result<Vec<u64>, Error> {
    if host != Host::Container {
        return cloud.processes(host.deployed()).await;
    }
    let workers = cloud.workers().await?;
    Ok(workers.iter().filter_map(|worker| worker["pid"].as_u64()).collect())
}

/// Kills up to `most` processes, from the one with this number on.
async fn kill(cloud: &Cloud, host: Host, number: usize, most: usize) -> Result<usize, Error> {
    let hosts = hosts(cloud, host).await?;
    let from = number % hosts.len().max(1);
    let killed: Vec<_> = hosts.into_iter().skip(from).take(most).collect();
    signal("KILL", &killed);
    Ok(killed.len())
}

/// Changes the service of the workers.
async fn update(cloud: &Cloud, service: Value) -> Result<usize, Error> {
    let path = "/_local/tasks/stream-worker";
    let (status, body) = cloud.api(Method::PUT, path, None, Some(service)).await?;
    match status {
        200..300 => Ok(1),
        _ => Err(Error::Answer { what: path.to_owned(), status, body: body.to_string() }),
    }
}

/// Deletes the messages of the workers' queue.
async fn purge(load: &Load) -> Result<usize, Error> {
    let queue = json!({"QueueUrl": queue(&load.cloud).await?});
    load.cloud.aws("sqs", "AmazonSQS.PurgeQueue", queue).await?;
    Ok(0)
}

/// Returns the URL of the workers' queue.
async fn queue(cloud: &Cloud) -> Result<Value, Error> {
    let name = json!({"QueueName": "consumer-starts-dev"});
    Ok(cloud.aws("sqs", "AmazonSQS.GetQueueUrl", name).await?["QueueUrl"].take())
}

/// Cuts the hosts off from the lease table: the calls hang, then fail, for a long and a short time.
async fn cut(load: &Load, number: usize) -> Result<usize, Error> {
    let lasts = load.real(if number.is_multiple_of(2) { LONG_CUT } else { SHORT_CUT });
    let mut fault = json!({"service": "dynamodb", "target": "Streams", "times": ALL});
    if number % 4 < 2 {
        fault["kind"] = "delay".into();
        fault["delayMs"] = u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX).into();
    }
    during(&load.cloud, &[fault], lasts).await?;
    Ok(1)
}

async fn redeliver(load: &Load) -> Result<usize, Error> {
    let fault = |operation: &str| {
        json!({
            "service": "sqs", "operation": operation, "target": "consumer-starts", "times": ALL,
        })
    };
    let faults = ["ChangeMessageVisibility", "DeleteMessage"].map(fault);
    during(&load.cloud, &faults, load.real(REDELIVERY)).await?;
    Ok(1)
}

/// Injects faults for a time.
async fn during(cloud: &Cloud, faults: &[Value], lasts: Duration) -> Result<(), Error> {
    for fault in faults {
        cloud.inject_fault(fault.clone()).await?;
    }
    sleep(lasts).await;
    cloud.clear_faults().await
}

/// The events that were repeated.
#[derive(Debug, Default)]
struct Events {
    /// Seconds with workers.
    seconds: usize,
    last: u64,
    repeated: BTreeSet<(String, String)>,
}

impl Events {
    /// Repeats the new events of all sessions. With workers, it also repeats the new continuations,
    /// and replaces the workers each minute. Returns how many were repeated.
    async fn repeat(&mut self, cloud: &Cloud, host: Host) -> Result<usize, Error> {
        let repeated = self.repeat_events(cloud).await?;
        if host != Host::Container {
            return Ok(repeated);
        }
        self.seconds += 1;
        if self.seconds.is_multiple_of(60) {
            update(cloud, json!({"forceNewDeployment": true})).await?;
        }
        Ok(repeated + self.repeat_continuations(cloud).await?)
    }

    /// Puts each new event of a session on the bus again.
    async fn repeat_events(&mut self, cloud: &Cloud) -> Result<usize, Error> {
        let path = format!("/_local/events?after={}", self.last);
        let (_, body) = cloud.api(Method::GET, &path, None, None).await?;
        self.last = body["last"].as_u64().unwrap_or(self.last);
        let mut repeated = 0;
        for event in body["events"].as_array().into_iter().flatten().map(|it| &it["event"]) {
            let detail = &event["detail"];
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let key = (text(&detail["sessionId"]), text(&detail["status"]));
            let is_change = event["detail-type"] == "Session Status Change";
            if is_change && self.repeated.insert(key) {
                cloud.put_status_change(detail).await?;
                repeated += 1;
            }
        }
        Ok(repeated)
    }

    /// Puts each continuation that a worker has begun into the workers' queue again.
    async fn repeat_continuations(&mut self, cloud: &Cloud) -> Result<usize, Error> {
        let schema = include_str!("../../../events/session-continuation.schema.json");
        let schema: Value = serde_json::from_str(schema).unwrap_or_default();
        let log = cloud.log(Host::Container.deployed());
        let lines = log.lines().filter(|line| line.contains("continuing stream processing"));
        let mut repeated = 0;
        for line in lines.filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
            let key = (line["sessionId"].to_string(), line["epoch"].to_string());
            if !self.repeated.insert(key) {
                continue;
            }
            let continuation = json!({
                "sessionId": line["sessionId"], "action": "continue", "epoch": line["epoch"],
                "version": schema["examples"][0]["version"],
            });
            let queue = queue(cloud).await?;
            let message = json!({"QueueUrl": queue, "MessageBody": continuation.to_string()});
            cloud.aws("sqs", "AmazonSQS.SendMessage", message).await?;
            repeated += 1;
        }
        Ok(repeated)
    }
}
