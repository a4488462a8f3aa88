//! The relay's ports, played by AWS.

use std::sync::Arc;

use aws_sdk_eventbridge as eventbridge;
use lambda_shell::aws::TraceHeader;
use listeners::Connections;
use relay::SystemClock;
use relay::ports::Ports;

use crate::config::Config;
use crate::dynamodb::sessions::Sessions;
use crate::dynamodb::streams::Streams;
use crate::event_bridge::EventBridge;
use crate::farewell::Farewell;
use crate::kinesis_video::KinesisVideo;
use crate::lambda::{NextLink, ProcessorFunction};
use crate::media::GetMedia;
use crate::metrics::Emf;
use crate::sqs::Queues;

/// Clients made once at init and shared by all invocations of this process.
#[derive(Debug)]
pub(crate) struct Aws {
    pub(crate) config: Config,
    pub(crate) streams: Streams,
    pub(crate) sessions: Sessions,
    pub(crate) kinesis_video: KinesisVideo,
    pub(crate) media: GetMedia,
    pub(crate) processor: ProcessorFunction,
    pub(crate) queues: Queues,
    pub(crate) links: NextLink,
    pub(crate) events: EventBridge,
    pub(crate) farewell: Farewell,
    pub(crate) meter: Emf,
}

impl Aws {
    pub(crate) fn new(sdk: &aws_config::SdkConfig, config: Config) -> Self {
        let dynamodb = aws_sdk_dynamodb::Client::from_conf(
            aws_sdk_dynamodb::config::Builder::from(sdk).interceptor(TraceHeader).build(),
        );
        let sqs = aws_sdk_sqs::Client::from_conf(
            aws_sdk_sqs::config::Builder::from(sdk).interceptor(TraceHeader).build(),
        );
        let events = eventbridge::Client::from_conf(
            eventbridge::config::Builder::from(sdk).interceptor(TraceHeader).build(),
        );
        let kinesis_video = KinesisVideo::new(sdk, config.environment.clone());
        let endpoint = config.websocket_endpoint.clone();
        let connections = Connections::new(sdk, config.connections_table.clone(), endpoint);
        Self {
            streams: Streams::new(dynamodb.clone(), config.streams_table.clone()),
            sessions: Sessions::new(dynamodb, config.sessions_table.clone(), connections.clone()),
            media: GetMedia::new(sdk, kinesis_video.clone()),
            kinesis_video,
            processor: ProcessorFunction::new(sdk, &config),
            queues: Queues::new(sqs, &config),
            links: NextLink::new(sdk, config.own_function.clone()),
            events: EventBridge::new(events, config.event_bus.clone()),
            farewell: Farewell::new(connections, &config),
            meter: Emf::new(config.environment.clone()),
            config,
        }
    }
}

impl Ports for Aws {
    type Clock = SystemClock;
    type Leases = Streams;
    type Media = GetMedia;
    type Processor = ProcessorFunction;
    type DeadLetters = Queues;
    type Sessions = Sessions;
    type Listeners = Farewell;
    type Links = NextLink;
    type Meter = Emf;

    fn clock(&self) -> &SystemClock {
        &SystemClock
    }

    fn random(&self) -> f64 {
        rand::random()
    }

    fn leases(&self) -> &Streams {
        &self.streams
    }

    fn media(&self) -> &GetMedia {
        &self.media
    }

    fn processor(&self) -> &ProcessorFunction {
        &self.processor
    }

    fn dead_letters(&self) -> &Queues {
        &self.queues
    }

    fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    fn listeners(&self) -> &Farewell {
        &self.farewell
    }

    fn links(&self) -> &NextLink {
        &self.links
    }

    fn meter(&self) -> &Emf {
        &self.meter
    }
}

/// The clients, shared.
pub(crate) type Shared = Arc<Aws>;
