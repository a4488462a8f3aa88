//! The routes, read from the code, its table and the template.

use std::collections::BTreeSet;

use super::super::*;
use super::{Operation, concrete, operation};

/// Every route.
pub(super) const ALL: [Route<'static>; 3] = [Route::Sessions, Route::Session(ID), Route::Health];

/// Fails to compile if [`ALL`] lacks a route.
const fn _is_in_all(route: Route<'_>) {
    match route {
        Route::Sessions | Route::Session(_) | Route::Health => {}
    }
}

/// The operations of the code: every route with every method that does not return 405.
pub(super) fn of_the_code() -> BTreeSet<Operation> {
    let mut found = BTreeSet::new();
    for route in ALL {
        assert_eq!(Route::of_path(&concrete(route.name())), Some(route));
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"] {
            let event = event(method, &concrete(route.name()), Some(SPEAKER), None);
            if ask(&Scripted::default(), &event).status != 405 {
                found.insert(operation(method, route.name()));
            }
        }
    }
    found
}

/// A row of the table at the top of `http.rs`.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) operation: Operation,
    pub(super) token: bool,
    /// Whether it is the row of `PUBLIC_SESSION_VIEW=false`.
    pub(super) private: bool,
    pub(super) statuses: BTreeSet<u16>,
}

/// The table at the top of `http.rs`.
pub(super) fn table() -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for row in include_str!("../../../http.rs").lines() {
        let Some(row) =
            row.strip_prefix("//! | ").filter(|row| *row != "route | token | answers |")
        else {
            continue;
        };
        let [route, token, statuses, ..] = &row.split('|').map(str::trim).collect::<Vec<_>>()[..]
        else {
            panic!("{row}")
        };
        assert!(*token == "no" || token.starts_with("yes"), "{row}");
        let private = *route == "the same with `PUBLIC_SESSION_VIEW=false`";
        let operation = match route.trim_matches('`').split_once(' ').unwrap() {
            _ if private => rows.last().unwrap().operation.clone(),
            (method, path) => operation(method, path),
        };
        let statuses = statuses.split(", ").map(|status| status.parse().unwrap()).collect();
        rows.push(Row { operation, token: *token != "no", private, statuses });
    }
    rows
}

/// The routes of `infra/template.yaml`, and whether each requires the authorizer by default.
pub(super) fn of_the_template() -> BTreeSet<(Operation, bool)> {
    let text = include_str!("../../../../../../infra/template.yaml");
    let template: serde_yaml_ng::Value = serde_yaml_ng::from_str(text).unwrap();
    assert_eq!(template["Parameters"]["PublicSessionView"]["Default"], "true");
    let properties = |name: &str| &template["Resources"][name]["Properties"];
    let bodies = &properties("SessionApi")["DefinitionBody"]["paths"];
    let events = properties("SessionHttpHandlerFunction")["Events"].as_mapping().unwrap().values();
    events
        .map(|event| {
            assert_eq!(event["Type"], "HttpApi");
            let properties = &event["Properties"];
            let text = |name: &str| properties[name].as_str().unwrap().to_owned();
            let (method, path) = (text("Method"), text("Path"));
            let open = properties.get("Auth").is_some_and(|auth| auth["Authorizer"] == "NONE");
            // The authorizer of one route depends on a parameter: !If [condition, then, else].
            let body = bodies.get(&path).and_then(|body| body.get(method.to_lowercase()));
            let open_by_default = body.is_some_and(|body| {
                let security = &body["security"];
                security[0] == "SessionViewIsPublic" && security[1][0].get("NONE").is_some()
            });
            ((method, path), !open && !open_by_default)
        })
        .collect()
}
