//! Parses and validates requests. Errors name the invalid field.

use lambda_http::{
    Body,
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
};
use serde::Deserialize;
use serde_json::{Map, Value};
use session::{Changes, IdempotencyKey, InvalidKey, Language, NewSession, NewStatus, QualityTier};

/// Maximum size of a body, in bytes. The largest valid body has about 300.
pub(super) const MAX_BODY: usize = 16 * 1024;

/// Maximum length of `sub`, in bytes; OpenID Connect allows 255 (Core 1.0, section 2).
pub(super) const MAX_SPEAKER_ID: usize = session::event::MAX_SPEAKER_ID;

/// A request rejected before it reaches a use case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rejection {
    pub(super) status: StatusCode,
    pub(super) error: String,
    /// The allowed methods, for a 405.
    pub(super) allow: Option<String>,
}

impl Rejection {
    pub(super) fn new(status: StatusCode, error: impl Into<String>) -> Self {
        Self { status, error: error.into(), allow: None }
    }

    pub(super) fn no_route() -> Self {
        Self::new(StatusCode::NOT_FOUND, "route does not exist")
    }

    pub(super) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "a valid token is required")
    }

    pub(super) fn method(allow: String) -> Self {
        let error = format!("method not allowed; allowed methods: {allow}");
        Self { allow: Some(allow), ..Self::new(StatusCode::METHOD_NOT_ALLOWED, error) }
    }

    fn bad_request(error: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error)
    }
}

/// Parses the body of `POST /sessions`. Unknown fields are ignored.
pub(super) fn new_session(
    headers: &HeaderMap,
    body: &Body,
    speaker_id: String,
) -> Result<NewSession, Rejection> {
    let fields = object(headers, body)?;
    Ok(NewSession {
        speaker_id,
        source_language: source_language(&fields)?,
        target_languages: target_languages(&fields)?,
        quality_tier: quality_tier(&fields)?,
    })
}

/// Parses the Idempotency-Key header, if present. More than one is an error.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Rejection> {
    let mut keys = headers.get_all("idempotency-key").iter();
    let (first, second) = (keys.next(), keys.next());
    let Some(key) = first else { return Ok(None) };
    let text = key.to_str().ok().filter(|_| second.is_none()).unwrap_or_default();
    text.parse()
        .map(Some)
        .map_err(|invalid: InvalidKey| Rejection::bad_request(invalid.to_string()))
}

/// Parses the body of `PATCH /sessions/{sessionId}`, which must change at least one field. `null`
/// counts as absent, and unknown fields are ignored.
pub(super) fn changes(headers: &HeaderMap, body: &Body) -> Result<Changes, Rejection> {
    let fields = object(headers, body)?;
    let named = |name: &str| fields.get(name).is_some_and(|value| !value.is_null());
    let changes = Changes {
        status: named("status").then(|| status(&fields["status"])).transpose()?,
        source_language: named("sourceLanguage").then(|| source_language(&fields)).transpose()?,
        target_languages: named("targetLanguages")
            .then(|| target_languages(&fields))
            .transpose()?,
        quality_tier: named("qualityTier").then(|| quality_tier(&fields)).transpose()?,
    };
    if changes == Changes::default() {
        let error =
            "at least one of status, sourceLanguage, targetLanguages and qualityTier is required";
        return Err(Rejection::bad_request(error));
    }
    if changes.status == Some(NewStatus::Ended)
        && (Changes { status: None, ..changes.clone() }) != Changes::default()
    {
        return Err(Rejection::bad_request("status ended cannot be combined with other changes"));
    }
    Ok(changes)
}

fn status(value: &Value) -> Result<NewStatus, Rejection> {
    match value.as_str() {
        Some("active") => Ok(NewStatus::Active),
        Some("paused") => Ok(NewStatus::Paused),
        Some("ended") => Ok(NewStatus::Ended),
        _ => Err(Rejection::bad_request("status must be active, paused or ended")),
    }
}

fn object(headers: &HeaderMap, body: &Body) -> Result<Map<String, Value>, Rejection> {
    if body.len() > MAX_BODY {
        let error = format!("body exceeds {MAX_BODY} bytes");
        return Err(Rejection::new(StatusCode::PAYLOAD_TOO_LARGE, error));
    }
    if !is_json(headers) {
        let error = "content-type must be application/json";
        return Err(Rejection::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, error));
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(Rejection::bad_request("body must be a JSON object")),
        // The position of the error, without any of the client's input.
        Err(error) => Err(Rejection::bad_request(format!(
            "body is not valid JSON (line {}, column {})",
            error.line(),
            error.column()
        ))),
    }
}

/// Returns whether the content type is JSON. A missing content type counts as JSON.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE) else { return true };
    let media_type = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    media_type.trim().eq_ignore_ascii_case("application/json")
}

fn source_language(fields: &Map<String, Value>) -> Result<Language, Rejection> {
    match fields.get("sourceLanguage") {
        None | Some(Value::Null) => Err(Rejection::bad_request(format!(
            "sourceLanguage is required; must be one of {}",
            codes()
        ))),
        Some(value) => language(value).ok_or_else(|| {
            Rejection::bad_request(format!("sourceLanguage must be one of {}", codes()))
        }),
    }
}

fn target_languages(fields: &Map<String, Value>) -> Result<Vec<Language>, Rejection> {
    let malformed = || {
        Rejection::bad_request(format!("targetLanguages must be a list of codes from {}", codes()))
    };
    let list = match fields.get("targetLanguages") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(list)) => list,
        Some(_) => return Err(malformed()),
    };
    // Duplicates are rejected, so the list cannot be longer than the list of languages.
    let mut languages = Vec::new();
    for value in list {
        let language = language(value).ok_or_else(malformed)?;
        if languages.contains(&language) {
            return Err(Rejection::bad_request(format!(
                "targetLanguages contains {language} twice"
            )));
        }
        languages.push(language);
    }
    Ok(languages)
}

fn quality_tier(fields: &Map<String, Value>) -> Result<QualityTier, Rejection> {
    match fields.get("qualityTier") {
        None | Some(Value::Null) => Ok(QualityTier::default()),
        Some(value) => QualityTier::deserialize(value)
            .map_err(|_| Rejection::bad_request("qualityTier must be standard or premium")),
    }
}

fn language(value: &Value) -> Option<Language> {
    Language::deserialize(value).ok()
}

fn codes() -> String {
    Language::ALL.map(Language::code).join(", ")
}
