//! `GET /sessions/{sessionId}` with `PUBLIC_SESSION_VIEW=false`: the owner gets the full view.

use super::*;

fn private() -> Scripted {
    Scripted { private: true, ..Scripted::default() }
}

fn get(api: &Scripted, id: &str, sub: Option<&str>) -> Answer {
    ask(api, &event("GET", &format!("/sessions/{id}"), sub, None))
}

#[test]
fn the_owner_gets_the_full_view() {
    let answer = get(&private(), ID, Some(SPEAKER));
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body, post(r#"{"sourceLanguage": "en"}"#).body);
}

#[test]
fn another_speaker_gets_403_without_details() {
    let answer = get(&private(), ID, Some("someone-else"));
    check_error(&answer, 403, "another speaker");
    assert!(!answer.body.to_string().contains(SPEAKER));
}

#[test]
fn without_claims_existing_and_unknown_sessions_look_alike() {
    let api = private();
    for id in [ID, "no-such-1", "no id at all"] {
        check_error(&get(&api, &id.replace(' ', "%20"), None), 401, "token");
    }
    assert_eq!(*api.asked.lock().unwrap(), []);
}

#[test]
fn an_unknown_session_is_404_with_a_token() {
    let error = Error::NotFound { session_id: ID.parse().unwrap() };
    let api = Scripted { error: Some(error), ..private() };
    check_error(&get(&api, ID, Some(SPEAKER)), 404, ID);
    check_error(&get(&private(), "x", Some(SPEAKER)), 404, "session does not exist");
}

#[test]
fn the_other_public_route_stays_public() {
    assert_eq!(ask(&private(), &event("GET", "/health", None, None)).status, 200);
}
