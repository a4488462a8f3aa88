//! Requests that a web page makes. The credentials of this cloud stand in its documents and it
//! issues a token to every client, so pages of this machine only may use them.
//!
//! - A `Host` of another name than this machine's is rejected: by DNS rebinding, the page of any
//!   site can have this server's address.
//! - An `Origin` of another machine is rejected.
//!
//! The HTTP API accepts both: it checks tokens, can have a domain name of its own, and has the CORS
//! configuration of the template.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, HeaderName, StatusCode, header};

use crate::aws_error::AwsError;

/// Rejects a request for another host, or of a page from another machine.
pub(crate) async fn check(request: Request, next: Next) -> Response {
    match refusal(request.headers()) {
        Some(refused) => refused,
        None => next.run(request).await,
    }
}

/// Returns the answer to a request that is rejected; `None` for other requests.
pub(crate) fn refusal(headers: &HeaderMap) -> Option<Response> {
    if let Some(host) = value(headers, header::HOST)
        && !is_local(host)
    {
        return Some(forbidden(format!(
            "The host {host:?} is not this machine: use 127.0.0.1 or localhost"
        )));
    }
    let origin = value(headers, header::ORIGIN)?;
    let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    if host.is_some_and(is_local) {
        return None;
    }
    Some(forbidden(format!(
        "A page of {origin:?} may not use the local cloud: serve it at 127.0.0.1 or localhost"
    )))
}

/// Returns whether `host`, with or without a port, is a name of this machine.
fn is_local(host: &str) -> bool {
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    let name = match host.rsplit_once(':') {
        Some((name, port)) if is_port(port) && !name.is_empty() => name,
        _ => host,
    };
    let name = name.to_ascii_lowercase();
    matches!(name.as_str(), "127.0.0.1" | "localhost" | "[::1]") || name.ends_with(".localhost")
}

fn value(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

fn forbidden(message: String) -> Response {
    AwsError::new(StatusCode::FORBIDDEN, "AccessDeniedException", message).rest_json()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_this_machine_are_local() {
        for host in [
            "127.0.0.1",
            "127.0.0.1:7878",
            "localhost:7878",
            "LOCALHOST",
            "[::1]:7878",
            "kinesisvideo.localhost:7878",
        ] {
            assert!(is_local(host), "{host}");
        }
        for host in [
            "",
            "evil.test",
            "evil.test:7878",
            "127.0.0.1.evil.test",
            "localhost.evil.test:80",
            "evillocalhost",
            "127.0.0.1:7878@evil.test",
            "127.0.0.1/",
            ":7878",
        ] {
            assert!(!is_local(host), "{host}");
        }
    }

    #[test]
    fn an_origin_is_a_scheme_and_a_host_of_this_machine() {
        let refused = |origin: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ORIGIN, origin.parse().unwrap());
            refusal(&headers).is_some()
        };
        for origin in ["http://127.0.0.1:5173", "https://localhost:8443", "http://[::1]"] {
            assert!(!refused(origin), "{origin}");
        }
        for origin in ["null", "https://evil.test", "file://localhost", "localhost"] {
            assert!(refused(origin), "{origin}");
        }
        assert!(refusal(&HeaderMap::new()).is_none());
    }
}
