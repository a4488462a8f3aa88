//! Parses and validates requests. Errors name the invalid field.

use lambda_http::{
    Body,
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
};
use serde_json::{Map, Value};
use session::{Changes, IdempotencyKey, InvalidKey, Language, NewSession, NewStatus, QualityTier};

/// Maximum size of a body, in bytes. The largest valid body has about 300.
pub(super) const MAX_BODY: usize = 16 * 1024;

/// Maximum length of `sub`, in bytes; OpenID Connect allows 255 (Core 1.0, section 2).
pub(super) const MAX_SPEAKER_ID: usize = session::event::MAX_SPEAKER_ID;

/// A request rejected before it reaches a use case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) status: StatusCode,
    pub(super) error: String,
    /// The allowed methods, for a 405.
    pub(super) allow: Option<&'static str>,
}

impl Refused {
    pub(super) fn new(status: StatusCode, error: impl Into<String>) -> Self {
        Self { status, error: error.into(), allow: None }
    }

    pub(super) fn method(allow: &'static str) -> Self {
        let error = format!("the methods allowed here are: {allow}");
        Self { allow: Some(allow), ..Self::new(StatusCode::METHOD_NOT_ALLOWED, error) }
    }

    fn bad(error: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error)
    }
}

/// Parses the body of `POST /sessions`. Unknown fields are ignored.
pub(super) fn new_session(
    headers: &HeaderMap,
    body: &Body,
    speaker_id: String,
) -> Result<NewSession, Refused> {
    let fields = object(headers, body)?;
    Ok(NewSession {
        speaker_id,
        source_language: source_language(&fields)?,
        target_languages: target_languages(&fields)?,
        quality_tier: quality_tier(&fields)?,
    })
}

/// Parses the Idempotency-Key header, if present. More than one is an error.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Refused> {
    let mut keys = headers.get_all("idempotency-key").iter();
    let (first, second) = (keys.next(), keys.next());
    let Some(key) = first else { return Ok(None) };
    let text = key.to_str().ok().filter(|_| second.is_none()).unwrap_or_default();
    text.parse().map(Some).map_err(|invalid: InvalidKey| Refused::bad(invalid.to_string()))
}

/// Parses the body of `PATCH /sessions/{sessionId}`, which must change at least one field. `null`
/// counts as absent, and unknown fields are ignored.
pub(super) fn changes(headers: &HeaderMap, body: &Body) -> Result<Changes, Refused> {
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
            "name what is to change: status, sourceLanguage, targetLanguages or qualityTier";
        return Err(Refused::bad(error));
    }
    if changes.status == Some(NewStatus::Ended)
        && (Changes { status: None, ..changes.clone() }) != Changes::default()
    {
        return Err(Refused::bad("a session that is ended takes no other change"));
    }
    Ok(changes)
}

fn status(value: &Value) -> Result<NewStatus, Refused> {
    match value.as_str() {
        Some("active") => Ok(NewStatus::Active),
        Some("paused") => Ok(NewStatus::Paused),
        Some("ended") => Ok(NewStatus::Ended),
        _ => Err(Refused::bad("status must be active, paused or ended")),
    }
}

fn object(headers: &HeaderMap, body: &Body) -> Result<Map<String, Value>, Refused> {
    if body.len() > MAX_BODY {
        let error = format!("the body is larger than {MAX_BODY} bytes");
        return Err(Refused::new(StatusCode::PAYLOAD_TOO_LARGE, error));
    }
    if !is_json(headers) {
        let error = "the content-type must be application/json";
        return Err(Refused::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, error));
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(Refused::bad("the body must be a JSON object")),
        // The position of the error, without any of the client's input.
        Err(error) => Err(Refused::bad(format!(
            "the body is not valid JSON (line {}, column {})",
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

fn source_language(fields: &Map<String, Value>) -> Result<Language, Refused> {
    match fields.get("sourceLanguage") {
        None | Some(Value::Null) => {
            Err(Refused::bad(format!("sourceLanguage is required: one of {}", codes())))
        }
        Some(value) => language(value)
            .ok_or_else(|| Refused::bad(format!("sourceLanguage must be one of {}", codes()))),
    }
}

fn target_languages(fields: &Map<String, Value>) -> Result<Vec<Language>, Refused> {
    let malformed =
        || Refused::bad(format!("targetLanguages must be a list of codes out of {}", codes()));
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
            return Err(Refused::bad(format!("targetLanguages names {language} twice")));
        }
        languages.push(language);
    }
    Ok(languages)
}

fn quality_tier(fields: &Map<String, Value>) -> Result<QualityTier, Refused> {
    match fields.get("qualityTier") {
        None | Some(Value::Null) => Ok(QualityTier::default()),
        Some(value) => value
            .as_str()
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| Refused::bad("qualityTier must be standard or premium")),
    }
}

fn language(value: &Value) -> Option<Language> {
    value.as_str()?.parse().ok()
}

fn codes() -> String {
    Language::ALL.map(Language::code).join(", ")
}
