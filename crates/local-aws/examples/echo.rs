//! A function for the tests: answers with its input, or fails as its input requests.

use std::time::Duration;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    if std::env::var_os("FAIL_AT_START").is_some() {
        std::process::exit(7);
    }
    println!("{{\"message\":\"echo starts\"}}");
    lambda_runtime::run_concurrent(service_fn(answer)).await
}

async fn answer(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let (payload, context) = event.into_parts();
    match payload["do"].as_str().unwrap_or_default() {
        "fail" => return Err("failed as requested".into()),
        "exit" => std::process::exit(3),
        "register" => return register(&payload["events"]).await,
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

/// Registers an extension for these events; returns the answer as it is.
async fn register(events: &Value) -> Result<Value, Error> {
    let mut api = tokio::net::TcpStream::connect(std::env::var("AWS_LAMBDA_RUNTIME_API")?).await?;
    let body = json!({ "events": events }).to_string();
    let request = format!(
        "POST /2020-01-01/extension/register HTTP/1.1\r\nhost: api\r\nconnection: close\r\n\
         lambda-extension-name: echo\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    api.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    api.read_to_string(&mut answer).await?;
    Ok(answer.into())
}
