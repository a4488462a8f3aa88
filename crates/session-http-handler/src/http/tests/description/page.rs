//! Reads `docs/openapi.yaml`.

use std::collections::{BTreeMap, BTreeSet};

use super::super::*;
use super::Operation;

/// The API description.
pub(super) struct Page(pub(super) Value);

impl Page {
    pub(super) fn load() -> Self {
        let text = include_str!("../../../../../../docs/openapi.yaml");
        Self(serde_yaml_ng::from_str(text).unwrap())
    }

    /// Returns the value at a JSON pointer, with its `$ref` resolved.
    pub(super) fn at(&self, pointer: &str) -> Value {
        let found = self.0.pointer(pointer).unwrap_or_else(|| panic!("the page has no {pointer}"));
        self.resolved(found)
    }

    pub(super) fn schema(&self, name: &str) -> Value {
        self.at(&format!("/components/schemas/{name}"))
    }

    pub(super) fn resolved(&self, value: &Value) -> Value {
        match value["$ref"].as_str() {
            Some(reference) => self.at(reference.strip_prefix('#').unwrap()),
            None => value.clone(),
        }
    }

    /// Returns every operation with its details.
    pub(super) fn operations(&self) -> BTreeMap<Operation, Value> {
        let mut found = BTreeMap::new();
        for (path, item) in self.0["paths"].as_object().unwrap() {
            for (method, details) in item.as_object().unwrap() {
                if method != "parameters" {
                    found.insert((method.to_uppercase(), path.clone()), details.clone());
                }
            }
        }
        found
    }

    /// Returns whether an operation requires a token. An operation with "none, or a token" is open
    /// by default.
    pub(super) fn wants_token(&self, details: &Value) -> bool {
        let wanted = details.get("security").unwrap_or(&self.0["security"]);
        match wanted.as_array().unwrap().as_slice() {
            [] => false,
            [one] => {
                assert_eq!(*one, json!({"speakerToken": []}));
                true
            }
            [none, one] => {
                assert_eq!((none, one), (&json!({}), &json!({"speakerToken": []})));
                false
            }
            more => panic!("one way or none: {more:?}"),
        }
    }

    /// Returns the description of an operation's status.
    pub(super) fn response(&self, details: &Value, status: u16) -> Option<Value> {
        details["responses"].get(status.to_string()).map(|response| self.resolved(response))
    }

    /// Returns whether only API Gateway returns a response.
    pub(super) fn is_from_gateway(&self, response: &Value) -> bool {
        let schema = response.pointer("/content/application~1json/schema");
        schema.is_some_and(|schema| schema["$ref"] == "#/components/schemas/GatewayError")
    }

    /// Returns the object shapes that a schema allows: for each its required names and all its
    /// names.
    fn shapes(&self, schema: &Value) -> Vec<(BTreeSet<String>, BTreeSet<String>)> {
        let schema = self.resolved(schema);
        if let Some(choice) = schema["oneOf"].as_array() {
            return choice.iter().flat_map(|one| self.shapes(one)).collect();
        }
        if let Some(parts) = schema["allOf"].as_array() {
            return self.shapes(&parts[0]);
        }
        assert_eq!(
            schema["additionalProperties"], false,
            "an answer has no unknown fields: {schema}"
        );
        let required = schema["required"].as_array().unwrap();
        let required = required.iter().map(|name| name.as_str().unwrap().to_owned()).collect();
        vec![(required, schema["properties"].as_object().unwrap().keys().cloned().collect())]
    }

    /// Panics if a response has a body or header that is not described, or lacks one that is.
    pub(super) fn check(&self, what: &str, response: &Value, answer: &Answer) {
        let described = response["headers"].as_object().cloned().unwrap_or_default();
        for (name, header) in &described {
            let required = self.resolved(header)["required"] == true;
            assert!(!required || answer.headers.contains_key(name), "{what}: no {name}");
        }
        // Headers that affect clients; every body has a content-type and none may be cached.
        for name in answer
            .headers
            .keys()
            .filter(|name| !["content-type", "cache-control"].contains(&name.as_str()))
        {
            let is_described =
                described.keys().any(|other| other.eq_ignore_ascii_case(name.as_str()));
            assert!(is_described, "{what}: {name} is not described");
        }
        let schema = response.pointer("/content/application~1json/schema");
        let Some(schema) = schema else {
            assert_eq!(answer.body, Value::Null, "{what}: no body is described");
            return;
        };
        self.check_names(what, schema, &answer.body);
    }

    /// Panics if the fields of an object differ from those that a schema allows.
    pub(super) fn check_names(&self, what: &str, schema: &Value, object: &Value) {
        let names: BTreeSet<_> = object.as_object().unwrap().keys().cloned().collect();
        let shapes = self.shapes(schema);
        let fits = |(required, all): &(BTreeSet<_>, BTreeSet<_>)| {
            required.is_subset(&names) && names.is_subset(all)
        };
        assert!(shapes.iter().any(fits), "{what}: {names:?} is none of {shapes:?}");
    }
}
