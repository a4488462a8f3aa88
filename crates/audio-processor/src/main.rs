//! The Lambda function: start-up, and one response per payload.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use audio_processor::{Config, Processor};
use aws_adapters::{
    Sdk,
    dynamodb::{DynamoDb, ProcessedTable},
};
use lambda_runtime::{Error, LambdaEvent, run_concurrent, service_fn};
use lambda_support::{Env, logging, trace};
use serde_json::Value;

#[tokio::main]
async fn main() -> Result<(), Error> {
    logging::init();
    let config = Config::from_env(&Env::from_process())?;
    let dynamodb = DynamoDb::new(&Sdk::load().await);
    let watermarks = ProcessedTable::new(&dynamodb, config.processed_table);
    let processor = Arc::new(Processor::new(watermarks, config.audio_out_dir));

    run_concurrent(service_fn(move |event: LambdaEvent<Value>| {
        let processor = Arc::clone(&processor);
        trace::scope(event.context.xray_trace_id.clone(), async move {
            processor.process(event.payload, now_seconds()).await
        })
    }))
    .await
}

fn now_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
