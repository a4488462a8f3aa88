//! Runs the health check ([`session::reconcile`]) over AWS, with its metrics and its summary.

use aws_adapters::dynamodb::{SessionsTable, StreamsTable};
use aws_adapters::event_bridge::EventBridge;
use aws_adapters::kinesis_video::KinesisVideo;
use aws_adapters::listeners::Connections;
use aws_adapters::next_run::NextRun;
use aws_adapters::sqs::DeadLetterQueues;
use lambda_support::context::SystemContext;
use session::reconcile::{self, HealthCheck, Rules, Summary};
use session::{PortError, metrics};

use crate::config::Config;
use crate::consumer::Consumer;
use crate::ports::OnAws;

/// Runs every duty once.
///
/// # Errors
/// The first failure of a duty, after all of them have run.
pub(crate) async fn run(aws: &Consumer) -> Result<Summary, PortError> {
    let trace = lambda_support::trace::current();
    let check = HealthCheck {
        sessions: &aws.sessions,
        streams: &aws.streams,
        checkpoints: &aws.config.relay,
        media: &aws.kinesis_video,
        events: &aws.events,
        listeners: &aws.connections,
        dead_letters: &aws.dead_letters,
        consumer: &aws.next_run,
        context: &aws.ctx,
    };
    let (summary, error) = reconcile::run::<OnAws>(&check, &rules(&aws.config), trace).await;
    aws.meter.count(metrics::ACTIVE_STREAMS, summary.active_streams);
    aws.meter.count(metrics::STREAMS_CLEANED_UP, summary.ended);
    aws.meter.count(metrics::CHECKPOINT_UNREADABLE, summary.unreadable);
    if aws.config.pairs.count > 0 {
        aws.meter.count(metrics::WARM_PAIRS_READY, summary.warm_pairs);
    }
    aws.meter.count(metrics::HEALTH_CHECK_COUNT, 1);
    tracing::info!(summary = %serde_json::json!(summary), "health check done");
    error.map_or(Ok(summary), Err)
}

/// Returns the health check's rules from this function's configuration.
pub(crate) fn rules(config: &Config) -> Rules {
    Rules {
        stream_keep: config.stream_keep,
        retention: config.relay.retention,
        take_margin: config.relay.take_margin,
        session_idle: config.session_idle,
        max_session: config.max_session,
        pairs: config.pairs.clone(),
        ..Rules::scaled(config.environment.clone(), config.relay.scale)
    }
}

impl reconcile::Ports for OnAws {
    type Sessions = SessionsTable;
    type Streams = StreamsTable;
    type Checkpoints = relay::Config;
    type Media = KinesisVideo;
    type Events = EventBridge;
    type Listeners = Connections;
    type DeadLetters = DeadLetterQueues;
    type Consumer = NextRun;
    type Context = SystemContext;
}
