//! Guarantees of `create`, tested with every failure of every call.

mod time_limits;

use std::time::Duration;

use super::*;
use crate::{
    ErrorKind, Limits, Tags, emit,
    event::EventStatus,
    fakes::{EPOCH_MS, Trouble, World, open},
};

fn new() -> NewSession {
    NewSession {
        speaker_id: "speaker-1".to_owned(),
        source_language: Language::ENGLISH,
        target_languages: vec!["de".parse().unwrap()],
        quality_tier: QualityTier::Premium,
    }
}

fn call() -> Call {
    Call { limits: Limits::default(), trace_header: Some("Root=1-a".to_owned()) }
}

fn create(world: &World) -> Result<Session, Error> {
    let result = world.run(open(&world.service(), &new(), None, &call()));
    let took = world.state().now;
    assert!(took < Limits::FUNCTION_TIMEOUT, "took {took:?}");
    world.let_time_pass();
    result
}

/// The calls of a successful creation, followed by those of its compensation.
const STEPS: [&str; 10] = [
    "reserve",
    "create_channel",
    "create_stream",
    "channel_state",
    "stream_state",
    "enable_storage",
    "endpoints",
    "activate",
    "put",
    "clear_pending_event",
];
const COMPENSATION_STEPS: [&str; 6] = [
    "fence_reservation",
    "get",
    "disable_storage",
    "delete_channel",
    "delete_stream",
    "delete_reservation",
];

fn troubles() -> Vec<Trouble> {
    use Trouble::{AnswerLost, Hangs, HangsAfterEffect, LateEffect, Refused, Repeated};
    let refused = ErrorKind::ALL.map(Refused);
    [&refused[..], &[AnswerLost, Repeated, Hangs, HangsAfterEffect, LateEffect]].concat()
}

/// Asserts the invariant after any outcome: an active session is complete and its event is pending
/// or emitted; everything else has a `creating` item through which it is found.
fn check(world: &World, result: &Result<Session, Error>, context: &str) {
    let state = world.state();
    for item in state.items.values() {
        let id = &item.session_id;
        match item.status {
            SessionStatus::Creating => {}
            SessionStatus::Active => {
                let channel = &state.channels[item.kvs_channel_arn.as_ref().unwrap().as_str()];
                let stream = item.kvs_stream_arn.as_ref().unwrap();
                assert_eq!(channel.mapped_to.as_deref(), Some(stream.as_str()), "{context}");
                assert!(channel.is_stored(), "{context}: the mapping is off");
                assert!(state.streams.contains_key(stream.as_str()), "{context}");
                let emitted = state.events.iter().any(|(change, _)| &change.session_id == id);
                assert!(emitted || item.pending_event.is_some(), "{context}: untold");
            }
            other => panic!("{context}: {other:?}"),
        }
    }
    for resource in state.channels.values().chain(state.streams.values()) {
        let id = &resource.tags.as_ref().unwrap().session_id;
        assert!(state.items.contains_key(id), "{context}: {} is an orphan", resource.name);
    }
    if let Ok(session) = result {
        assert_eq!(state.items[&session.session_id].status, SessionStatus::Active, "{context}");
        let twice = context.starts_with("put Repeated");
        assert!(state.events.len() <= 1 || twice, "{context}: two events");
    }
}

#[test]
fn a_session_is_whole_when_it_is_answered() {
    let world = World::new();
    let session = create(&world).unwrap();

    assert_eq!(session.status, SessionStatus::Active);
    assert_eq!(session.speaker_id, "speaker-1");
    assert_eq!(session.kvs_channel_name, format!("session-{}", session.session_id));
    assert_eq!(session.created_at, EPOCH_MS);
    assert_eq!(session.expires_at, EPOCH_MS / 1000 + 12 * 3_600);
    assert_eq!(session.env, "test");
    let arn = session.kvs_stream_arn.clone().unwrap();
    assert!(arn.contains(&format!("/{}/", session.kvs_stream_name)));
    assert!(session.kvs_signaling_endpoints.is_some());

    let state = world.state();
    assert_eq!(state.items[&session.session_id], session, "the event is no longer pending");
    let stream = &state.streams[arn.as_str()];
    assert_eq!(stream.retention_hours, 24);
    assert_eq!(
        stream.tags,
        Some(Tags { env: "test".to_owned(), session_id: session.session_id.clone() })
    );
}

#[test]
fn the_event_has_the_fields_of_the_specification() {
    let world = World::new();
    let session = create(&world).unwrap();
    let state = world.state();
    let [(change, trace_header)] = &state.events[..] else { panic!("{:?}", state.events) };
    assert_eq!(trace_header.as_deref(), Some("Root=1-a"));
    assert_eq!(change.status, EventStatus::Active);
    assert_eq!(change.session_id, session.session_id);
    assert_eq!(Some(&change.channel_arn), session.kvs_channel_arn.as_ref());
    assert_eq!(change.stream_arn, session.kvs_stream_arn);
    assert_eq!(change.target_languages, Some(new().target_languages));
    assert_eq!(change.quality_tier, Some(QualityTier::Premium));
    assert_eq!(change.speaker_id.as_deref(), Some("speaker-1"));
    assert_eq!(change.timestamp_ms, session.updated_at);
    assert!(change.event_id.is_some());
}

