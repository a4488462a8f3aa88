//! `DefinitionBody` of an HTTP API: the OpenAPI document to which SAM adds the routes of the
//! functions' events. It can set what those events cannot: a route's authorizer under a condition,
//! and the API's CORS configuration.

use std::collections::BTreeMap;

use serde_json::Value;

use super::reader::Properties;
use super::{Cors, TemplateError, cors};

/// The content of a document.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Definition {
    /// By `METHOD /path`.
    pub(super) security: BTreeMap<String, Security>,
    pub(super) cors: Option<Cors>,
}

/// The authorizer of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Security {
    /// The authorizer's name, or `NONE`.
    pub(super) authorizer: String,
    pub(super) scopes: Vec<String>,
}

/// Reads the document of an API, if it has one.
///
/// # Errors
/// A property is wrong or unknown. An operation may have only `security`, because SAM adds the
/// rest.
pub(super) fn read(api: &mut Properties) -> Result<Definition, TemplateError> {
    let Some(mut document) = api.part("DefinitionBody")? else { return Ok(Definition::default()) };
    let mut security = BTreeMap::new();
    for (path, mut operations) in document.named_parts("paths")? {
        for method in operations.names() {
            let Some(mut operation) = operations.part(&method)? else { continue };
            if let Some(wanted) = of_operation(&mut operation)? {
                security.insert(key(&method, &path), wanted);
            }
            operation.finish(&[])?;
        }
    }
    let cors = cors::of_document(&mut document)?;
    document.finish(&["openapi", "info"])?;
    Ok(Definition { security, cors })
}

/// Reads `security`: one requirement of one authorizer. If it is absent, the API's default applies,
/// as in SAM.
fn of_operation(operation: &mut Properties) -> Result<Option<Security>, TemplateError> {
    let Some(value) = operation.take("security") else { return Ok(None) };
    let wrong = || operation.wrong("security", "not a list with one authorizer and its scopes");
    let requirements = value.as_array().ok_or_else(wrong)?;
    let requirement = match requirements.as_slice() {
        [] => return Ok(None),
        [one] => one.as_object().filter(|one| one.len() == 1).ok_or_else(wrong)?,
        _ => return Err(wrong()),
    };
    let (authorizer, scopes) = requirement.iter().next().ok_or_else(wrong)?;
    let scopes = scopes.as_array().ok_or_else(wrong)?.iter().map(Value::as_str);
    let scopes = scopes.map(|scope| scope.map(str::to_owned).ok_or_else(wrong));
    let scopes = scopes.collect::<Result<_, _>>()?;
    Ok(Some(Security { authorizer: authorizer.clone(), scopes }))
}

fn key(method: &str, path: &str) -> String {
    match method {
        "x-amazon-apigateway-any-method" => format!("ANY {path}"),
        method => format!("{} {path}", method.to_uppercase()),
    }
}
