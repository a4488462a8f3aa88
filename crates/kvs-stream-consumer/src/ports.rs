//! The relay's ports, implemented by AWS.

use aws_adapters::Sdk;
use aws_adapters::dynamodb::{DynamoDb, SessionWatch, SessionsTable, StreamsTable};
use aws_adapters::event_bridge::EventBridge;
use aws_adapters::get_media::GetMedia;
use aws_adapters::kinesis_video::KinesisVideo;
use aws_adapters::lambda::{ConsumerFunction, ProcessorFunction};
use aws_adapters::listeners::Connections;
use aws_adapters::sqs::DeadLetterQueues;
use lambda_support::context::SystemContext;
use relay::Relay;
use relay::ports::Ports;

use crate::config::Config;
use crate::end_notice::EndNotice;
use crate::health_check::rules;
use crate::metrics::Emf;

/// Clients, created once at init and shared by all invocations of this process.
#[derive(Debug)]
pub(crate) struct Aws {
    pub(crate) config: Config,
    pub(crate) streams: StreamsTable,
    pub(crate) sessions: SessionsTable,
    pub(crate) watch: SessionWatch,
    pub(crate) kinesis_video: KinesisVideo,
    pub(crate) media: GetMedia,
    pub(crate) processor: ProcessorFunction,
    pub(crate) dead_letters: DeadLetterQueues,
    pub(crate) invoker: ConsumerFunction,
    pub(crate) events: EventBridge,
    pub(crate) connections: Connections,
    pub(crate) end_notice: EndNotice,
    pub(crate) meter: Emf,
    pub(crate) ctx: SystemContext,
}

impl Aws {
    pub(crate) fn new(sdk: &Sdk, config: Config) -> Self {
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
        let (chunks, events) = (config.chunk_dlq_url.clone(), config.events_dlq_url.clone());
        let timeout = config.relay.attempt_timeout;
        let ctx = SystemContext::new(&config.environment);
        Self {
            streams: StreamsTable::new(&dynamodb, streams),
            watch: SessionWatch::new(sessions.clone(), connections.clone()),
            sessions,
            media: GetMedia::new(sdk, kinesis_video.clone()),
            kinesis_video,
            processor: ProcessorFunction::new(sdk, config.processor.clone(), timeout),
            dead_letters: DeadLetterQueues::new(sdk, chunks, events),
            invoker: ConsumerFunction::new(sdk, config.own_function.clone()),
            events: EventBridge::new(sdk, config.event_bus.clone()),
            end_notice: EndNotice::new(connections.clone(), ctx.clone(), rules(&config)),
            connections,
            meter: Emf::new(config.environment.clone(), ctx.clone()),
            ctx,
            config,
        }
    }
}

impl Aws {
    /// Returns the relay of this function's sessions.
    pub(crate) const fn relay(&self) -> Relay<'_, OnAws> {
        Relay {
            config: &self.config.relay,
            ctx: &self.ctx,
            leases: &self.streams,
            media: &self.media,
            processor: &self.processor,
            dead_letters: &self.dead_letters,
            sessions: &self.watch,
            listeners: &self.end_notice,
            self_invoker: &self.invoker,
            metrics: &self.meter,
        }
    }
}

/// The types of the ports on AWS.
pub(crate) struct OnAws;

impl Ports for OnAws {
    type Context = SystemContext;
    type Leases = StreamsTable;
    type Media = GetMedia;
    type Processor = ProcessorFunction;
    type DeadLetters = DeadLetterQueues;
    type Sessions = SessionWatch;
    type Listeners = EndNotice;
    type SelfInvoker = ConsumerFunction;
    type Metrics = Emf;
}
