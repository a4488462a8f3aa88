//! CORS of Kinesis Video Streams: a page calls the control plane, GetIceServerConfig and
//! JoinStorageSession, each signed. On AWS a page of any origin may; here `web_origin` rejects
//! those of other machines before.

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

/// The header of a signed request that no other request of a page has.
const SIGNED_HEADER: &str = "x-amz-date";

/// Returns whether a request asks whether a page may make a signed call.
pub(crate) fn is_preflight(request: &Request) -> bool {
    let headers = text(request.headers(), header::ACCESS_CONTROL_REQUEST_HEADERS);
    let is_signed = headers.split(',').any(|name| name.trim().eq_ignore_ascii_case(SIGNED_HEADER));
    request.method() == Method::OPTIONS && is_signed
}

/// Returns the answer to a preflight: the call is allowed.
pub(crate) fn preflight(request: &Request) -> Response {
    let mut response = StatusCode::OK.into_response();
    allow(&mut response);
    let headers = request.headers().get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned();
    let allowed = [
        (header::ACCESS_CONTROL_ALLOW_HEADERS, headers),
        (header::ACCESS_CONTROL_ALLOW_METHODS, Some(HeaderValue::from_static("POST"))),
        (header::ACCESS_CONTROL_MAX_AGE, Some(HeaderValue::from_static("600"))),
    ];
    let allowed = allowed.into_iter().filter_map(|(name, value)| Some((name, value?)));
    response.headers_mut().extend(allowed);
    response
}

/// Lets a page read an answer, with its error's code.
pub(crate) fn allow(response: &mut Response) {
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    let exposed = HeaderValue::from_static("x-amzn-errortype, x-amzn-requestid, date");
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
}

fn text(headers: &HeaderMap, name: HeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
