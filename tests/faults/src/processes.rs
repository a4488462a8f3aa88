//! Faults through the real function binaries over the local cloud, whose clock runs [`SCALE`] times
//! as fast as AWS's.

mod catalogue;
mod verdict;

use std::time::Duration;

use e2e::{Cloud, Error, Journey, Options, Packets, Session};
use serde_json::{Value, json};
use testkit::pcm::Random;

pub use catalogue::catalogue;

use crate::stamps::Stamps;
use crate::summary::Sum;

/// How much faster than AWS's the cloud's clock runs.
pub const SCALE: u32 = 20;
/// How long a session may take from its end to its drain, real time: the health check's six minutes
/// and an outage of as many.
const PATIENCE: Duration = Duration::from_secs(60);

/// One kind of trouble.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    /// What goes wrong.
    pub name: &'static str,
    /// Plans the trouble.
    pub plan: fn(&mut Random) -> Plan,
}

/// What is done to one session.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How often the recording is spoken, one after the other.
    pub times: usize,
    /// Breaks after which the producer starts anew and speaks as much again, real time.
    pub breaks: Vec<Duration>,
    /// Media in one fragment, ms.
    pub fragment_ms: u32,
    /// Parameters of the template.
    pub parameters: Vec<String>,
    /// Faults that wait from the start (`/_local/faults`).
    pub faults: Vec<Value>,
    /// What is done while the speaker speaks.
    pub acts: Vec<Act>,
    /// How long nothing may be accepted, in AWS's time.
    pub patience: Duration,
    /// How many consumers it takes at least.
    pub consumers: u64,
    /// The stream is taken away: a beginning of what was spoken arrives, and nothing else.
    pub beginning_only: bool,
    /// More arguments of the speaker.
    pub speaker: Vec<String>,
    /// The packets' times, when they are not what the packets last.
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
            acts: Vec::new(),
            // A fragment of 2 s, the cloud's own work, and what a busy machine adds, twenty times
            // over.
            patience: Duration::from_secs(20),
            consumers: 1,
            beginning_only: false,
            speaker: Vec::new(),
            stamps: None,
        }
    }
}

/// Something done to the cloud at a time of its own, real time since the first word.
#[derive(Debug, Clone)]
pub enum Act {
    /// A fault is set.
    Fault(Duration, Value),
    /// Whatever fault still waits is forgotten.
    Calm(Duration),
    /// A function's processes are stopped in their tracks for a while (real time).
    Freeze(Duration, &'static str, Duration),
    /// ACTIVE is put on the bus again, so often at once.
    Repeat(Duration, usize),
    /// The archive's events are sent to the bus once more.
    Replay(Duration),
    /// The session's stream is unmapped and deleted.
    DeleteStream(Duration),
}

impl Act {
    fn at(&self) -> Duration {
        match self {
            Self::Fault(at, _)
            | Self::Calm(at)
            | Self::Freeze(at, ..)
            | Self::Repeat(at, _)
            | Self::Replay(at)
            | Self::DeleteStream(at) => *at,
        }
    }

    async fn carry_out(&self, cloud: &Cloud, session: &Session<'_>) -> Result<(), Error> {
        match self {
            Self::Fault(_, fault) => cloud.fault(fault.clone()).await,
            Self::Calm(_) => cloud.calm().await,
            Self::Freeze(_, function, time) => {
                let processes = cloud.processes(function).await?;
                e2e::signal("STOP", &processes);
                tokio::time::sleep(*time).await;
                e2e::signal("CONT", &processes);
                Ok(())
            }
            Self::Repeat(_, times) => {
                let detail = active(cloud, session).await?;
                for _ in 0..*times {
                    cloud.put_status_change(&detail).await?;
                }
                Ok(())
            }
            Self::Replay(_) => replay(cloud).await,
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

/// The ACTIVE event of a session, made from its record.
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

/// Has EventBridge send all that its archive holds once more.
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
pub fn run(fault: &Fault, seed: u64) -> Sum {
    let plan = (fault.plan)(&mut Random::new(seed));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    match runtime.block_on(play(&plan)) {
        Ok((journey, packets)) => verdict::sum(&plan, &journey, &packets),
        Err(error) => Sum {
            lost: 0,
            accepted_twice: 0,
            offered_twice: 0,
            recovery: Duration::ZERO,
            decibels: f64::INFINITY,
            complaint: Some(error.to_string()),
        },
    }
}

async fn play(plan: &Plan) -> Result<(Journey, Packets), Error> {
    let options = Options {
        time_scale: SCALE,
        fragment_ms: plan.fragment_ms,
        parameters: plan.parameters.clone(),
        ..Options::default()
    };
    let cloud = Cloud::start(options).await?;
    for fault in &plan.faults {
        cloud.fault(fault.clone()).await?;
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
    let acts = async {
        let mut acts = plan.acts.clone();
        acts.sort_by_key(Act::at);
        for act in acts {
            tokio::time::sleep_until(begun + act.at()).await;
            act.carry_out(&cloud, &session).await?;
        }
        Ok(())
    };
    let speech = async {
        match session.say_with(&file, &plan.speaker).await {
            // Nobody can speak into what is gone.
            Err(_) if plan.beginning_only => {}
            said => said?,
        }
        for pause in &plan.breaks {
            tokio::time::sleep(*pause).await;
            session.say_with(&file, &plan.speaker).await?;
        }
        session.end().await
    };
    tokio::try_join!(speech, acts)?;
    let journey = Journey::drained_within(&session, &packets, PATIENCE).await?;
    let calls =
        |faults: &[Value]| faults.iter().filter_map(|fault| fault["times"].as_u64()).sum::<u64>();
    let planned: u64 = plan.faults.iter().map(|fault| fault["times"].as_u64().unwrap_or(1)).sum();
    match calls(&cloud.waiting_faults().await?) {
        waiting if waiting > 0 && waiting == planned => Err(Error::Waited {
            what: "any of the faults to strike".into(),
            seconds: PATIENCE.as_secs(),
            last: plan.faults[0].to_string(),
        }),
        _ => Ok((journey, packets)),
    }
}
