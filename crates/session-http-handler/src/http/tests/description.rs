//! `docs/openapi.yaml` against the code: this module checks routes, methods and tokens; the modules
//! below check responses, names and codes.
//!
//! `tests/clients/api_contract.py` checks the running system against the same page. Responses to
//! failures of AWS are checked only here.

use std::collections::BTreeSet;

use super::*;
use crate::http::route::ROUTES;

mod answers;
mod names;
mod page;
mod patterns;
mod routes;

use page::Page;

/// A method and a path template.
type Operation = (String, String);

fn operation(method: &str, path: &str) -> Operation {
    (method.to_owned(), path.to_owned())
}

/// Returns the path of a request to a route.
fn concrete(path: &str) -> String {
    path.replace("{sessionId}", ID)
}

/// The operations of the table, and whether each requires a token by default.
fn table() -> BTreeSet<(Operation, bool)> {
    ROUTES
        .iter()
        .map(|route| (operation(route.method, route.path), route.access == Access::Speaker))
        .collect()
}

#[test]
fn the_page_describes_the_routes_of_the_table() {
    let page = Page::load();
    let operations = page.operations();
    let described: BTreeSet<_> = operations
        .iter()
        .map(|(operation, details)| (operation.clone(), page.wants_token(details)))
        .collect();
    assert_eq!(described, table());
}

#[test]
fn the_template_has_the_routes_of_the_table() {
    assert_eq!(routes::of_the_template(), table());
}

#[test]
fn a_route_that_the_page_leaves_out_is_noticed() {
    let mut page = Page::load();
    page.0["paths"]["/sessions/{sessionId}"].as_object_mut().unwrap().remove("patch");
    let described: BTreeSet<_> = page.operations().into_keys().collect();
    let missing = table().into_iter().map(|(operation, _)| operation);
    let missing: Vec<_> = missing.filter(|operation| !described.contains(operation)).collect();
    assert_eq!(missing, [operation("PATCH", "/sessions/{sessionId}")]);
}

#[test]
fn every_path_of_the_table_leads_to_itself() {
    for route in &ROUTES {
        let path = concrete(route.path);
        let target = Target::of_path(&path).unwrap();
        assert_eq!(target.path, route.path);
        let id = if route.path.contains('{') { ID } else { "" };
        assert_eq!(target.session_id, id);
    }
}

#[test]
fn every_operation_with_a_token_rejects_a_request_without_claims() {
    let page = Page::load();
    for ((method, path), details) in page.operations() {
        let answer = ask(&Scripted::default(), &event(&method, &concrete(&path), None, Some("{}")));
        assert_eq!(answer.status == 401, page.wants_token(&details), "{method} {path}");
        let private = Scripted { private: true, ..Scripted::default() };
        let answer = ask(&private, &event(&method, &concrete(&path), None, Some("{}")));
        let may_want = details.get("security").unwrap_or(&page.0["security"]) != &json!([]);
        assert_eq!(
            answer.status == 401,
            may_want,
            "{method} {path} with PUBLIC_SESSION_VIEW=false"
        );
    }
}

#[test]
fn the_methods_that_a_405_allows_are_those_described() {
    let page = Page::load();
    let allow = &page.at("/components/headers/Allow/schema/enum");
    let described: BTreeSet<_> = allow.as_array().unwrap().iter().map(Value::to_string).collect();
    let sent: BTreeSet<_> = ROUTES
        .iter()
        .map(|route| {
            let event = event("PUT", &concrete(route.path), Some(SPEAKER), None);
            let answer = ask(&Scripted::default(), &event);
            page.check("405", &page.at("/components/responses/MethodNotAllowed"), &answer);
            format!("{:?}", answer.headers[header::ALLOW].to_str().unwrap())
        })
        .collect();
    assert_eq!(described, sent);
}
