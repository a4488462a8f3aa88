//! Guarantees of `delete`.

use std::time::Duration;

use futures_util::future::join;

use super::*;
use crate::{
    Language, Limits, NewSession, QualityTier,
    fakes::{FakeService, Trouble, World, finished, open},
};

mod listeners;

const SPEAKER: &str = "speaker-1";

fn call() -> Call {
    Call { limits: Limits::default(), trace_header: Some("Root=1-b".to_owned()) }
}

fn world_with_session() -> (World, Session) {
    let world = World::new();
    let new = NewSession {
        speaker_id: SPEAKER.to_owned(),
        source_language: Language::ENGLISH,
        target_languages: vec!["de".parse().unwrap()],
        quality_tier: QualityTier::Standard,
    };
    let session = world.run(open(&world.service(), &new, None, &call())).unwrap();
    let mut state = world.state();
    state.events.clear();
    state.lines.clear();
    state.metrics.clear();
    state.calls.clear();
    drop(state);
    (world, session)
}

/// Runs a DELETE as the handler does, with its post-response work.
async fn end(service: &FakeService, id: &SessionId, speaker: &str) -> Result<Deleted, Error> {
    finished(service, service.delete(id, speaker, &call()).await?).await
}

fn delete(world: &World, session: &Session) -> Result<Deleted, Error> {
    let started = world.state().now;
    let result = world.run(end(&world.service(), &session.session_id, SPEAKER));
    assert!(world.state().now - started < Limits::FUNCTION_TIMEOUT);
    world.let_time_pass();
    result
}

#[test]
fn ends_the_session_and_keeps_the_stream_for_the_consumer() {
    let (world, session) = world_with_session();
    assert_eq!(delete(&world, &session), Ok(Deleted::Now));
    let state = world.state();
    let item = &state.items[&session.session_id];
    assert_eq!(item.status, SessionStatus::Ended);
    assert_eq!(item.ended_reason, Some(EndedReason::Deleted));
    assert_eq!(item.pending_event, None);
    assert!(state.channels.is_empty());
    assert_eq!(state.streams.len(), 1);
}

#[test]
fn the_event_has_the_fields_of_an_ended_session_only() {
    let (world, session) = world_with_session();
    delete(&world, &session).unwrap();
    let state = world.state();
    let [(change, trace_header)] = &state.events[..] else { panic!("{:?}", state.events) };
    assert_eq!(trace_header.as_deref(), Some("Root=1-b"));
    let detail = change.to_detail();
    let mut fields: Vec<_> = detail.as_object().unwrap().keys().map(String::as_str).collect();
    fields.sort_unstable();
    assert_eq!(
        fields,
        [
            "channelArn",
            "eventId",
            "schemaVersion",
            "sessionId",
            "sourceLanguage",
            "status",
            "streamArn",
            "timestamp"
        ]
    );
    assert_eq!(detail["status"], "ENDED");
    drop(state);
    assert!(world.has_line("EventBridge event emitted for session deletion"));
    assert_eq!(world.count("SessionDeletionCount"), 1);
    assert_eq!(world.count("EventEmissionSuccess"), 1);
}

#[test]
fn a_repeated_delete_succeeds_and_does_nothing() {
    let (world, session) = world_with_session();
    assert_eq!(delete(&world, &session), Ok(Deleted::Now));
    let before = world.state().calls.len();
    assert_eq!(delete(&world, &session), Ok(Deleted::Before));
    assert_eq!(world.state().events.len(), 1);
    assert_eq!(world.state().calls.len(), before + 1, "one look");
    assert_eq!(world.count("SessionDeletionCount"), 1);
}

#[test]
fn of_two_deletes_at_once_one_emits() {
    let (world, session) = world_with_session();
    let service = world.service();
    let id = &session.session_id;
    let both = join(end(&service, id, SPEAKER), end(&service, id, SPEAKER));
    let (one, other) = world.run(both);
    let mut ended = [one.unwrap(), other.unwrap()];
    ended.sort_by_key(|deleted| *deleted == Deleted::Before);
    assert_eq!(ended, [Deleted::Now, Deleted::Before]);
    assert_eq!(world.calls("end"), 2, "both tried");
    assert_eq!(world.state().events.len(), 1);
}

#[test]
fn only_the_speaker_may_end_a_session_that_exists() {
    let (world, session) = world_with_session();
    let id = &session.session_id;
    let result = world.run(end(&world.service(), id, "speaker-2"));
    assert_eq!(result, Err(Error::NotOwner { session_id: id.clone() }));
    let unknown: SessionId = "no-such-1".parse().unwrap();
    let result = world.run(end(&world.service(), &unknown, SPEAKER));
    assert_eq!(result, Err(Error::NotFound { session_id: unknown }));
    world.state().items.get_mut(id).unwrap().status = SessionStatus::Creating;
    assert!(matches!(delete(&world, &session), Err(Error::NotReady { .. })));
    assert_eq!(world.state().events, []);
    assert_eq!(world.calls("end"), 0);
}

#[test]
fn a_failure_after_the_end_does_not_fail_the_request_or_lose_the_event() {
    let troubles = ErrorKind::ALL.map(Trouble::Refused).into_iter().chain([
        Trouble::AnswerLost,
        Trouble::Hangs,
        Trouble::HangsAfterEffect,
        Trouble::LateEffect,
    ]);
    for trouble in troubles {
        for operation in ["put", "clear_pending_event", "disable_storage", "delete_channel"] {
            let (world, session) = world_with_session();
            world.plan_all(operation, trouble);
            assert_eq!(delete(&world, &session), Ok(Deleted::Now), "{operation} {trouble:?}");
            let state = world.state();
            let item = &state.items[&session.session_id];
            assert_eq!(item.status, SessionStatus::Ended);
            assert!(item.pending_event.is_some() || state.events.len() == 1);
            drop(state);
            if operation == "put" {
                assert!(world.has_line("Failed to emit EventBridge event: "));
                assert_eq!(world.count("EventEmissionFailure"), 1);
                assert!(world.state().channels.is_empty(), "the channel goes all the same");
            }
        }
    }
}

