//! Lambda that reads a session's stream from KVS and delivers it to the audio processor.

use std::sync::Arc;

use kvs_stream_consumer::{Config, Consumer, Event, Failure};
use lambda_runtime::{Context, Diagnostic, Error, LambdaEvent, service_fn};
use lambda_support::context::time_left;
use relay::HandOver;
use serde_json::Value;

#[tokio::main]
async fn main() -> Result<(), Error> {
    lambda_support::logging::init();
    let config = Config::of_function(&lambda_support::Env::from_process())?;
    let sdk = aws_adapters::Sdk::load().await;
    let consumer = Arc::new(Consumer::new(&sdk, config));
    let handle = move |event| handle(Arc::clone(&consumer), event);
    lambda_runtime::run_concurrent(service_fn(handle)).await
}

/// Handles one invocation.
async fn handle(
    consumer: Arc<Consumer>,
    invocation: LambdaEvent<Value>,
) -> Result<Value, Diagnostic> {
    let (payload, Context { deadline, xray_trace_id, .. }) = invocation.into_parts();
    let left = time_left(deadline, consumer.now_ms());
    let remaining = left.unwrap_or(consumer.max_run());
    let event = Event { payload, trace: xray_trace_id, remaining, hand_over: HandOver::default() };
    consumer.handle(event).await.map_err(diagnostic)
}

/// Returns a failure as Lambda reports it. Operators filter by the error type.
fn diagnostic(failure: Failure) -> Diagnostic {
    Diagnostic { error_type: failure.error_type().to_owned(), error_message: failure.to_string() }
}
