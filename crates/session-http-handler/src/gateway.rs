//! Strips client-controlled host and query fields, and the stage name, from API Gateway's event
//! before routing.

use lambda_http::{
    LambdaEvent, aws_lambda_events::query_map::QueryMap, http::header::HOST, request::LambdaRequest,
};

/// Reduces the request's URL to its path. `lambda_http` builds the URL from host, stage, path and
/// query: an invalid `Host` header or query would panic there, and a host that contains a path
/// could select another route.
///
/// Removes the stage name with which `rawPath` begins (`/dev/sessions`). The base path of a custom
/// domain cannot be distinguished from the rest of the path; where API Gateway has matched a route,
/// [`crate::http`] does not read the path.
pub(crate) fn sanitize(mut event: LambdaEvent<LambdaRequest>) -> LambdaEvent<LambdaRequest> {
    if let LambdaRequest::ApiGatewayV2(request) = &mut event.payload {
        request.headers.remove(HOST);
        request.request_context.domain_name = None;
        request.raw_query_string = None;
        request.query_string_parameters = QueryMap::default();
        let stage = request.request_context.stage.take();
        request.raw_path =
            request.raw_path.take().filter(|path| path.starts_with('/')).map(|path| {
                match within_stage(&path, stage.as_deref()) {
                    Some(within) => within.to_owned(),
                    None => path,
                }
            });
    }
    event
}

/// Returns the path after the stage name, or `None` if it does not begin with the stage name.
fn within_stage<'a>(path: &'a str, stage: Option<&str>) -> Option<&'a str> {
    path.strip_prefix('/')?.strip_prefix(stage?).filter(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use lambda_http::{Context, Request};
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    const HEALTH: &str = include_str!("../../../events/session-http-handler.health.json");

    fn uri(host: &str, protocol: &str, query: &str) -> String {
        let mut event: Value = serde_json::from_str(HEALTH).unwrap();
        event["headers"]["host"] = host.into();
        event["headers"]["x-forwarded-proto"] = protocol.into();
        event["rawQueryString"] = query.into();
        uri_of(event)
    }

    fn uri_of(event: Value) -> String {
        let payload = serde_json::from_value(event).unwrap();
        let event = sanitize(LambdaEvent::new(payload, Context::default()));
        Request::from(event.payload).uri().to_string()
    }

    #[test]
    fn no_header_chooses_the_route_or_panics() {
        for host in ["127.0.0.1:99999", "a b", "[", "x/sessions/abc-def-123?", "", "x#", "@"] {
            assert_eq!(uri(host, "https", ""), "/health", "{host}");
            assert_eq!(uri("example.com", host, ""), "/health", "{host}");
            assert_eq!(uri("example.com", "https", host), "/health", "{host}");
        }
    }

    #[test]
    fn a_stage_is_taken_off_and_never_put_on() {
        for (stage, path, left) in [
            ("$default", "/health", "/health"),
            ("dev", "/dev/health", "/health"),
            ("dev", "/health", "/health"),
            ("dev", "/devices/health", "/devices/health"),
            ("dev", "/dev", "/dev"),
            ("health", "/health", "/health"),
            ("dev", ":99999/health", "/"),
            ("dev", "", "/"),
        ] {
            let mut event: Value = serde_json::from_str(HEALTH).unwrap();
            event["requestContext"]["stage"] = stage.into();
            event["rawPath"] = path.into();
            assert_eq!(uri_of(event), left, "{stage} {path}");
        }
    }

    proptest! {
        #[test]
        fn no_header_or_query_changes_the_route(host in "[ -~]{0,40}", protocol in "[ -~]{0,10}", query in "\\PC{0,40}") {
            prop_assert_eq!(uri(&host, &protocol, &query), "/health");
        }
    }
}
