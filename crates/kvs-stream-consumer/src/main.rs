//! Lambda that reads a session's stream from KVS and delivers it to the audio processor.

mod authority;
mod config;
mod end_notice;
mod event;
mod failure;
mod handler;
mod health_check;
mod metrics;
mod ports;

use std::sync::Arc;

use lambda_runtime::{Error, service_fn};

#[tokio::main]
async fn main() -> Result<(), Error> {
    lambda_support::logging::init();
    let config = config::Config::from_env(&lambda_support::Env::from_process())?;
    let sdk = aws_adapters::Sdk::load().await;
    let aws = Arc::new(ports::Aws::new(&sdk, config));
    let handle = move |event| handler::handle(Arc::clone(&aws), event);
    lambda_runtime::run_concurrent(service_fn(handle)).await
}
