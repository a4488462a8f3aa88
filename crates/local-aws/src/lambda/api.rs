//! The HTTP side of Lambda: Invoke, and the reads that clients make before it.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode, header};
use serde_json::{Value, json};

use super::client_context;
use super::invocation::{Invocation, Invoked, MAX_SYNC_PAYLOAD};
use super::pool::Pool;
use super::qualifier;
use super::service::Lambda;
use crate::aws_error::AwsError;
use sam_template::Function;

/// The largest request that is not an invocation, in bytes.
const MAX_SETTINGS: usize = 64 * 1024;

impl Lambda {
    /// Answers one request of the `lambda` scope.
    pub async fn handle(self: Arc<Self>, request: Request) -> Response {
        route(self, request).await.unwrap_or_else(|error| error.rest_json())
    }
}

async fn route(lambda: Arc<Lambda>, request: Request) -> Result<Response, AwsError> {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    match (&method, parts.as_slice()) {
        (&Method::POST, ["2015-03-31", "functions", name, "invocations"]) => {
            let name = percent_decoded(name)?;
            invoke(&lambda, &name, request).await
        }
        (&Method::GET, ["2015-03-31", "functions"]) => {
            let functions =
                lambda.pools.iter().map(|pool| configuration(&pool.function())).collect::<Vec<_>>();
            Ok(json_answer(&json!({ "Functions": functions })))
        }
        (&Method::GET, ["2015-03-31", "functions", name]) => {
            let pool = lambda.pool(&percent_decoded(name)?)?;
            let code = json!({ "RepositoryType": "File", "Location": pool.binary() });
            let configuration = configuration(&pool.function());
            Ok(json_answer(&json!({ "Configuration": configuration, "Code": code })))
        }
        (&Method::GET, ["2015-03-31", "functions", name, "configuration"]) => {
            let pool = lambda.pool(&percent_decoded(name)?)?;
            Ok(json_answer(&configuration(&pool.function())))
        }
        (_, [_, "functions", name, "concurrency"]) => {
            let pool = Arc::clone(lambda.pool(&percent_decoded(name)?)?);
            reserved_concurrency(&pool, &method, request).await
        }
        (method, _) => Err(AwsError::not_implemented("lambda", &format!("{method} {path}"))),
    }
}

/// Reserves concurrency for a function, removes the reservation, or returns it. The template's is
/// in effect again when the cloud starts again.
async fn reserved_concurrency(
    pool: &Pool,
    method: &Method,
    request: Request,
) -> Result<Response, AwsError> {
    match *method {
        Method::PUT => {
            let body = to_bytes(request.into_body(), MAX_SETTINGS).await.unwrap_or_default();
            let body: Value = serde_json::from_slice(&body).unwrap_or_default();
            let number = body["ReservedConcurrentExecutions"].as_u64();
            let number = number.and_then(|number| u32::try_from(number).ok()).ok_or_else(|| {
                let message = "ReservedConcurrentExecutions must be a number of 0 or more";
                AwsError::bad_request("InvalidParameterValueException", message)
                    .with("Type", "User")
            })?;
            pool.concurrency().reserve(Some(number));
        }
        Method::DELETE => {
            pool.concurrency().reserve(None);
            return Ok(StatusCode::NO_CONTENT.into_response());
        }
        Method::GET => {}
        _ => return Err(AwsError::not_implemented("lambda", &format!("{method} concurrency"))),
    }
    Ok(json_answer(&match pool.concurrency().reserved() {
        Some(number) => json!({ "ReservedConcurrentExecutions": number }),
        None => json!({}),
    }))
}

async fn invoke(lambda: &Arc<Lambda>, name: &str, request: Request) -> Result<Response, AwsError> {
    let (head, body) = request.into_parts();
    let header = |name: &str| {
        head.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
    };
    let kind = header("x-amz-invocation-type").unwrap_or_else(|| "RequestResponse".to_owned());
    let trace = header("x-amzn-trace-id");
    // An unknown function is rejected before the payload is read.
    let version = qualifier::version_of(&lambda.invocable(name)?.function());
    // Reads more than allowed, so that a large payload is rejected with an error and not by a
    // closed connection.
    let payload = to_bytes(body, 2 * MAX_SYNC_PAYLOAD).await.map_err(|_| {
        let message = format!("Request must be smaller than {MAX_SYNC_PAYLOAD} bytes");
        AwsError::new(StatusCode::PAYLOAD_TOO_LARGE, "RequestTooLargeException", message)
    })?;
    let context = client_context::decoded(header("x-amz-client-context").as_deref())?;
    match kind.as_str() {
        "RequestResponse" => {
            let mut invocation = Invocation::new(payload, trace, MAX_SYNC_PAYLOAD)?;
            invocation.client_context = context;
            Ok(answer(lambda.invoke_sync(name, invocation).await?, version))
        }
        // Lambda passes a ClientContext to synchronous invocations only.
        "Event" => {
            let request_id = lambda.queue(name, payload, trace).await?;
            Ok((StatusCode::ACCEPTED, [("x-amzn-requestid", request_id)]).into_response())
        }
        "DryRun" => Ok(StatusCode::NO_CONTENT.into_response()),
        other => Err(AwsError::bad_request(
            "InvalidParameterValueException",
            format!("{other} is neither RequestResponse, Event nor DryRun"),
        )
        .with("Type", "User")),
    }
}

fn answer(invoked: Invoked, version: &str) -> Response {
    let mut builder = Response::builder()
        .header(header::CONTENT_TYPE, "application/json")
        .header("x-amz-executed-version", version)
        .header("x-amzn-requestid", invoked.request_id);
    if let Some(error) = invoked.function_error {
        builder = builder.header("x-amz-function-error", error);
    }
    builder
        .body(Body::from(invoked.payload))
        .unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

fn json_answer(body: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

/// A FunctionConfiguration; the environment's values are the template's, so there is no secret.
fn configuration(function: &Function) -> Value {
    json!({
        "FunctionName": function.name,
        "FunctionArn": function.arn,
        "Runtime": "provided.al2023",
        "Handler": "bootstrap",
        "Timeout": function.timeout.as_secs(),
        "MemorySize": function.memory_mb,
        "Environment": { "Variables": function.environment },
        "Version": qualifier::version_of(function),
        "PackageType": "Zip",
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "LastModified": "1970-01-01T00:00:00.000+0000",
    })
}

/// SDKs percent-encode ARNs in the path.
fn percent_decoded(text: &str) -> Result<String, AwsError> {
    crate::wire::percent_decoded(text).ok_or_else(|| {
        AwsError::bad_request("InvalidParameterValueException", "the function's name is not UTF-8")
    })
}
