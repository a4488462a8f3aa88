//! Faults with the function binaries on the local cloud, whose clock is [`SCALE`] times as fast as
//! AWS's.

mod catalogue;
mod checker;
mod cpu_pressure;

use std::time::Duration;

use e2e::{Cloud, Error, Options, Packets, Session, SessionRun};
use serde_json::{Value, json};
use testkit::pcm::Random;

pub use catalogue::catalogue;

use crate::stamps::Stamps;
use crate::summary::RunResult;

/// The time scale of the local cloud.
pub const SCALE: u32 = 20;
/// Maximum real time from a session's end to its drain: six minutes for the health check and six
/// for an outage, scaled, with a reserve.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(60);

/// One fault.
#[derive(Debug, Clone, Copy)]
pub struct ProcessFault {
    /// Its name in the table.
    pub name: &'static str,
    /// Returns the plan of one run.
    pub plan: fn(&mut Random) -> Plan,
}

/// The session of one run, and the faults in it.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How many times the recording is sent in a row.
    pub times: usize,
    /// Breaks after each of which a new producer sends the same again, real time.
    pub breaks: Vec<Duration>,
    /// Length of a fragment, ms.
    pub fragment_ms: u32,
    /// Template parameters.
    pub parameters: Vec<String>,
    /// Faults that are injected before the session starts (`/_local/faults`).
    pub faults: Vec<Value>,
    /// Actions while the producer sends.
    pub actions: Vec<CloudAction>,
    /// Maximum time without an accepted sample, in AWS's time.
    pub max_pause: Duration,
    /// Minimum number of runs that held the lease; fewer mean that the fault did not occur. One
    /// that is killed early has not held it.
    pub consumers: u64,
    /// The stream is deleted: exactly a prefix of the audio must arrive.
    pub prefix_only: bool,
    /// More arguments of `local-cloud speak`.
    pub speaker: Vec<String>,
    /// Time stamps that differ from the packets' durations, and their seed.
    pub stamps: Option<(Stamps, u64)>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            times: 1,
            breaks: Vec::new(),
            fragment_ms: 2_000,
            parameters: Vec::new(),
            faults: Vec::new(),
            actions: Vec::new(),
            // The latency of a busy machine, multiplied by the time scale: a lease that the holder
            // does not renew in time is taken after up to 41 s.
            max_pause: Duration::from_secs(60),
            consumers: 1,
            prefix_only: false,
            speaker: Vec::new(),
            stamps: None,
        }
    }
}

/// An action on the cloud at a real time since the first packet.
#[derive(Debug, Clone)]
pub enum CloudAction {
    /// Injects a fault.
    InjectFault(Duration, Value),
    /// Removes all pending faults.
    ClearFaults(Duration),
    /// Suspends a function's processes for this real time.
    Freeze(Duration, &'static str, Duration),
    /// Puts the ACTIVE event on the bus this many times at once.
    RepeatActive(Duration, usize),
    /// Replays the archive's events.
    ReplayArchive(Duration),
    /// Disables the mapping of the session's stream and deletes the stream.
    DeleteStream(Duration),
}

impl CloudAction {
    fn at(&self) -> Duration {
        match self {
            Self::InjectFault(at, _)
            | Self::ClearFaults(at)
            | Self::Freeze(at, ..)
            | Self::RepeatActive(at, _)
            | Self::ReplayArchive(at)
            | Self::DeleteStream(at) => *at,
        }
    }

