//! JSON logs on stdout, one object per line, with the event's fields at the top level: what
//! CloudWatch Logs Insights queries without parsing.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// Sends `tracing` events to stdout as JSON.
///
/// The level is `AWS_LAMBDA_LOG_LEVEL` (Lambda's advanced logging controls), else `RUST_LOG`, else
/// `INFO`. The AWS SDKs stay at `WARN`, because at `DEBUG` they print signed headers.
pub fn init() {
    let level = ["AWS_LAMBDA_LOG_LEVEL", "RUST_LOG"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok()?.parse::<LevelFilter>().ok())
        .unwrap_or(LevelFilter::INFO);
    let sdk = "aws_config=warn,aws_runtime=warn,aws_smithy_runtime=warn,aws_smithy_http_client=warn,hyper=warn,hyper_util=warn,rustls=warn";
    // The builder's default directive would only count if there were no other.
    let filter = EnvFilter::builder().parse_lossy(format!("{level},{sdk}"));
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_target(false)
        .with_env_filter(filter)
        .init();
}
