//! A function for the tests: answers with its input, or fails as its input requests.

use std::time::Duration;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    if std::env::var_os("FAIL_AT_START").is_some() {
        std::process::exit(7);
    }
    println!("{{\"message\":\"echo starts\"}}");
    lambda_runtime::run(service_fn(answer)).await
}

async fn answer(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let (payload, context) = event.into_parts();
    match payload["do"].as_str().unwrap_or_default() {
        "fail" => return Err("told to fail".into()),
        "exit" => std::process::exit(3),
        "sleep" => {
            let ms = payload["ms"].as_u64().unwrap_or_default();
            tokio::time::sleep(Duration::from_millis(ms)).await;
        }
        _ => {}
    }
    Ok(json!({
        "event": payload,
        "requestId": context.request_id,
        "deadlineMs": context.deadline,
        "arn": context.invoked_function_arn,
        "trace": context.xray_trace_id,
        "clientContext": context.client_context,
        "pid": std::process::id(),
        "environment": std::env::vars().collect::<std::collections::BTreeMap<_, _>>(),
    }))
}
