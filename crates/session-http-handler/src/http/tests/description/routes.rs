//! The routes, from the three places that know them: the code, its table, the template.

use std::collections::BTreeSet;

use super::super::*;
use super::{Operation, concrete, operation};

/// Every route.
pub(super) const ALL: [Route<'static>; 3] = [Route::Sessions, Route::Session(ID), Route::Health];

/// Does not compile any more once [`ALL`] lacks a route.
const fn _is_in_all(route: Route<'_>) {
    match route {
        Route::Sessions | Route::Session(_) | Route::Health => {}
    }
}

/// What the code answers: every route with every method that is not 405.
pub(super) fn of_the_code() -> BTreeSet<Operation> {
    let mut found = BTreeSet::new();
    for route in ALL {
        assert_eq!(Route::of(&concrete(route.name())), Some(route));
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
    pub(super) statuses: BTreeSet<u16>,
}

/// The table at the top of `http.rs`.
pub(super) fn table() -> Vec<Row> {
    let source = include_str!("../../../http.rs");
    let rows = source.lines().filter_map(|line| line.strip_prefix("//! | `"));
    rows.map(|row| {
        let mut cells = row.split('|').map(|cell| cell.trim().trim_end_matches('`'));
        let mut cell = || cells.next().unwrap();
        let (method, path) = cell().split_once(' ').unwrap();
        let token = cell();
        assert!(token == "no" || token.starts_with("yes"), "{row}");
        Row {
            operation: operation(method, path),
            token: token != "no",
            statuses: cell().split(", ").map(|status| status.parse().unwrap()).collect(),
        }
    })
    .collect()
}

/// The routes of `infra/template.yaml`, and whether the authorizer stands before each.
pub(super) fn of_the_template() -> BTreeSet<(Operation, bool)> {
    let text = include_str!("../../../../../../infra/template.yaml");
    let template: serde_yaml_ng::Value = serde_yaml_ng::from_str(text).unwrap();
    let function = &template["Resources"]["SessionHttpHandlerFunction"]["Properties"];
    let events = function["Events"].as_mapping().unwrap().values();
    events
        .map(|event| {
            assert_eq!(event["Type"], "HttpApi");
            let properties = &event["Properties"];
            let text = |name: &str| properties[name].as_str().unwrap().to_owned();
            let open = properties.get("Auth").is_some_and(|auth| auth["Authorizer"] == "NONE");
            ((text("Method"), text("Path")), !open)
        })
        .collect()
}
