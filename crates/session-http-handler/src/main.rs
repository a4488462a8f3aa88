//! `session-http-handler`: the Lambda behind the HTTP API. Opens, shows, changes and ends sessions.

use std::{convert::Infallible, sync::Arc};

use http::Answered;
use lambda_http::{Error, Request, runtime_concurrent, service_fn};
use session::{SessionService, ports::Ports};

mod after_answer;
mod config;
mod dynamodb;
mod event_bridge;
mod http;
mod kinesis_video;

/// The use cases' ports, as this function has them.
#[derive(Debug)]
struct OnAws;

impl Ports for OnAws {
    type Sessions = dynamodb::SessionsTable;
    type Media = kinesis_video::KinesisVideo;
    type Events = event_bridge::EventBridge;
    type Listeners = listeners::Connections;
    type Surroundings = lambda_shell::surroundings::Lambda;
}

// It waits for AWS and computes next to nothing: threads that wake one another would cost more than they do.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_shell::logging::init();
    let config = config::Config::from_env(&lambda_shell::Env::from_process())
        .inspect_err(|error| tracing::error!("{error}"))?;
    let sdk = lambda_shell::aws::sdk_config().await;
    let sessions = SessionService::<OnAws> {
        sessions: dynamodb::SessionsTable::new(&sdk, config.sessions_table, config.streams_table),
        media: kinesis_video::KinesisVideo::new(&sdk, config.kms_key_id),
        events: event_bridge::EventBridge::new(&sdk, config.event_bus_name),
        listeners: listeners::Connections::new(
            &sdk,
            config.connections_table,
            config.websocket_endpoint,
        ),
        around: lambda_shell::surroundings::Lambda::new(&config.environment),
        env: config.environment.clone(),
        stream_retention_hours: config.stream_retention_hours,
        most_sessions: config.most_sessions,
    };
    let api = Arc::new(http::Api {
        sessions,
        environment: config.environment,
        public_session_view: config.public_session_view,
        limits: config.limits,
    });
    let handler = service_fn(move |request: Request| {
        let api = Arc::clone(&api);
        async move {
            let Answered { response, announcement } = api.answer(request).await;
            if let Some(announcement) = announcement {
                after_answer::leave(async move { api.announce(announcement).await }).await;
            }
            Ok::<_, Infallible>(response)
        }
    });
    let (after_answer, extension) = after_answer::register().await;
    let runtime = runtime_concurrent(handler).layer(after_answer).run_concurrent();
    // Neither ends but by an error, and neither is of use without the other.
    tokio::select! {
        ended = runtime => ended,
        ended = extension => ended,
    }
}
