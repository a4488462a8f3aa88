//! The Lambda function: start-up, and one response per payload.

// The futures of the AWS calls nest deeper than the default of 128.
#![recursion_limit = "256"]

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use audio_processor::{Config, Processor};
use aws_adapters::{
    Sdk,
    dynamodb::{DynamoDb, ProcessedTable},
};
use lambda_runtime::{Error, LambdaEvent, run_concurrent, service_fn};
use lambda_support::trace::{self, Subsegment};
use lambda_support::{Env, logging};
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
            let text = |name: &str| event.payload.get(name).cloned().unwrap_or_default();
            let subsegment = Subsegment::begin("accept")
                .annotated("sessionId", text("sessionId"))
                .annotated("epoch", text("epoch"));
            subsegment.run_result(processor.process(event.payload, now_seconds())).await
        })
    }))
    .await
}

fn now_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
