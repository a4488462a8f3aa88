//! `session-http-handler`: the Lambda function behind the HTTP API. Creates, reads, changes and
//! ends sessions.

// The futures of the use cases nest deeper than the default of 128.
#![recursion_limit = "256"]

use std::{convert::Infallible, sync::Arc};

use aws_adapters::{
    Sdk,
    dynamodb::{DynamoDb, SessionsTable},
    event_bridge::EventBridge,
    kinesis_video::KinesisVideo,
    listeners::Connections,
};
use http::ApiResponse;
use lambda_http::{
    Adapter, Error, Request, lambda_runtime::Runtime, service_fn, tower::ServiceExt,
};
use session::{SessionService, ports::Ports};

mod config;
mod gateway;
mod http;
mod post_response;

/// The AWS implementations of the use cases' ports.
#[derive(Debug)]
struct OnAws;

impl Ports for OnAws {
    type Sessions = SessionsTable;
    type Media = KinesisVideo;
    type Events = EventBridge;
    type Listeners = Connections;
    type Context = lambda_support::context::SystemContext;
}

// The function is I/O-bound, so waking worker threads would cost more than they gain.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_support::logging::init();
    let env = lambda_support::Env::from_process();
    let initialization = env.get("AWS_LAMBDA_INITIALIZATION_TYPE");
    let config = config::Config::from_env(&env).inspect_err(|error| tracing::error!("{error}"))?;
    let sdk = Sdk::load().await;
    let dynamodb = DynamoDb::new(&sdk);
    let kinesis_video = KinesisVideo::new(&sdk, config.environment.clone());
    let sessions = SessionService::<OnAws> {
        sessions: SessionsTable::new(&dynamodb, config.sessions_table, config.streams_table),
        media: kinesis_video.with_key(config.kms_key_id),
        events: EventBridge::new(&sdk, config.event_bus_name),
        listeners: Connections::new(
            &sdk,
            &dynamodb,
            config.connections_table,
            config.websocket_endpoint,
        ),
        ctx: lambda_support::context::SystemContext::new(&config.environment),
        env: config.environment.clone(),
        stream_retention_hours: config.stream_retention_hours,
        max_sessions: config.max_sessions,
        max_session: config.max_session,
        pairs: config.pairs,
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
            let ApiResponse { response, post_response } = api.handle(request).await;
            if let Some(post_response) = post_response {
                post_response::defer(async move { api.run_post_response(post_response).await })
                    .await;
            }
            Ok::<_, Infallible>(response)
        }
    });
    let handler = Adapter::from(handler).map_request(gateway::sanitize);
    let (scope_layer, extension) = post_response::register(initialization.as_deref()).await;
    let runtime = Runtime::new(handler).layer(scope_layer).run_concurrent();
    // Each ends only with an error, and cannot work without the other.
    tokio::select! {
        ended = runtime => ended,
        ended = extension => ended,
    }
}
