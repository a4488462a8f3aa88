//! `PATCH /sessions/{sessionId}`.

use session::NewStatus;

use super::*;

fn patch(api: &Scripted, body: &str) -> Answer {
    ask(api, &event("PATCH", &format!("/sessions/{ID}"), Some(SPEAKER), Some(body)))
}

#[test]
fn given_fields_are_passed_on_and_the_session_is_returned() {
    let german = vec!["de".parse().unwrap()];
    for (body, wanted) in [
        (
            r#"{"status": "paused"}"#,
            Changes { status: Some(NewStatus::Paused), ..Changes::default() },
        ),
        (
            r#"{"status": "ended"}"#,
            Changes { status: Some(NewStatus::Ended), ..Changes::default() },
        ),
        (
            r#"{"targetLanguages": ["de"], "qualityTier": null, "later": 1}"#,
            Changes { target_languages: Some(german.clone()), ..Changes::default() },
        ),
        (
            r#"{"targetLanguages": []}"#,
            Changes { target_languages: Some(Vec::new()), ..Changes::default() },
        ),
        (
            r#"{"status": "active", "sourceLanguage": "fr", "qualityTier": "premium", "targetLanguages": ["de"]}"#,
            Changes {
                status: Some(NewStatus::Active),
                source_language: Some("fr".parse().unwrap()),
                quality_tier: Some(QualityTier::Premium),
                target_languages: Some(german.clone()),
            },
        ),
    ] {
        let api = Scripted::default();
        let answer = patch(&api, body);
        assert_eq!(answer.status, 200, "{body}");
        assert_eq!(answer.body["speakerId"], SPEAKER, "the owner sees all of it");
        let asked = Asked::Change(ID.to_owned(), SPEAKER.to_owned(), wanted);
        assert_eq!(*api.asked.lock().unwrap(), [asked], "{body}");
    }
}

#[test]
fn an_invalid_change_is_400_and_names_the_field() {
    let api = Scripted::default();
    for (body, part) in [
        ("{}", "at least one of"),
        (r#"{"status": null}"#, "at least one of"),
        (r#"{"speakerId": "me"}"#, "at least one of"),
        (r#"{"status": "creating"}"#, "status must be"),
        (r#"{"status": "ENDED"}"#, "status must be"),
        (r#"{"status": 1}"#, "status must be"),
        (r#"{"sourceLanguage": "xx"}"#, "sourceLanguage"),
        (r#"{"qualityTier": "best"}"#, "qualityTier"),
        (r#"{"targetLanguages": ["de", "de"]}"#, "twice"),
        (r#"{"status": "ended", "qualityTier": "premium"}"#, "cannot be combined"),
        ("[]", "JSON object"),
        ("", "JSON"),
    ] {
        check_error(&patch(&api, body), 400, part);
    }
    assert_eq!(*api.asked.lock().unwrap(), []);
}

#[test]
fn each_error_has_its_status() {
    let session_id: SessionId = ID.parse().unwrap();
    let body = r#"{"status": "paused"}"#;
    for (error, status, again) in [
        (Error::NotFound { session_id: session_id.clone() }, 404, false),
        (Error::NotOwner { session_id: session_id.clone() }, 403, false),
        (Error::Over { session_id: session_id.clone() }, 409, false),
        (Error::NotReady { session_id }, 409, true),
        (Error::Store(port_error(ErrorKind::Throttled)), 503, true),
        (Error::Store(port_error(ErrorKind::Denied)), 500, false),
    ] {
        let answer = patch(&failing(error), body);
        assert_eq!(answer.status, status);
        assert_eq!(answer.headers.contains_key(header::RETRY_AFTER), again, "{status}");
    }
}
