//! The routes of the template, in the form of the table.

use std::collections::BTreeSet;

use super::{Operation, operation};

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
            (operation(&method, &path), !open && !open_by_default)
        })
        .collect()
}