#[test]
fn the_response_precedes_the_event_which_stays_pending_until_emitted() {
    let world = World::new();
    let service = world.service();
    let created = world.run(service.create(&new(), None, &call())).unwrap();
    let id = &created.response.session_id;
    assert_eq!(world.calls("put"), 0);
    assert!(world.state().items[id].pending_event.is_some());
    let post_response = created.post_response.unwrap();
    assert_eq!(post_response.trace_header(), Some("Root=1-a"));

    world.run(service.run_post_response(post_response));
    let state = world.state();
    assert_eq!((state.events.len(), &state.items[id].pending_event), (1, &None));
}

#[test]
fn success_is_logged_and_counted() {
    let world = World::new();
    let session = create(&world).unwrap();
    let state = world.state();
    let line = "EventBridge event emitted for session creation";
    let (_, detail) = state.lines.iter().find(|(text, _)| text == line).unwrap();
    assert!(detail.as_ref().unwrap().contains(session.session_id.as_str()));
    drop(state);
    for metric in ["SessionCreationCount", "SessionCreationLatency", "EventEmissionSuccess"] {
        assert_eq!(world.count(metric), 1, "{metric}");
    }
    assert_eq!(world.count("EventEmissionFailure"), 0);
}

#[test]
fn resources_are_not_asked_for_their_state_more_than_four_times_a_second() {
    let world = World::new();
    world.state().active_after = Duration::from_secs(8);
    create(&world).unwrap();
    let state = world.state();
    for operation in ["channel_state", "stream_state"] {
        let looks: Vec<_> =
            state.calls.iter().filter(|(name, _)| *name == operation).map(|(_, at)| *at).collect();
        assert!(looks.len() > 4);
        for pair in looks.windows(2) {
            assert!(pair[1] - pair[0] >= Duration::from_millis(250), "{looks:?}");
        }
    }
}

#[test]
fn no_failure_loses_or_orphans_a_resource() {
    for operation in STEPS {
        for trouble in troubles() {
            for first_only in [true, false] {
                let world = World::new();
                if first_only {
                    world.plan(operation, 0, trouble);
                } else {
                    world.plan_all(operation, trouble);
                }
                let result = create(&world);
                let context = format!("{operation} {trouble:?} first_only={first_only}");
                check(&world, &result, &context);
                let refused = matches!(trouble, Trouble::Refused(kind)
                    if !kind.is_outcome_unknown() && kind != ErrorKind::InUse);
                if result.is_err() && refused {
                    let state = world.state();
                    assert!(state.items.is_empty(), "{context}: an item is left");
                    assert!(state.channels.is_empty() && state.streams.is_empty(), "{context}");
                }
            }
        }
    }
}

#[test]
fn a_failure_during_compensation_leaves_an_item_to_find_the_rest() {
    for operation in ["create_channel", "stream_state", "enable_storage", "endpoints", "activate"] {
        for trouble in troubles() {
            for compensation_step in COMPENSATION_STEPS {
                for compensation_trouble in troubles() {
                    // If a service reports an existing resource as missing, only its list
                    // operations reveal it.
                    let not_found = Trouble::Refused(ErrorKind::NotFound);
                    if compensation_step.starts_with("delete") && compensation_trouble == not_found
                    {
                        continue;
                    }
                    let world = World::new();
                    world.plan_all(operation, trouble);
                    world.plan_all(compensation_step, compensation_trouble);
                    let result = create(&world);
                    let context = format!(
                        "{operation} {trouble:?}, {compensation_step} {compensation_trouble:?}"
                    );
                    check(&world, &result, &context);
                }
            }
        }
    }
}

#[test]
fn a_crash_at_any_call_leaves_nothing_that_cannot_be_found() {
    let world = World::new();
    create(&world).unwrap();
    let calls = world.state().calls.len();
    assert!(calls >= STEPS.len());
    for crash_at in 1..=calls {
        for failing in [None, Some("activate"), Some("endpoints")] {
            let world = World::new();
            if let Some(operation) = failing {
                world.plan_all(operation, Trouble::Refused(ErrorKind::Denied));
            }
            let service = world.service();
            let result = world.run_for(open(&service, &new(), None, &call()), crash_at);
            world.let_time_pass();
            let result = result.unwrap_or(Err(Error::NoFreeId { attempts: 0 }));
            check(&world, &result, &format!("crash at call {crash_at}, {failing:?}"));
        }
    }
}

