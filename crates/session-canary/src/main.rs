//! `session-canary`: a scheduled Lambda function that takes the place of a speaker. It opens a
//! session, speaks the first seconds of the bundled recording into it with PutMedia, ends it, and
//! checks that the processor accepted every sample and that the session closed.
//!
//! It invokes the session handler directly, with the claims that API Gateway would add, because it
//! has no token of the speakers' issuer. So the API and its authorizer are not tested.

mod api;
mod canary;
mod config;
mod deployment;
mod error;
mod report;

use std::path::Path;
use std::sync::Arc;

use aws_adapters::Sdk;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use lambda_support::context::SystemContext;
use producer::Recording;
use serde_json::Value;

use canary::Canary;
use deployment::Aws;

/// The bundled recording, which begins with "Good morning, and welcome to the little chapel".
const RECORDING: &[u8] = include_bytes!("../../../tests/testkit/assets/two-voices.mka");
/// How much of it is spoken, in ms: two fragments.
const SENTENCE_MS: u64 = 4_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_support::logging::init();
    let env = lambda_support::Env::from_process();
    let config = config::Config::from_env(&env).inspect_err(|error| tracing::error!("{error}"))?;
    let sentence = Recording::parse(Path::new("two-voices.mka"), RECORDING)?.first(SENTENCE_MS);
    let ctx = SystemContext::new(&config.environment);
    let (environment, time_scale) = (config.environment.clone(), config.time_scale);
    let aws = Aws::new(&Sdk::load().await, config, sentence, ctx.clone());
    let canary = Arc::new(Canary::new(aws, time_scale));
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| {
        let (canary, ctx) = (Arc::clone(&canary), ctx.clone());
        let environment = environment.clone();
        let lambda_runtime::Context { request_id, xray_trace_id, .. } = event.context;
        lambda_support::trace::scope(xray_trace_id, async move {
            let report = canary.run(&request_id).await;
            report.publish(&environment, &ctx);
            Ok::<_, Error>(report)
        })
    }))
    .await
}
