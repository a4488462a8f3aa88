//! Names of fields, codes and limits on the page match those of the Rust types.

use std::collections::BTreeSet;

use serde_json::Map;
use session::{Language, NewStatus};

use super::super::*;
use super::{Page, concrete};

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

#[test]
fn a_session_has_the_fields_described_and_each_is_required() {
    let page = Page::load();
    let id = concrete("/sessions/{sessionId}");
    for (name, method, path, body) in [
        ("Session", "POST", "/sessions", Some(r#"{"sourceLanguage": "en"}"#)),
        ("Session", "PATCH", &*id, Some(r#"{"status": "paused"}"#)),
        ("PublicSession", "GET", &*id, None),
        ("Health", "GET", "/health", None),
    ] {
        let schema = page.schema(name);
        let answer = ask(&Scripted::default(), &event(method, path, Some(SPEAKER), body));
        assert_eq!(keys(&schema["properties"]), keys(&answer.body), "{method} {name}");
        let required: BTreeSet<_> = texts(&schema["required"]).into_iter().collect();
        assert_eq!(required, keys(&answer.body), "{method} {name}");
        if let Some(endpoints) = answer.body.get("kvsSignalingEndpoints") {
            let described = page.schema("SignalingEndpoints");
            assert_eq!(keys(&described["properties"]), keys(endpoints));
        }
    }
}

#[test]
fn what_is_gone_from_kvs_may_be_null_and_nothing_else() {
    let page = Page::load();
    for (name, view) in
        [("Session", owner_view as fn(&Session) -> _), ("PublicSession", public_view)]
    {
        let properties = page.schema(name)["properties"].clone();
        let null: Vec<_> = properties
            .as_object()
            .unwrap()
            .iter()
            .filter(|(_, schema)| schema["oneOf"][1]["type"] == "null")
            .map(|(field, _)| field.as_str())
            .collect();
        let mut gone = session();
        (gone.kvs_channel_arn, gone.kvs_stream_arn, gone.kvs_signaling_endpoints) =
            (None, None, None);
        let Body::Text(body) = view(&gone).into_body() else { panic!("text") };
        let body: Map<String, Value> = serde_json::from_str(&body).unwrap();
        let sent: Vec<_> =
            body.iter().filter(|(_, value)| value.is_null()).map(|it| it.0).collect();
        assert_eq!(null, sent, "{name}");
    }
}

/// Destructures all fields, so that a new field fails to compile until the test below covers it.
fn _fields_of_requests(new: &NewSession, changes: &Changes) {
    let NewSession { speaker_id: _, source_language: _, target_languages: _, quality_tier: _ } =
        new;
    let Changes { status: _, source_language: _, target_languages: _, quality_tier: _ } = changes;
}

#[test]
fn a_request_has_the_fields_described() {
    let page = Page::load();
    let path = format!("/sessions/{ID}");
    let fields = BTreeSet::from(["sourceLanguage", "targetLanguages", "qualityTier"]);
    assert_eq!(keys(&page.schema("NewSession")["properties"]), fields);
    assert_eq!(texts(&page.schema("NewSession")["required"]), ["sourceLanguage"]);
    for name in &fields {
        let body = json!({"sourceLanguage": "en", *name: 7}).to_string();
        check_error(&post(&body), 400, name);
    }
    let mut fields = fields;
    fields.insert("status");
    for kind in page.schema("SessionChange")["oneOf"].as_array().unwrap() {
        assert_eq!(keys(&kind["properties"]), fields);
    }
    for name in fields {
        let body = json!({name: 7}).to_string();
        let event = event("PATCH", &path, Some(SPEAKER), Some(&body));
        check_error(&ask(&Scripted::default(), &event), 400, name);
    }
}

#[test]
fn codes_are_those_of_the_types() {
    let page = Page::load();
    let codes = Language::ALL.map(Language::code);
    assert_eq!(texts(&page.schema("Language")["enum"]), codes);
    assert_eq!(page.schema("Languages")["maxItems"], codes.len());
    let tiers = [QualityTier::Standard, QualityTier::Premium];
    assert_eq!(texts(&page.schema("QualityTier")["enum"]), tiers.map(|tier| tier.to_string()));
    assert_eq!(
        page.at("/components/schemas/NewSession/properties/qualityTier")["default"],
        QualityTier::default().to_string()
    );

    // States that a use case returns: the intermediate states appear as 404 or as ended.
    let shown = SessionStatus::ALL.into_iter().filter(|status| match status {
        SessionStatus::Active | SessionStatus::Paused | SessionStatus::Ended => true,
        SessionStatus::Creating | SessionStatus::Cleaning | SessionStatus::Removed => false,
    });
    let shown: Vec<_> = shown.map(|status| json!(status)).collect();
    assert_eq!(page.schema("SessionStatus")["enum"], json!(shown));

    let change = page.schema("SessionChange");
    let [ending, setting] = &change["oneOf"].as_array().unwrap()[..] else { panic!("{change}") };
    let asked =
        [NewStatus::Active, NewStatus::Paused, NewStatus::Ended].map(|status| match status {
            NewStatus::Active => &setting["properties"]["status"]["enum"][0],
            NewStatus::Paused => &setting["properties"]["status"]["enum"][1],
            NewStatus::Ended => &ending["properties"]["status"]["const"],
        });
    assert_eq!(asked, ["active", "paused", "ended"]);
    assert_eq!(setting["properties"]["status"]["enum"].as_array().unwrap().len(), 3, "and null");
}

#[test]
fn limits_are_those_of_the_code() {
    let page = Page::load();
    assert_eq!(page.schema("SessionId")["maxLength"], SessionId::MAX_LEN);
    let prefix = session().kvs_stream_name.len() - ID.len();
    assert_eq!(page.schema("ResourceName")["maxLength"], SessionId::MAX_LEN + prefix);
    let speaker = page.at("/components/schemas/Session/properties/speakerId");
    assert_eq!(speaker["maxLength"], request::MAX_SPEAKER_ID);
    assert_eq!(request::MAX_BODY, 16_384);
    for (operation, details) in page.operations() {
        if let Some(body) = details.get("requestBody") {
            let description = body["description"].as_str().unwrap();
            assert!(description.contains("16,384 bytes"), "{operation:?}: {description}");
        }
    }
}
