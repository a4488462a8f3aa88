//! One port for everything: each request goes to the service whose signing scope it carries.

use axum::extract::Request;

/// The operation of a json-1.x request: the last part of X-Amz-Target, for example `PutEvents`.
/// Empty when the header is missing.
pub fn operation(request: &Request) -> String {
    request
        .headers()
        .get("x-amz-target")
        .and_then(|target| target.to_str().ok())
        .and_then(|target| target.rsplit('.').next())
        .unwrap_or_default()
        .to_owned()
}
