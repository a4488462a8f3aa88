//! A long-running host of the consumer: it takes events from a queue and runs many sessions.
//!
//! - `config`: the settings, read once at init.
//! - `receive`: receives messages while there is capacity, and starts a run for each.
//! - `message`: one message, from its receipt to its deletion.
//! - `sessions`: the number of runs.
//! - `load`: CPU time and memory of this process; `capacity`: the bounds beyond which it receives
//!   nothing.
//! - `health`: `GET /health` and `GET /ready`.
//! - `stop`: SIGTERM.

mod capacity;
mod config;
mod error;
mod health;
mod load;
mod message;
mod monitor;
mod queue;
mod receive;
mod sessions;
mod stop;

use std::process::ExitCode;
use std::sync::Arc;

use aws_adapters::Sdk;
use aws_adapters::starts_queue::StartsQueue;
use kvs_stream_consumer::Consumer;
use lambda_support::Env;

use crate::capacity::Capacity;
use crate::config::Config;
use crate::error::Error;
use crate::message::Messages;
use crate::receive::receive;
use crate::sessions::Sessions;
use crate::stop::Stop;

/// The argument with which the container's health check runs this program.
const HEALTH: &str = "health";

#[tokio::main]
async fn main() -> ExitCode {
    lambda_support::logging::init();
    let env = Env::from_process();
    let is_health_check = std::env::args().nth(1).is_some_and(|argument| argument == HEALTH);
    let done = match is_health_check {
        true => health::check(&env).await,
        false => work(&env).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "exiting with an error");
            ExitCode::FAILURE
        }
    }
}

/// Runs sessions until the first SIGTERM or SIGINT, and hands them over.
///
/// # Errors
/// The configuration is invalid, the port is in use, or a session was not handed over in time.
async fn work(env: &Env) -> Result<(), Error> {
    let config = Config::from_env(env)?;
    let stop = Stop::on_signal(config.stop_timeout)?;
    let sdk = Sdk::load().await;
    let queue = StartsQueue::new(&sdk, config.queue_url);
    let consumer = Arc::new(Consumer::new(&sdk, config.consumer));
    let sessions = Sessions::default();
    let capacity = Capacity::new(config.bounds, sessions.clone());
    let health = health::bind(config.health_port).await?;
    tokio::spawn(health::serve(health, capacity.clone(), stop.clone()));
    tokio::spawn(monitor::watch(capacity.clone(), config.size));
    tokio::spawn(monitor::report(capacity.clone(), Arc::clone(&consumer), config.scale));
    let messages = Arc::new(Messages {
        queue: Arc::new(queue),
        run: consumer.max_run(),
        handler: consumer,
        scale: config.scale,
        stop: stop.clone(),
        sessions: sessions.clone(),
    });
    tracing::info!("receiving");
    let work = async {
        receive(&messages, &capacity).await;
        sessions.all_ended().await;
    };
    stop.in_time(work, &sessions).await
}
