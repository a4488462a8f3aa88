//! The clients of AWS that all events of this process share.

use std::time::Duration;

use aws_adapters::Sdk;
use aws_adapters::dynamodb::{DynamoDb, SessionWatch, SessionsTable, StreamsTable};
use aws_adapters::event_bridge::EventBridge;
use aws_adapters::get_media::GetMedia;
use aws_adapters::kinesis_video::KinesisVideo;
use aws_adapters::lambda::{ConsumerFunction, ProcessorFunction};
use aws_adapters::listeners::Connections;
use aws_adapters::next_run::NextRun;
use aws_adapters::sqs::DeadLetterQueues;
use aws_adapters::starts_queue::StartsQueue;
use lambda_support::context::SystemContext;
use session::metrics::Metric;
use session::ports::Clock as _;

use crate::config::{Config, Destination, Host};
use crate::end_notice::EndNotice;
use crate::health_check::rules;
use crate::metrics::Emf;

/// The consumer of one process: its configuration and its clients of AWS, created once.
#[derive(Debug)]
pub struct Consumer {
    pub(crate) config: Config,
    pub(crate) streams: StreamsTable,
    pub(crate) sessions: SessionsTable,
    pub(crate) watch: SessionWatch,
    pub(crate) kinesis_video: KinesisVideo,
    pub(crate) media: GetMedia,
    pub(crate) processor: ProcessorFunction,
    pub(crate) dead_letters: DeadLetterQueues,
    pub(crate) next_run: NextRun,
    pub(crate) events: EventBridge,
    pub(crate) connections: Connections,
    pub(crate) end_notice: EndNotice,
    pub(crate) meter: Emf,
    pub(crate) ctx: SystemContext,
}

impl Consumer {
    /// Creates the clients.
    pub fn new(sdk: &Sdk, config: Config) -> Self {
        let dynamodb = DynamoDb::new(sdk);
        let (sessions, streams) = (config.sessions_table.clone(), config.streams_table.clone());
        let sessions = SessionsTable::new(&dynamodb, sessions, streams.clone());
        let connections = Connections::new(
            sdk,
            &dynamodb,
            config.connections_table.clone(),
            config.websocket_endpoint.clone(),
        );
        let kinesis_video = KinesisVideo::new(sdk, config.environment.clone())
            .with_key(config.pairs.kms_key_id.clone());
        let (chunks, dead) = (config.chunk_dlq_url.clone(), config.events_dlq_url.clone());
        let timeout = config.relay.attempt_timeout;
        let ctx = SystemContext::new(&config.environment);
        let events = EventBridge::new(sdk, config.event_bus.clone());
        Self {
            streams: StreamsTable::new(&dynamodb, streams),
            watch: SessionWatch::new(sessions.clone(), connections.clone()),
            sessions,
            media: GetMedia::new(sdk, kinesis_video.clone()),
            kinesis_video,
            processor: ProcessorFunction::new(sdk, config.processor.clone(), timeout),
            dead_letters: DeadLetterQueues::new(sdk, chunks, dead),
            next_run: next_run(sdk, &config, &events),
            events,
            end_notice: EndNotice::new(connections.clone(), ctx.clone(), rules(&config)),
            connections,
            meter: Emf::new(config.environment.clone(), ctx.clone()),
            ctx,
            config,
        }
    }

    /// Returns the current wall-clock time, Unix ms.
    pub fn now_ms(&self) -> u64 {
        self.ctx.now_ms()
    }

    /// Returns the length of a run whose host sets no deadline.
    pub const fn max_run(&self) -> Duration {
        self.config.max_run
    }

    /// Writes metrics of the host.
    pub fn record(&self, values: &[(Metric, f64)]) {
        self.meter.write(values, &[]);
    }
}

/// Returns what starts the next run of a session on this host.
fn next_run(sdk: &Sdk, config: &Config, events: &EventBridge) -> NextRun {
    match &config.host {
        Host::Function { name: function }
        | Host::Forwarder { to: Destination::Function(function) } => {
            NextRun::Function(ConsumerFunction::new(sdk, function.clone()))
        }
        Host::Forwarder { to: Destination::Queue(url) } => {
            NextRun::Queue(StartsQueue::new(sdk, url.clone()))
        }
        Host::Instances | Host::Worker { .. } => {
            NextRun::Bus { bus: events.clone(), environment: config.environment.clone() }
        }
    }
}
