//! API Gateway's event, without what only its client says about where it came and no route reads.

use lambda_http::{
    LambdaEvent, aws_lambda_events::query_map::QueryMap, http::header::HOST, request::LambdaRequest,
};

/// Takes host and query out of the event, for `lambda_http` makes a URL of them: a `Host` header that is none would panic
/// there, as would a query that is none, and a host with a path of its own would choose the route. Without them the URI
/// is the path, which the gateway has matched.
pub(crate) fn path_alone(mut event: LambdaEvent<LambdaRequest>) -> LambdaEvent<LambdaRequest> {
    if let LambdaRequest::ApiGatewayV2(request) = &mut event.payload {
        request.headers.remove(HOST);
        request.request_context.domain_name = None;
        request.raw_query_string = None;
        request.query_string_parameters = QueryMap::default();
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

    fn uri(host: &str, protocol: &str, query: &str) -> String {
        let mut event: Value = serde_json::from_str(HEALTH).unwrap();
        event["headers"]["host"] = host.into();
        event["headers"]["x-forwarded-proto"] = protocol.into();
        event["rawQueryString"] = query.into();
        let payload = serde_json::from_value(event).unwrap();
        let event = path_alone(LambdaEvent::new(payload, Context::default()));
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

    proptest! {
        #[test]
        fn whatever_they_say(host in "[ -~]{0,40}", protocol in "[ -~]{0,10}", query in "\\PC{0,40}") {
            prop_assert_eq!(uri(&host, &protocol, &query), "/health");
        }
    }
}
