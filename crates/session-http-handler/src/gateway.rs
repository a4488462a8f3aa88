//! API Gateway's event, without what only its client says about where it came.

use lambda_http::{LambdaEvent, http::header::HOST, request::LambdaRequest};

/// Takes the host out of the event, for `lambda_http` makes a URL of it: a `Host` header that is none would panic there,
/// and one with a path of its own would choose the route. Without a host the URI is the path, which the gateway has
/// matched.
pub(crate) fn without_host(mut event: LambdaEvent<LambdaRequest>) -> LambdaEvent<LambdaRequest> {
    if let LambdaRequest::ApiGatewayV2(request) = &mut event.payload {
        request.headers.remove(HOST);
        request.request_context.domain_name = None;
    }
    event
}

#[cfg(test)]
mod tests {
    use lambda_http::{Context, Request};
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    const HEALTH: &str = include_str!("../../../events/session-http-handler.health.json");

    fn uri(host: &str, protocol: &str) -> String {
        let mut event: Value = serde_json::from_str(HEALTH).unwrap();
        event["headers"]["host"] = host.into();
        event["headers"]["x-forwarded-proto"] = protocol.into();
        let payload = serde_json::from_value(event).unwrap();
        let event = without_host(LambdaEvent::new(payload, Context::default()));
        Request::from(event.payload).uri().to_string()
    }

    #[test]
    fn no_header_chooses_the_route_or_panics() {
        for host in ["127.0.0.1:99999", "a b", "[", "x/sessions/abc-def-123?", "", "x#", "@"] {
            assert_eq!(uri(host, "https"), "/health", "{host}");
            assert_eq!(uri("example.com", host), "/health", "{host}");
        }
    }

    proptest! {
        #[test]
        fn whatever_the_headers_say(host in "[ -~]{0,40}", protocol in "[ -~]{0,10}") {
            prop_assert_eq!(uri(&host, &protocol), "/health");
        }
    }
}
