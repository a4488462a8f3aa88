//! A processor of one's own, in Rust: logs the level of each payload, and accepts each sample once.
//!
//! ```text
//! cargo build -p audio-processor --example levels
//! target/debug/local-cloud run --processor target/debug/examples/levels
//! ```
//!
//! It keeps the contract of `session::audio` through [`Processor`], which stores each session's
//! position and epoch in the table `PROCESSED_TABLE`: a payload that comes again is answered as a
//! duplicate, one that comes too early or from an old sender is refused. What a processor is for,
//! such as transcription, takes the place of [`listen`].

use std::time::{SystemTime, UNIX_EPOCH};

use audio_processor::{Chunk, Config, Levels, ProcessError, Processor};
use aws_adapters::Sdk;
use aws_adapters::dynamodb::{DynamoDb, ProcessedTable};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use lambda_support::{Env, logging};
use serde_json::Value;
use session::audio::Answer;

#[tokio::main]
async fn main() -> Result<(), Error> {
    logging::init();
    let table = Config::from_env(&Env::from_process())?.processed_table;
    let watermarks = ProcessedTable::new(&DynamoDb::new(&Sdk::load().await), table);
    let processor = Processor::new(watermarks, None);
    run(service_fn(|event: LambdaEvent<Value>| answer(&processor, event.payload))).await
}

/// Works on the samples of a payload, then accepts them, so that a crash in between loses nothing:
/// the payload comes again. `examples/processor-python` shows how to skip samples that were worked
/// on before. The sender follows the `errorType` of a [`ProcessError`].
async fn answer(
    processor: &Processor<ProcessedTable>,
    payload: Value,
) -> Result<Answer, ProcessError> {
    let chunk = Chunk::check(payload.clone())?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    listen(&chunk);
    processor.process(payload, now).await
}

/// The work: samples at 16 kHz, mono, as `i16`.
fn listen(chunk: &Chunk) {
    let Levels { peak, rms } = Levels::of(&chunk.samples);
    tracing::info!(
        sessionId = %chunk.session, startSample = chunk.start, samples = chunk.samples.len(),
        peakDbfs = format!("{peak:.1}"), rmsDbfs = format!("{rms:.1}"), "level"
    );
}
