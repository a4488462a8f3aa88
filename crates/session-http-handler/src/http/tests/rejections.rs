//! Rejected requests, and the response to each error of a use case.

use super::*;

#[test]
fn a_request_without_claims_is_rejected() {
    let api = Scripted::default();
    let long = "x".repeat(256);
    for sub in [None, Some(""), Some(long.as_str())] {
        let body = Some(r#"{"sourceLanguage": "en"}"#);
        check_error(&ask(&api, &event("POST", "/sessions", sub, body)), 401, "token");
        let path = format!("/sessions/{ID}");
        check_error(&ask(&api, &event("DELETE", &path, sub, None)), 401, "token");
        check_error(&ask(&api, &event("PATCH", &path, sub, body)), 401, "token");
    }
    assert_eq!(*api.asked.lock().unwrap(), []);
}

#[test]
fn an_authorization_header_without_claims_is_rejected() {
    let mut event = event("DELETE", &format!("/sessions/{ID}"), None, None);
    event["headers"]["authorization"] = "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.".into();
    assert_eq!(ask(&Scripted::default(), &event).status, 401);
}

#[test]
fn an_unknown_path_is_404_and_another_method_405() {
    let api = Scripted::default();
    for path in ["/", "/session", "/sessions/", "/sessions/a-b-1/x", "/healthz", "/health/x"] {
        check_error(&ask(&api, &event("GET", path, Some(SPEAKER), None)), 404, "route");
    }
    for (method, path, allow) in [
        ("GET", "/sessions", "POST"),
        ("PUT", "/sessions/a-b-1", "GET, PATCH, DELETE"),
        ("POST", "/sessions/a-b-1", "GET, PATCH, DELETE"),
        ("POST", "/health", "GET"),
        ("BREW", "/sessions", "POST"),
    ] {
        let answer = ask(&api, &event(method, path, Some(SPEAKER), None));
        check_error(&answer, 405, "allowed");
        assert_eq!(answer.headers[header::ALLOW], allow);
    }
    assert_eq!(*api.asked.lock().unwrap(), []);
}

#[test]
fn an_invalid_session_id_is_404() {
    let api = Scripted::default();
    for id in ["x", "A-b-1", "a-b-1%0a", "..%2F..", "a-b-c"] {
        let path = format!("/sessions/{id}");
        check_error(&ask(&api, &event("GET", &path, None, None)), 404, "session does not exist");
        check_error(
            &ask(&api, &event("DELETE", &path, Some(SPEAKER), None)),
            404,
            "session does not exist",
        );
    }
    assert_eq!(*api.asked.lock().unwrap(), []);
}

#[test]
fn each_error_of_a_use_case_has_its_status() {
    let session_id: SessionId = ID.parse().unwrap();
    let path = format!("/sessions/{ID}");
    let delete = event("DELETE", &path, Some(SPEAKER), None);
    let get = event("GET", &path, None, None);
    let api = failing(Error::NotFound { session_id: session_id.clone() });
    check_error(&ask(&api, &get), 404, ID);
    check_error(&ask(&api, &delete), 404, ID);
    let api = failing(Error::NotOwner { session_id: session_id.clone() });
    check_error(&ask(&api, &delete), 403, "another speaker");
    let answer = ask(&failing(Error::NotReady { session_id }), &delete);
    check_error(&answer, 409, "still being created");
    assert!(answer.headers.contains_key(header::RETRY_AFTER));
    for kind in ErrorKind::ALL {
        let api = failing(Error::Store(port_error(kind)));
        let status = if Error::Store(port_error(kind)).retry_after().is_some() { 503 } else { 500 };
        assert_eq!(ask(&api, &get).status, status, "{kind:?}");
        assert_eq!(ask(&api, &delete).status, status, "{kind:?}");
    }
}

#[test]
fn a_session_that_cannot_be_created_is_503_with_retry_after_or_500() {
    let session_id: SessionId = ID.parse().unwrap();
    let create = event("POST", "/sessions", Some(SPEAKER), Some(r#"{"sourceLanguage": "en"}"#));
    for (kind, status, retry_after) in [
        (ErrorKind::Throttled, 503, Some("2")),
        (ErrorKind::LimitExceeded, 503, Some("60")),
        (ErrorKind::TimedOut, 503, Some("5")),
        (ErrorKind::Unavailable, 503, Some("5")),
        (ErrorKind::Denied, 500, None),
        (ErrorKind::Invalid, 500, None),
    ] {
        let cause = port_error(kind);
        let api = failing(Error::Creation { session_id: session_id.clone(), cause });
        let answer = ask(&api, &create);
        assert_eq!(answer.status, status, "{kind:?}");
        let header = answer.headers.get(header::RETRY_AFTER).map(|value| value.to_str().unwrap());
        assert_eq!(header, retry_after, "{kind:?}");
        assert!(!answer.body.to_string().contains("arn:"), "AWS's words stay in the log");
    }
    let answer = ask(&failing(Error::NoFreeId { attempts: 8 }), &create);
    check_error(&answer, 503, "no unused session id");
}
