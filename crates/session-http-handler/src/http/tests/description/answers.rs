//! Every response that the code can return is described, and the code can return every described
//! response that is not API Gateway's.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::super::*;
use super::{Operation, Page, concrete, operation};

const POST: (&str, &str) = ("POST", "/sessions");
const GET: (&str, &str) = ("GET", "/sessions/{sessionId}");
const PATCH: (&str, &str) = ("PATCH", "/sessions/{sessionId}");
const DELETE: (&str, &str) = ("DELETE", "/sessions/{sessionId}");
const HEALTH: (&str, &str) = ("GET", "/health");

/// Every error of the use cases, with the operations that can return it.
fn errors() -> Vec<(Error, Vec<(&'static str, &'static str)>)> {
    let session_id: SessionId = ID.parse().unwrap();
    let mut errors = vec![
        (Error::NotFound { session_id: session_id.clone() }, vec![GET, PATCH, DELETE]),
        (Error::NotOwner { session_id: session_id.clone() }, vec![PATCH, DELETE]),
        (Error::NotReady { session_id: session_id.clone() }, vec![PATCH, DELETE]),
        (Error::Over { session_id: session_id.clone() }, vec![PATCH]),
        (Error::NoFreeId { attempts: 8 }, vec![POST]),
        (Error::TooManySessions { max_sessions: 10 }, vec![POST]),
        (Error::KeyReused, vec![POST]),
        (Error::InProgress { retry_after: Duration::from_secs(34) }, vec![POST]),
    ];
    for kind in ErrorKind::ALL {
        let creation = Error::Creation { session_id: session_id.clone(), cause: port_error(kind) };
        errors.push((creation, vec![POST]));
        errors.push((Error::Store(port_error(kind)), vec![POST, GET, PATCH, DELETE]));
    }
    errors
}

/// Fails to compile if [`errors`] lacks a variant.
const fn _is_in_errors(error: &Error) {
    match error {
        Error::NotFound { .. }
        | Error::NotOwner { .. }
        | Error::NotReady { .. }
        | Error::Over { .. }
        | Error::NoFreeId { .. }
        | Error::TooManySessions { .. }
        | Error::KeyReused
        | Error::InProgress { .. }
        | Error::Creation { .. }
        | Error::Store(_) => {}
    }
}

/// A valid body for the operation.
fn body(operation: (&str, &str)) -> Option<&'static str> {
    match operation {
        POST => Some(r#"{"sourceLanguage": "en"}"#),
        PATCH => Some(r#"{"status": "paused"}"#),
        _ => None,
    }
}

fn request((method, path): (&str, &str)) -> Value {
    event(method, &concrete(path), Some(SPEAKER), body((method, path)))
}

/// All responses of the code, by operation, with a public or private view of a session.
fn answers(private: bool) -> BTreeMap<Operation, Vec<Answer>> {
    let fine = Scripted { private, ..Scripted::default() };
    let mut found = BTreeMap::<_, Vec<_>>::new();
    let mut add = |at: (&str, &str), answer| {
        found.entry(operation(at.0, at.1)).or_default().push(answer);
    };
    for at in [POST, GET, PATCH, DELETE, HEALTH] {
        add(at, ask(&fine, &request(at)));
    }
    for (error, operations) in errors() {
        for at in operations {
            add(at, ask(&Scripted { private, ..failing(error.clone()) }, &request(at)));
        }
    }
    for at in [POST, GET, PATCH, DELETE] {
        let mut event = request(at);
        event["requestContext"].as_object_mut().unwrap().remove("authorizer");
        add(at, ask(&fine, &event));
    }
    let (method, path) = GET;
    add(GET, ask(&fine, &event(method, &concrete(path), Some("someone-else"), None)));
    for (method, path) in [GET, PATCH, DELETE] {
        let event = event(method, &path.replace("{sessionId}", "x"), Some(SPEAKER), Some("{}"));
        add((method, path), ask(&fine, &event));
    }
    let mut unnamed = request(POST);
    unnamed["headers"]["idempotency-key"] = "".into();
    add(POST, ask(&fine, &unnamed));
    let large = format!("\"{}\"", "x".repeat(request::MAX_BODY));
    for at in [POST, PATCH] {
        for body in ["{}", &large] {
            let mut event = request(at);
            event["body"] = body.into();
            add(at, ask(&fine, &event));
        }
        let mut event = request(at);
        event["headers"]["content-type"] = "text/plain".into();
        add(at, ask(&fine, &event));
    }
    found
}

#[test]
fn every_answer_of_the_code_is_described() {
    let page = Page::load();
    let operations = page.operations();
    for (operation, answers) in [false, true].into_iter().flat_map(answers) {
        for answer in answers {
            let what = format!("{operation:?} {}", answer.status);
            let response = page.response(&operations[&operation], answer.status);
            let response = response.unwrap_or_else(|| panic!("{what} is not described"));
            page.check(&what, &response, &answer);
        }
    }
}

#[test]
fn the_code_returns_every_response_that_is_not_api_gateways() {
    let page = Page::load();
    let [public, private] = [false, true].map(answers);
    for (operation, details) in page.operations() {
        let answers = public[&operation].iter().chain(&private[&operation]);
        let answered: BTreeSet<_> = answers.map(|answer| answer.status).collect();
        let statuses = details["responses"].as_object().unwrap().keys();
        let described: BTreeSet<_> = statuses
            .map(|status| status.parse().unwrap())
            .filter(|status| !page.is_from_gateway(&page.response(&details, *status).unwrap()))
            .collect();
        assert_eq!(answered, described, "{operation:?}");
    }
}

#[test]
fn a_public_view_needs_no_token_and_has_no_owner() {
    let (method, path) = GET;
    let statuses = |private| {
        let answers = answers(private).remove(&operation(method, path)).unwrap();
        answers.iter().map(|answer| answer.status).collect::<BTreeSet<_>>()
    };
    assert_eq!(statuses(false), BTreeSet::from([200, 404, 500, 503]));
    assert_eq!(statuses(true), BTreeSet::from([200, 401, 403, 404, 500, 503]));
}

#[test]
fn every_example_of_an_answer_has_the_fields_of_its_schema() {
    let page = Page::load();
    let mut seen = 0;
    for (operation, details) in page.operations() {
        for (status, _) in details["responses"].as_object().unwrap() {
            let response = page.response(&details, status.parse().unwrap()).unwrap();
            let content = &response["content"]["application/json"];
            for (name, example) in content["examples"].as_object().into_iter().flatten() {
                let what = format!("{operation:?} {status} {name}");
                page.check_names(&what, &content["schema"], &page.resolved(example)["value"]);
                seen += 1;
            }
        }
    }
    assert!(seen > 4, "each operation shows an answer");
}
