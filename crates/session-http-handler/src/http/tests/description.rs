//! `docs/openapi.yaml` against the code: this module checks routes, methods and tokens; the modules
//! below check responses, names and codes.
//!
//! `tests/clients/api_contract.py` checks the running system against the same page. Responses to
//! failures of AWS are checked only here.

use std::collections::BTreeSet;

use super::*;

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

#[test]
fn the_page_describes_the_routes_of_the_code_and_none_more() {
    let page = Page::load();
    let described: BTreeSet<_> = page.operations().into_keys().collect();
    assert_eq!(described, routes::of_the_code());
}

#[test]
fn a_route_that_the_page_leaves_out_is_noticed() {
    let mut page = Page::load();
    page.0["paths"]["/sessions/{sessionId}"].as_object_mut().unwrap().remove("patch");
    let described: BTreeSet<_> = page.operations().into_keys().collect();
    let missing: Vec<_> = routes::of_the_code().difference(&described).cloned().collect();
    assert_eq!(missing, [operation("PATCH", "/sessions/{sessionId}")]);
}

#[test]
fn the_page_the_route_table_and_the_template_agree_on_routes_and_tokens() {
    let page = Page::load();
    let described: BTreeSet<_> = page
        .operations()
        .iter()
        .map(|(operation, details)| (operation.clone(), page.wants_token(details)))
        .collect();
    let table: BTreeSet<_> = routes::table()
        .into_iter()
        .filter(|row| !row.private)
        .map(|row| (row.operation, row.token))
        .collect();
    assert_eq!(described, table, "the table at the top of http.rs");
    assert_eq!(described, routes::of_the_template(), "infra/template.yaml");
}

#[test]
fn every_operation_that_wants_a_token_refuses_a_request_without_claims() {
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
    let told: BTreeSet<_> = allow.as_array().unwrap().iter().map(Value::to_string).collect();
    let sent: BTreeSet<_> = routes::ALL
        .into_iter()
        .map(|route| {
            let answer = ask(
                &Scripted::default(),
                &event("PUT", &concrete(route.name()), Some(SPEAKER), None),
            );
            page.check("405", &page.at("/components/responses/MethodNotAllowed"), &answer);
            format!("{:?}", answer.headers[header::ALLOW].to_str().unwrap())
        })
        .collect();
    assert_eq!(told, sent);
}
