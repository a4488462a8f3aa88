//! Guarantees of `change`.

use super::*;
use crate::{
    ErrorKind, NewSession,
    fakes::{Trouble, World, finished, open},
};

const SPEAKER: &str = "speaker-1";

fn opened() -> (World, Session) {
    let world = World::new();
    let new = NewSession {
        speaker_id: SPEAKER.to_owned(),
        source_language: Language::ENGLISH,
        target_languages: vec!["de".parse().unwrap()],
        quality_tier: QualityTier::Standard,
    };
    let session = world.run(open(&world.service(), &new, None, &Call::default())).unwrap();
    (world, session)
}

fn change(world: &World, session: &Session, changes: &Changes) -> Result<Session, Error> {
    let service = world.service();
    let call = Call::default();
    let done = world.run(service.change(&session.session_id, SPEAKER, changes, &call))?;
    world.run(finished(&service, done))
}

fn to(status: NewStatus) -> Changes {
    Changes { status: Some(status), ..Changes::default() }
}

#[test]
fn only_the_given_fields_change() {
    let (world, session) = opened();
    let changes = Changes {
        source_language: Some("fr".parse().unwrap()),
        target_languages: Some(vec!["it".parse().unwrap()]),
        ..Changes::default()
    };
    let changed = change(&world, &session, &changes).unwrap();
    assert_eq!(changed.source_language.code(), "fr");
    assert_eq!(changed.target_languages, ["it".parse().unwrap()]);
    assert_eq!(
        (changed.quality_tier, changed.status),
        (QualityTier::Standard, SessionStatus::Active)
    );
    assert!(changed.updated_at > session.updated_at);
    let state = world.state();
    assert_eq!(state.items[&session.session_id], changed);
    assert_eq!(state.settings[&session.session_id], (changed.settings(), changed.status));
    assert_eq!(changed.settings().version, session.settings().version + 1);
}

#[test]
fn a_session_is_paused_and_goes_on() {
    let (world, session) = opened();
    for (status, wanted) in
        [(NewStatus::Paused, SessionStatus::Paused), (NewStatus::Active, SessionStatus::Active)]
    {
        assert_eq!(change(&world, &session, &to(status)).unwrap().status, wanted);
        assert_eq!(world.state().settings[&session.session_id].1, wanted);
    }
}

#[test]
fn a_change_without_effect_writes_nothing() {
    let (world, session) = opened();
    let once = change(&world, &session, &to(NewStatus::Paused)).unwrap();
    assert_eq!(change(&world, &session, &to(NewStatus::Paused)).unwrap(), once);
    assert_eq!(change(&world, &session, &Changes::default()).unwrap(), once);
    assert_eq!(world.calls("change"), 1);
}

#[test]
fn ended_is_a_delete_and_final() {
    let (world, session) = opened();
    let before = world.state().events.len();
    assert_eq!(
        change(&world, &session, &to(NewStatus::Ended)).unwrap().status,
        SessionStatus::Ended
    );
    assert_eq!(world.state().events.len(), before + 1);
    assert!(world.state().channels.is_empty());
    for status in [NewStatus::Active, NewStatus::Paused] {
        assert!(matches!(change(&world, &session, &to(status)), Err(Error::Over { .. })));
    }
    assert!(change(&world, &session, &to(NewStatus::Ended)).is_ok());
    assert_eq!(world.state().events.len(), before + 1, "one ENDED, however often it is asked for");
}

#[test]
fn a_session_ends_even_if_it_cannot_be_read_afterwards() {
    let (world, session) = opened();
    world.plan("get", 1, Trouble::Refused(ErrorKind::Denied));
    assert!(matches!(change(&world, &session, &to(NewStatus::Ended)), Err(Error::Store(_))));
    let state = world.state();
    assert_eq!(state.items[&session.session_id].status, SessionStatus::Ended);
    assert_eq!(state.events.len(), 2);
    assert!(state.channels.is_empty());
}

#[test]
fn only_the_owner_can_change_an_existing_session() {
    let (world, session) = opened();
    for changes in [to(NewStatus::Paused), to(NewStatus::Ended)] {
        let service = world.service();
        let call = Call::default();
        let theirs = service.change(&session.session_id, "speaker-2", &changes, &call);
        assert!(matches!(world.run(theirs), Err(Error::NotOwner { .. })));
        let unknown = "no-such-1".parse().unwrap();
        let of_no_session = service.change(&unknown, SPEAKER, &changes, &call);
        assert!(matches!(world.run(of_no_session), Err(Error::NotFound { .. })));
    }
    assert_eq!(world.state().items[&session.session_id], session);
}

#[test]
fn a_change_is_retried_after_a_concurrent_change() {
    let (world, session) = opened();
    let service = world.service();
    let (call, pause) = (Call::default(), to(NewStatus::Paused));
    let premium = Changes { quality_tier: Some(QualityTier::Premium), ..Changes::default() };
    let both = futures_util::future::join(
        service.change(&session.session_id, SPEAKER, &pause, &call),
        service.change(&session.session_id, SPEAKER, &premium, &call),
    );
    let (paused, premium) = world.run(both);
    assert!(paused.is_ok() && premium.is_ok());
    let item = world.state().items[&session.session_id].clone();
    assert_eq!((item.status, item.quality_tier), (SessionStatus::Paused, QualityTier::Premium));
    assert_eq!(item.settings_version, session.settings_version + 2);
}

#[test]
fn an_error_is_returned_and_a_retry_is_safe() {
    for trouble in [Trouble::AnswerLost, Trouble::Hangs, Trouble::HangsAfterEffect] {
        let (world, session) = opened();
        world.plan("change", 0, trouble);
        let error = change(&world, &session, &to(NewStatus::Paused)).unwrap_err();
        assert!(error.retry_after().is_some(), "{error}");
        let second = change(&world, &session, &to(NewStatus::Paused)).unwrap();
        assert_eq!(second.status, SessionStatus::Paused);
        assert_eq!(second.settings_version, session.settings_version + 1);
    }
    let (world, session) = opened();
    world.plan("change", 0, Trouble::Refused(ErrorKind::Throttled));
    assert!(change(&world, &session, &to(NewStatus::Paused)).is_ok());
}