#[test]
fn a_mapping_that_ends_with_a_delay_does_not_keep_the_channel() {
    let (world, session) = world_with_session();
    world.state().unmapped_after = Duration::from_secs(2);
    assert_eq!(delete(&world, &session), Ok(Deleted::Now));
    assert!(world.calls("delete_channel") > 1, "the first was refused");
    assert!(world.state().channels.is_empty());
}

#[test]
fn a_mapping_that_stays_keeps_the_channel_for_the_health_check() {
    let (world, session) = world_with_session();
    world.plan_all("disable_storage", Trouble::Refused(ErrorKind::Denied));
    assert_eq!(delete(&world, &session), Ok(Deleted::Now));
    let state = world.state();
    let item = &state.items[&session.session_id];
    assert_eq!(item.status, SessionStatus::Ended);
    assert!(state.channels.contains_key(item.kvs_channel_arn.as_ref().unwrap().as_str()));
}

#[test]
fn a_crash_at_any_call_takes_no_channel_from_an_open_session() {
    let (world, session) = world_with_session();
    delete(&world, &session).unwrap();
    let calls = world.state().calls.len();
    assert!(calls >= 6, "get, end, put, clear_pending_event, disable_storage, delete_channel");
    for crash_at in 1..=calls {
        let (world, session) = world_with_session();
        let service = world.service();
        let ended = world.run_for(end(&service, &session.session_id, SPEAKER), crash_at);
        world.let_time_pass();
        let state = world.state();
        let item = &state.items[&session.session_id];
        let channel = state.channels.get(session.kvs_channel_arn.as_ref().unwrap().as_str());
        let over = item.status == SessionStatus::Ended;
        assert!(over || ended.is_none(), "crash at call {crash_at}");
        assert!(over || channel.is_some_and(|it| it.is_stored()), "crash at call {crash_at}");
        let emitted = item.pending_event.is_some() || !state.events.is_empty();
        assert!(emitted || !over, "crash at call {crash_at}: no event");
    }
}

#[test]
fn a_failed_end_can_be_repeated_until_it_succeeds() {
    for trouble in [
        Trouble::Refused(ErrorKind::Unavailable),
        Trouble::Refused(ErrorKind::TimedOut),
        Trouble::AnswerLost,
        Trouble::Hangs,
        Trouble::HangsAfterEffect,
        Trouble::LateEffect,
    ] {
        let (world, session) = world_with_session();
        world.plan("end", 0, trouble);
        let error = delete(&world, &session).unwrap_err();
        assert!(error.retry_after().is_some(), "{trouble:?}");
        delete(&world, &session).unwrap();
        let state = world.state();
        let item = &state.items[&session.session_id];
        assert_eq!(item.status, SessionStatus::Ended);
        let emitted = state.events.len() + usize::from(item.pending_event.is_some());
        assert_eq!(emitted, 1, "{trouble:?}: one ENDED, emitted or pending");
    }
}

#[test]
fn an_end_that_the_sdk_repeats_is_recognized() {
    let (world, session) = world_with_session();
    world.plan("end", 0, Trouble::Repeated);
    assert_eq!(delete(&world, &session), Ok(Deleted::Now));
    let state = world.state();
    assert_eq!(state.events.len(), 1);
    assert_eq!(state.items[&session.session_id].pending_event, None);
    assert!(state.channels.is_empty());
}

#[test]
fn a_pending_active_event_is_emitted_before_the_ended_event() {
    let (world, session) = world_with_session();
    let change = session.status_change(EventStatus::Active, 1, "e-1".to_owned()).unwrap();
    let active = PendingEvent::new(&change, None, 1);
    world.state().items.get_mut(&session.session_id).unwrap().pending_event = Some(active);
    delete(&world, &session).unwrap();
    let state = world.state();
    let emitted: Vec<_> = state.events.iter().map(|(change, _)| change.status).collect();
    assert_eq!(emitted, [EventStatus::Active, EventStatus::Ended]);
    assert_eq!(state.items[&session.session_id].pending_event, None);
}

#[test]
fn the_response_waits_only_for_the_conditional_write() {
    let (world, session) = world_with_session();
    let done = world.run(world.service().delete(&session.session_id, SPEAKER, &call())).unwrap();
    assert_eq!((done.response, done.post_response.is_some()), (Deleted::Now, true));
    let calls: Vec<_> = world.state().calls.iter().map(|(call, _)| *call).collect();
    assert_eq!(calls, ["get", "end"]);
}

#[test]
fn an_active_event_that_the_bus_rejects_is_replaced_by_the_ended_event() {
    let (world, session) = world_with_session();
    let change = session.status_change(EventStatus::Active, 1, "e-1".to_owned()).unwrap();
    let active = PendingEvent::new(&change, None, 1);
    let id = &session.session_id;
    world.state().items.get_mut(id).unwrap().pending_event = Some(active.clone());
    world.plan_all("put", Trouble::Refused(ErrorKind::Throttled));
    delete(&world, &session).unwrap();
    world.state().plans.clear();
    // A late resend of the ACTIVE event must not clear the pending ENDED event.
    let budget = Duration::from_secs(2);
    assert!(world.run(emit(&world, &world, &world, id, &active, budget)).is_ok());
    let pending = world.state().items[id].pending_event.clone().unwrap();
    assert!(pending.detail.contains("ENDED"));
}
