//! The Runtime API of one process, on its own port, which identifies the process.
//!
//! `AWS_LAMBDA_RUNTIME_API` is a host and port without a path, so only the port can identify the
//! process.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::environment::ExecutionEnvironment;
use super::invocation::{MAX_SYNC_PAYLOAD, error_body};
use super::job::Outcome;
use super::{qualifier, trace};

/// Serves a process until `ended`.
pub(super) fn serve(
    listener: TcpListener,
    environment: Arc<ExecutionEnvironment>,
    ended: CancellationToken,
) {
    let router = Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{request}/response", post(response))
        .route("/2018-06-01/runtime/invocation/{request}/error", post(error))
        .route("/2018-06-01/runtime/init/error", post(start_error))
        .route("/2020-01-01/extension/register", post(register))
        .route("/2020-01-01/extension/event/next", get(extension_next))
        .with_state(environment);
    tokio::spawn(async move {
        tokio::select! {
            // Dropped, not shut down gracefully: the process has exited.
            _ = axum::serve(listener, router) => {}
            () = ended.cancelled() => {}
        }
    });
}

async fn next(State(environment): State<Arc<ExecutionEnvironment>>) -> Response {
    let Some(job) = environment.next().await else {
        return refused(StatusCode::GONE, "Runtime.Gone", "the process is ending");
    };
    let trace = trace::with_link(&job.invocation.trace, &environment.function.name);
    let mut builder = Response::builder();
    if let Some(context) = &job.invocation.client_context {
        builder = builder.header("lambda-runtime-client-context", context);
    }
    builder
        .header("content-type", "application/json")
        .header("lambda-runtime-aws-request-id", &job.invocation.request_id)
        .header("lambda-runtime-deadline-ms", job.deadline_ms.to_string())
        .header(
            "lambda-runtime-invoked-function-arn",
            qualifier::invoked_arn(&environment.function),
        )
        .header("lambda-runtime-trace-id", trace)
        .body(Body::from(job.invocation.payload))
        .unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

async fn response(
    State(environment): State<Arc<ExecutionEnvironment>>,
    Path(request_id): Path<String>,
    request: Request,
) -> Response {
    match body(request).await {
        Some(payload) => accepted(environment.finish(&request_id, Outcome::Answer(payload))),
        None => {
            let message = format!(
                "Response payload size exceeded maximum allowed payload size ({MAX_SYNC_PAYLOAD} \
                 bytes)."
            );
            let report = error_body("Function.ResponseSizeTooLarge", &message);
            environment.finish(&request_id, Outcome::Error(report));
            refused(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", &message)
        }
    }
}

async fn error(
    State(environment): State<Arc<ExecutionEnvironment>>,
    Path(request_id): Path<String>,
    request: Request,
) -> Response {
    let report = report(request).await;
    accepted(environment.finish(&request_id, Outcome::Error(report)))
}

async fn start_error(
    State(environment): State<Arc<ExecutionEnvironment>>,
    request: Request,
) -> Response {
    environment.record_init_error(report(request).await);
    accepted(true)
}

/// Returns an error report. A body that is not a JSON object is replaced by one.
async fn report(request: Request) -> Bytes {
    let body = body(request).await.unwrap_or_default();
    match serde_json::from_slice::<Value>(&body) {
        Ok(Value::Object(_)) => body,
        _ => error_body("Runtime.Unknown", "the function reported an error that is not JSON"),
    }
}

/// Returns the body, or `None` when it is larger than the limit.
async fn body(request: Request) -> Option<Bytes> {
    to_bytes(request.into_body(), MAX_SYNC_PAYLOAD).await.ok()
}

async fn register(
    State(environment): State<Arc<ExecutionEnvironment>>,
    headers: HeaderMap,
    request: Request,
) -> Response {
    if !headers.contains_key("lambda-extension-name") {
        let message = "Lambda-Extension-Name is missing";
        return refused(StatusCode::BAD_REQUEST, "Extension.InvalidExtensionName", message);
    }
    let body = body(request).await.unwrap_or_default();
    let body = serde_json::from_slice::<Value>(&body).unwrap_or_default();
    let wanted = body["events"].as_array().into_iter().flatten();
    let wanted: Vec<_> = wanted.filter_map(Value::as_str).map(str::to_owned).collect();
    let on_instances = environment.function.instances.is_some();
    if on_instances && wanted.iter().any(|event| event == "INVOKE") {
        let message = "On managed instances an extension registers for SHUTDOWN only";
        return refused(StatusCode::BAD_REQUEST, "Extension.InvalidEventType", message);
    }
    let id = environment.extensions.register(wanted);
    let answer = json!({
        "functionName": environment.function.name,
        "functionVersion": qualifier::version_of(&environment.function),
        "handler": "bootstrap",
    });
    ([("lambda-extension-identifier", id)], answer.to_string()).into_response()
}

async fn extension_next(
    State(environment): State<Arc<ExecutionEnvironment>>,
    headers: HeaderMap,
) -> Response {
    let id = headers.get("lambda-extension-identifier").and_then(|id| id.to_str().ok());
    let Some(id) = id.filter(|id| environment.extensions.record_next(id)) else {
        let message = "this extension did not register";
        return refused(StatusCode::FORBIDDEN, "Extension.UnknownExtensionIdentifier", message);
    };
    environment.settle();
    match environment.extensions.next(id).await {
        Some(event) => (StatusCode::OK, event.to_string()).into_response(),
        None => refused(StatusCode::GONE, "Extension.Gone", "the process is ending"),
    }
}

fn accepted(known: bool) -> Response {
    match known {
        true => (StatusCode::ACCEPTED, r#"{"status":"OK"}"#).into_response(),
        false => refused(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID"),
    }
}

fn refused(status: StatusCode, error_type: &str, message: &str) -> Response {
    (status, error_body(error_type, message)).into_response()
}
