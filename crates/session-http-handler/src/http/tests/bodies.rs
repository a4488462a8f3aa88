//! Parsing of bodies, and the errors for invalid ones.

use super::*;

#[test]
fn a_body_in_base64_is_decoded() {
    let api = Scripted::default();
    // {"sourceLanguage":"en"}
    let body = "eyJzb3VyY2VMYW5ndWFnZSI6ImVuIn0=";
    let mut event = event("POST", "/sessions", Some(SPEAKER), Some(body));
    event["isBase64Encoded"] = true.into();
    assert_eq!(ask(&api, &event).status, 201);
}

#[test]
fn an_invalid_body_is_400_and_names_the_field() {
    let many =
        format!(r#"{{"sourceLanguage":"en","targetLanguages":[{}"xx"]}}"#, r#""de","#.repeat(99));
    for (body, part) in [
        ("", "JSON"),
        ("{", "JSON"),
        (r#"{"sourceLanguage": "en",}"#, "JSON"),
        ("[]", "object"),
        ("null", "object"),
        ("{}", "sourceLanguage"),
        (r#"{"sourceLanguage": null}"#, "sourceLanguage"),
        (r#"{"sourceLanguage": "tlh"}"#, "sourceLanguage"),
        (r#"{"sourceLanguage": "EN"}"#, "sourceLanguage"),
        (r#"{"sourceLanguage": 7}"#, "sourceLanguage"),
        (r#"{"sourceLanguage": ["en"]}"#, "sourceLanguage"),
        (r#"{"sourceLanguage": "en", "qualityTier": "gold"}"#, "qualityTier"),
        (r#"{"sourceLanguage": "en", "qualityTier": 1}"#, "qualityTier"),
        (r#"{"sourceLanguage": "en", "targetLanguages": "de"}"#, "targetLanguages"),
        (r#"{"sourceLanguage": "en", "targetLanguages": ["xx"]}"#, "targetLanguages"),
        (r#"{"sourceLanguage": "en", "targetLanguages": [null]}"#, "targetLanguages"),
        (r#"{"sourceLanguage": "en", "targetLanguages": ["de", "de"]}"#, "targetLanguages"),
        (many.as_str(), "targetLanguages"),
    ] {
        check_error(&post(body), 400, part);
    }
    let deep = "[".repeat(8_000);
    check_error(&post(&deep), 400, "JSON");
    let none = event("POST", "/sessions", Some(SPEAKER), None);
    check_error(&ask(&Scripted::default(), &none), 400, "JSON");
}

#[test]
fn errors_do_not_contain_client_input() {
    let answer = post(r#"{"sourceLanguage": "<script>alert(1)</script>"}"#);
    assert!(!answer.body.to_string().contains("script"));
    let answer = post("{\"sourceLanguage\": <script>");
    assert!(!answer.body.to_string().contains("script"));
}

#[test]
fn a_body_over_16_kib_is_413_and_one_of_16_kib_is_read() {
    let body = |size: usize| {
        let start = r#"{"sourceLanguage":"en","x":""#;
        format!("{start}{}\"}}", "x".repeat(size - start.len() - 2))
    };
    assert_eq!(body(16_384).len(), 16_384);
    assert_eq!(post(&body(16_384)).status, 201);
    check_error(&post(&body(16_385)), 413, "16384");
}

#[test]
fn another_content_type_is_415_and_a_missing_one_is_json() {
    let body = r#"{"sourceLanguage": "en"}"#;
    for (content_type, status) in [
        ("application/json; charset=utf-8", 201),
        ("Application/JSON", 201),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("", 415),
    ] {
        let mut event = event("POST", "/sessions", Some(SPEAKER), Some(body));
        event["headers"]["content-type"] = content_type.into();
        assert_eq!(ask(&Scripted::default(), &event).status, status, "{content_type:?}");
    }
    let mut event = event("POST", "/sessions", Some(SPEAKER), Some(body));
    event["headers"].as_object_mut().unwrap().remove("content-type");
    assert_eq!(ask(&Scripted::default(), &event).status, 201);
}