#[test]
fn an_event_that_cannot_be_emitted_does_not_fail_the_request() {
    for trouble in troubles().into_iter().filter(|trouble| *trouble != Trouble::Repeated) {
        let world = World::new();
        world.plan_all("put", trouble);
        let session = create(&world).unwrap();
        assert!(world.has_line("Failed to emit EventBridge event: "), "{trouble:?}");
        assert_eq!(world.count("EventEmissionFailure"), 1);
        assert_eq!(world.count("EventEmissionSuccess"), 0);
        let state = world.state();
        let pending = state.items[&session.session_id].pending_event.clone().unwrap();
        assert_eq!(pending.trace_header.as_deref(), Some("Root=1-a"));
        assert_eq!(pending.since, session.updated_at);
    }
}

#[test]
fn an_event_that_cannot_be_cleared_is_emitted_again_with_the_same_id() {
    let world = World::new();
    world.plan("clear_pending_event", 0, Trouble::Refused(ErrorKind::Throttled));
    let session = create(&world).unwrap();
    let pending = world.state().items[&session.session_id].pending_event.clone().unwrap();
    let id = &session.session_id;
    let budget = Duration::from_secs(2);
    assert!(world.run(emit(&world, &world, &world, id, &pending, budget)).is_ok());
    let state = world.state();
    assert_eq!(state.events.len(), 2);
    assert_eq!(state.events[0], state.events[1]);
    assert_eq!(state.items[id].pending_event, None);
}

#[test]
fn calls_that_the_sdk_repeats_do_no_harm() {
    for operation in STEPS {
        let world = World::new();
        world.plan(operation, 0, Trouble::Repeated);
        let session = create(&world).unwrap();
        let live = |item: &&Session| item.status == SessionStatus::Active;
        let state = world.state();
        assert_eq!(state.items.values().filter(live).count(), 1, "{operation}");
        assert_eq!(state.items[&session.session_id].pending_event, None, "{operation}");
    }
}

#[test]
fn a_taken_id_leads_to_the_next_one() {
    let world = World::new();
    let first = create(&world).unwrap();
    let second_world = World::new(); // Draws the same ids.
    second_world.state().items.insert(first.session_id.clone(), first.clone());
    let second = create(&second_world).unwrap();
    assert_ne!(second.session_id, first.session_id);
    assert_eq!(second_world.state().items[&first.session_id], first);
}

#[test]
fn a_name_of_another_environment_leads_to_the_next_id_and_is_not_touched() {
    let world = World::new();
    let first = create(&world).unwrap();
    let arn = first.kvs_stream_arn.unwrap().to_string();
    let mut foreign = world.state().streams[&arn].clone();
    foreign.tags = None;

    let world = World::new();
    world.state().streams.insert(arn.clone(), foreign);
    let second = create(&world).unwrap();
    assert_ne!(second.session_id, first.session_id);
    assert!(world.state().streams.contains_key(&arn), "another's stream is not ours to delete");
    assert!(world.state().channels.keys().all(|arn| !arn.contains(first.session_id.as_str())));
    let left = world.state().items[&first.session_id].status;
    assert_eq!(left, SessionStatus::Creating, "the name may be ours, so the health check looks");
}

#[test]
fn a_resource_that_never_becomes_active_is_deleted_in_time() {
    let world = World::new();
    world.state().active_after = Duration::from_secs(19);
    let error = create(&world).unwrap_err();
    assert!(matches!(&error, Error::Creation { cause, .. } if cause.kind == ErrorKind::TimedOut));
    assert!(error.retry_after().is_some());
    let state = world.state();
    assert!(state.now >= Duration::from_secs(17));
    assert!(state.channels.is_empty() && state.streams.is_empty() && state.items.is_empty());
}

#[test]
fn a_permanent_error_has_no_retry_after() {
    let world = World::new();
    world.plan_all("enable_storage", Trouble::Refused(ErrorKind::Denied));
    let error = create(&world).unwrap_err();
    assert_eq!(error.retry_after(), None);
    assert_eq!(world.calls("enable_storage"), 1);
    assert_eq!(world.count("SessionCreationFailureCount"), 1);
    assert_eq!(world.count("SessionCreationCount"), 0);
}

#[test]
fn what_is_still_being_created_or_is_gone_cannot_be_read() {
    let world = World::new();
    let service = world.service();
    let mut session = create(&world).unwrap();
    let id = session.session_id.clone();
    let get = |status| {
        session.status = status;
        world.state().items.insert(id.clone(), session.clone());
        world.run(service.get(&id, &call())).map(|session| session.status)
    };
    let mut get = get;
    assert_eq!(get(SessionStatus::Active), Ok(SessionStatus::Active));
    assert_eq!(get(SessionStatus::Ended), Ok(SessionStatus::Ended));
    assert_eq!(get(SessionStatus::Cleaning), Ok(SessionStatus::Ended));
    assert!(matches!(get(SessionStatus::Creating), Err(Error::NotFound { .. })));
    let unknown = "no-such-1".parse().unwrap();
    let result = world.run(service.get(&unknown, &call()));
    assert_eq!(result, Err(Error::NotFound { session_id: unknown }));
}
