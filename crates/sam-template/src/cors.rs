//! The CORS configuration of an HTTP API: SAM's `CorsConfiguration`, or the same properties in
//! lower camel case in its OpenAPI document.

use super::reader::Properties;
use super::{Cors, TemplateError};

/// Maximum time for which a browser may cache a preflight, in seconds (API Gateway: 86 400).
const LONGEST_AGE: u64 = 86_400;

/// Reads `CorsConfiguration`: its members, or `true` for every origin.
///
/// # Errors
/// A property that is wrong or unknown.
pub(super) fn of_sam(api: &mut Properties) -> Result<Option<Cors>, TemplateError> {
    const NAME: &str = "CorsConfiguration";
    match api.take(NAME) {
        None => Ok(None),
        Some(serde_json::Value::Bool(true)) => {
            Ok(Some(Cors { allow_origins: vec!["*".to_owned()], ..Cors::default() }))
        }
        Some(value) => {
            let part = Properties::new(format!("{}.{NAME}", api.place()), value)?;
            read(part, str::to_owned).map(Some)
        }
    }
}

/// Reads `x-amazon-apigateway-cors` of an OpenAPI document.
///
/// # Errors
/// A property that is wrong or unknown.
pub(super) fn of_document(document: &mut Properties) -> Result<Option<Cors>, TemplateError> {
    let lower_first = |name: &str| format!("{}{}", name[..1].to_lowercase(), &name[1..]);
    document.part("x-amazon-apigateway-cors")?.map(|part| read(part, lower_first)).transpose()
}

fn read(mut part: Properties, named: impl Fn(&str) -> String) -> Result<Cors, TemplateError> {
    let cors = Cors {
        allow_origins: part.texts(&named("AllowOrigins"))?,
        allow_methods: part.texts(&named("AllowMethods"))?,
        allow_headers: part.texts(&named("AllowHeaders"))?,
        expose_headers: part.texts(&named("ExposeHeaders"))?,
        max_age: part.number(&named("MaxAge"), 0..=LONGEST_AGE)?,
        allow_credentials: part.boolean(&named("AllowCredentials"))?.unwrap_or_default(),
    };
    if cors.allow_credentials && cors.allow_origins.iter().any(|origin| origin == "*") {
        let reason = "API Gateway refuses it together with the origin *";
        return Err(part.wrong(&named("AllowCredentials"), reason));
    }
    part.finish(&[])?;
    Ok(cors)
}
