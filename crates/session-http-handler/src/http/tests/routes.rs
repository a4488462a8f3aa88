//! The route matched by API Gateway decides, independent of the API's mount path.

use super::*;
use crate::http::route::{ROUTES, Route};

/// An event of the route `key`, with a stage or base path as prefix of its path.
fn matched(key: &str, prefix: &str, stage: &str) -> Value {
    let (method, path) = key.split_once(' ').unwrap();
    let raw = format!("{prefix}{}", path.replace("{sessionId}", ID));
    let body = match method {
        "POST" => Some(r#"{"sourceLanguage": "en"}"#),
        "PATCH" => Some(r#"{"qualityTier": "premium"}"#),
        _ => None,
    };
    let mut event = event(method, &raw, Some(SPEAKER), body);
    event["routeKey"] = key.into();
    event["requestContext"]["routeKey"] = key.into();
    event["requestContext"]["stage"] = stage.into();
    if path.contains('{') {
        event["pathParameters"] = json!({"sessionId": ID});
    }
    event
}

#[test]
fn a_stage_and_a_base_path_change_no_route() {
    for (prefix, stage) in
        [("", "$default"), ("/dev", "dev"), ("/speech", "dev"), ("/speech/v1", "$default")]
    {
        for Route { method, path, .. } in ROUTES {
            let key = format!("{method} {path}");
            let answer = ask(&Scripted::default(), &matched(&key, prefix, stage));
            let is_success = (200..300).contains(&answer.status);
            assert!(is_success, "{key} at {prefix} in {stage}: {}", answer.body);
        }
    }
}

#[test]
fn the_id_is_the_one_that_api_gateway_read() {
    let api = Scripted::default();
    let mut event = matched("GET /sessions/{sessionId}", "/dev", "dev");
    event["rawPath"] = "/dev/sessions/calm-river-456".into();
    assert_eq!(ask(&api, &event).status, 200);
    assert_eq!(*api.asked.lock().unwrap(), [Asked::Get(ID.to_owned())]);

    for id in ["a b", "../health", "a/b", "", "%62lessed-shepherd-123"] {
        event["pathParameters"]["sessionId"] = id.into();
        check_error(&ask(&Scripted::default(), &event), 404, "session does not exist");
    }
    event.as_object_mut().unwrap().remove("pathParameters");
    check_error(&ask(&Scripted::default(), &event), 404, "route does not exist");
}

#[test]
fn without_a_matched_route_the_path_decides() {
    for key in ["$default", "ANY /{proxy+}"] {
        for (path, stage) in [("/health", "$default"), ("/dev/health", "dev")] {
            let mut event = event("GET", path, None, None);
            event["requestContext"]["routeKey"] = key.into();
            event["requestContext"]["stage"] = stage.into();
            assert_eq!(ask(&Scripted::default(), &event).status, 200, "{key} {path}");
        }
    }
    let mut event = event("GET", "/health", None, None);
    event["requestContext"].as_object_mut().unwrap().remove("routeKey");
    assert_eq!(ask(&Scripted::default(), &event).status, 200);
}

#[test]
fn a_method_that_the_matched_path_does_not_have_is_405() {
    let mut event = matched("GET /health", "/dev", "dev");
    event["requestContext"]["routeKey"] = "ANY /health".into();
    event["requestContext"]["http"]["method"] = "PUT".into();
    check_error(&ask(&Scripted::default(), &event), 405, "GET");
}