    async fn apply(&self, cloud: &Cloud, session: &Session<'_>) -> Result<(), Error> {
        match self {
            Self::InjectFault(_, fault) => cloud.inject_fault(fault.clone()).await,
            Self::ClearFaults(_) => cloud.clear_faults().await,
            Self::Freeze(_, function, time) => {
                let processes = cloud.processes(function).await?;
                e2e::signal("STOP", &processes);
                tokio::time::sleep(*time).await;
                e2e::signal("CONT", &processes);
                Ok(())
            }
            Self::RepeatActive(_, times) => {
                let detail = active(cloud, session).await?;
                for _ in 0..*times {
                    cloud.put_status_change(&detail).await?;
                }
                Ok(())
            }
            Self::ReplayArchive(_) => replay(cloud).await,
            Self::DeleteStream(_) => {
                let detail = active(cloud, session).await?;
                let unmap = json!({
                    "ChannelARN": detail["channelArn"],
                    "MediaStorageConfiguration": { "Status": "DISABLED" },
                });
                cloud.kinesis_video("updateMediaStorageConfiguration", unmap).await?;
                let stream = json!({ "StreamARN": detail["streamArn"] });
                cloud.kinesis_video("deleteStream", stream).await.map(drop)
            }
        }
    }
}

/// Returns the ACTIVE event of a session, built from its Sessions item.
async fn active(cloud: &Cloud, session: &Session<'_>) -> Result<Value, Error> {
    let item = cloud.item("Sessions", session.id()).await?.unwrap_or_default();
    Ok(json!({
        "sessionId": session.id(),
        "status": "ACTIVE",
        "channelArn": item["kvsChannelArn"]["S"],
        "streamArn": item["kvsStreamArn"]["S"],
        "sourceLanguage": "en",
        "targetLanguages": [],
        "qualityTier": "standard",
        "timestamp": 1_732_540_620_000_u64,
        "schemaVersion": "1.0",
    }))
}

/// Starts a replay of the whole archive.
async fn replay(cloud: &Cloud) -> Result<(), Error> {
    let archives = cloud.aws("events", "AWSEvents.ListArchives", json!({})).await?;
    let archive = &archives["Archives"][0];
    let name = archive["ArchiveName"].as_str().unwrap_or_default();
    let about = json!({ "ArchiveName": name });
    let about = cloud.aws("events", "AWSEvents.DescribeArchive", about).await?;
    let request = json!({
        "ReplayName": "again",
        "EventSourceArn": about["ArchiveArn"],
        "EventStartTime": 0,
        "EventEndTime": 4_102_444_800_u64,
        "Destination": { "Arn": archive["EventSourceArn"] },
    });
    cloud.aws("events", "AWSEvents.StartReplay", request).await.map(drop)
}

/// Runs a fault once.
pub fn run(fault: &ProcessFault, seed: u64) -> RunResult {
    let plan = (fault.plan)(&mut Random::new(seed));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let stalled = cpu_pressure::stalled();
    let outcome = runtime.block_on(run_session(&plan));
    let stalled = cpu_pressure::stalled().saturating_sub(stalled);
    match outcome {
        Ok((run, packets)) => checker::check(&plan, &run, &packets, stalled),
        Err(error) => RunResult {
            lost: 0,
            accepted_twice: 0,
            offered_twice: 0,
            recovery: Duration::ZERO,
            decibels: f64::INFINITY,
            violation: Some(error.to_string()),
        },
    }
}

async fn run_session(plan: &Plan) -> Result<(SessionRun, Packets), Error> {
    let options = Options {
        time_scale: SCALE,
        fragment_ms: plan.fragment_ms,
        parameters: plan.parameters.clone(),
        ..Options::default()
    };
    let cloud = Cloud::start(options).await?;
    for fault in &plan.faults {
        cloud.inject_fault(fault.clone()).await?;
    }
    let session = cloud.open("ana").await?;
    let packets = Packets::of(&testkit::recording()).repeated(plan.times);
    let file = cloud.scratch("speech.mka");
    let bytes = match plan.stamps {
        Some((stamps, seed)) => {
            packets.file_at(&stamps(&mut Random::new(seed), packets.packets.len()))
        }
        None => packets.file(),
    };
    std::fs::write(&file, bytes).unwrap();
    let begun = tokio::time::Instant::now();
    let actions = async {
        let mut actions = plan.actions.clone();
        actions.sort_by_key(CloudAction::at);
        for action in actions {
            tokio::time::sleep_until(begun + action.at()).await;
            action.apply(&cloud, &session).await?;
        }
        Ok(())
    };
    let speech = async {
        match session.say_with(&file, &plan.speaker).await {
            // PutMedia fails after the stream is deleted.
            Err(_) if plan.prefix_only => {}
            said => said?,
        }
        for pause in &plan.breaks {
            tokio::time::sleep(*pause).await;
            session.say_with(&file, &plan.speaker).await?;
        }
        session.end().await
    };
    tokio::try_join!(speech, actions)?;
    let run = SessionRun::drained_within(&session, &packets, DRAIN_TIMEOUT).await?;
    match missed(plan, &cloud.pending_faults().await?) {
        Some(fault) => Err(Error::TimedOut {
            what: "a fault to occur".into(),
            seconds: DRAIN_TIMEOUT.as_secs(),
            last: fault.to_string(),
        }),
        None => Ok((run, packets)),
    }
}

/// Returns a pending fault whose absence proves that the run is not what was planned: any if none
/// occurred, or the kill of a consumer.
fn missed<'a>(plan: &Plan, pending: &'a [Value]) -> Option<&'a Value> {
    let calls = |faults: &[Value]| -> u64 {
        faults.iter().map(|fault| fault["times"].as_u64().unwrap_or(1)).sum()
    };
    if calls(pending) == calls(&plan.faults) {
        return pending.first();
    }
    let is_kill =
        |fault: &&Value| fault["kind"] == "kill" && fault["target"] == catalogue::CONSUMER;
    pending.iter().find(is_kill)
}
