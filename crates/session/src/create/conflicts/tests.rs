//! A request creates one session however often it is repeated, and a speaker cannot exceed the
//! session limit.

use std::time::Duration;

use crate::{
    Call, Error, ErrorKind, IdempotencyKey, Language, NewSession, QualityTier, Session,
    SessionStatus,
    fakes::{Trouble, World, open},
};

fn new(speaker: &str) -> NewSession {
    NewSession {
        speaker_id: speaker.to_owned(),
        source_language: Language::ENGLISH,
        target_languages: Vec::new(),
        quality_tier: QualityTier::Standard,
    }
}

fn key(text: &str) -> IdempotencyKey {
    text.parse().unwrap()
}

fn create(world: &World, new: &NewSession, key: Option<&IdempotencyKey>) -> Result<Session, Error> {
    let result = world.run(open(&world.service(), new, key, &Call::default()));
    world.let_time_pass();
    result
}

fn live(world: &World) -> usize {
    let state = world.state();
    state.items.values().filter(|item| item.status == SessionStatus::Active).count()
}

#[test]
fn a_repeated_request_gets_the_same_response_after_any_change_of_its_session() {
    let world = World::new();
    let first = create(&world, &new("ana"), Some(&key("k"))).unwrap();
    let id = first.session_id.clone();
    assert_eq!(create(&world, &new("ana"), Some(&key("k"))), Ok(first.clone()));
    let _ = world.run(world.service().delete(&id, "ana", &Call::default())).unwrap();
    assert_eq!(create(&world, &new("ana"), Some(&key("k"))), Ok(first));
    assert_eq!((world.count("SessionCreationCount"), world.state().items.len()), (1, 1));
}

#[test]
fn a_key_is_rejected_with_another_body_but_not_for_another_speaker() {
    let world = World::new();
    create(&world, &new("ana"), Some(&key("k"))).unwrap();
    let other = NewSession { quality_tier: QualityTier::Premium, ..new("ana") };
    assert_eq!(create(&world, &other, Some(&key("k"))), Err(Error::KeyReused));
    create(&world, &new("ben"), Some(&key("k"))).unwrap();
    create(&world, &new("ana"), Some(&key("other"))).unwrap();
    assert_eq!(live(&world), 3);
    assert_eq!(world.count("SessionCreationFailureCount"), 0, "the client's mistake is no failure");
}

#[test]
fn after_a_crash_at_any_call_the_request_waits_and_then_succeeds() {
    let whole = World::new();
    create(&whole, &new("ana"), Some(&key("k"))).unwrap();
    let calls = whole.state().calls.len();
    for crash_at in 1..=calls {
        let world = World::new();
        let service = world.service();
        let (new, key) = (new("ana"), key("k"));
        let _ = world.run_for(open(&service, &new, Some(&key), &Call::default()), crash_at);
        world.let_time_pass();
        let mut waits = 0;
        let session = loop {
            match create(&world, &new, Some(&key)) {
                Err(Error::InProgress { retry_after }) => {
                    assert!(retry_after <= Duration::from_secs(34) && waits < 2, "{crash_at}");
                    waits += 1;
                    world.state().now += retry_after;
                }
                result => break result.unwrap(),
            }
        };
        assert_eq!(live(&world), 1, "crash at call {crash_at}");
        assert_eq!(
            create(&world, &new, Some(&key)).map(|it| it.session_id),
            Ok(session.session_id)
        );
    }
}

#[test]
fn a_failed_request_can_be_repeated_at_once() {
    for step in ["create_stream", "enable_storage", "endpoints", "activate"] {
        let world = World::new();
        world.plan(step, 0, Trouble::Refused(ErrorKind::Denied));
        create(&world, &new("ana"), Some(&key("k"))).unwrap_err();
        assert!(world.state().requests.is_empty(), "{step}");
        create(&world, &new("ana"), Some(&key("k"))).unwrap();
        assert_eq!(live(&world), 1, "{step}");
    }
}

#[test]
fn no_failure_makes_a_request_create_two_sessions() {
    use Trouble::{AnswerLost, Hangs, HangsAfterEffect, LateEffect, Refused, Repeated};
    let troubles = [AnswerLost, Hangs, HangsAfterEffect, LateEffect, Repeated];
    let refused = ErrorKind::ALL.map(Refused);
    for step in [
        "reserve",
        "idempotency_record",
        "get",
        "create_channel",
        "enable_storage",
        "activate",
        "fence_reservation",
        "delete_idempotency_record",
        "delete_reservation",
    ] {
        for trouble in troubles.iter().chain(&refused) {
            for nth in 0..2 {
                let world = World::new();
                world.plan(step, nth, *trouble);
                for _ in 0..4 {
                    if create(&world, &new("ana"), Some(&key("k"))).is_err() {
                        world.state().now += Duration::from_secs(35);
                    }
                }
                create(&world, &new("ana"), Some(&key("k"))).unwrap();
                assert_eq!(live(&world), 1, "{step} {trouble:?} {nth}");
            }
        }
    }
}

#[test]
fn a_superseded_session_cannot_become_active() {
    let world = World::new();
    let (new, key) = (new("ana"), key("k"));
    let service = world.service();
    world.plan("activate", 0, Trouble::LateEffect);
    let whole = World::new();
    create(&whole, &new, Some(&key)).unwrap();
    let activation = whole.state().calls.iter().position(|(call, _)| *call == "activate").unwrap();
    let call = Call::default();
    let crashed = open(&service, &new, Some(&key), &call);
    assert_eq!(world.run_for(crashed, activation + 1), None);
    assert_eq!(world.calls("activate"), 1, "it is under way");
    // Simulates a clock that is far behind.
    world.state().requests.values_mut().for_each(|request| request.in_progress_until = 0);
    let second = world.run(open(&service, &new, Some(&key), &call)).unwrap();
    world.let_time_pass();
    let state = world.state();
    let active = state.items.values().filter(|item| item.status == SessionStatus::Active);
    let active: Vec<_> = active.map(|item| item.session_id.clone()).collect();
    assert_eq!(active, [second.session_id]);
}

#[test]
fn a_key_is_forgotten_after_a_day_even_if_the_table_still_has_it() {
    let world = World::new();
    let first = create(&world, &new("ana"), Some(&key("k"))).unwrap();
    world.state().now += Duration::from_secs(24 * 3600);
    let second = create(&world, &new("ana"), Some(&key("k"))).unwrap();
    assert_ne!(first.session_id, second.session_id);
}

#[test]
fn a_speaker_cannot_exceed_the_session_limit() {
    let world = World::new();
    let first = create(&world, &new("ana"), None).unwrap();
    for _ in 1..3 {
        create(&world, &new("ana"), None).unwrap();
    }
    let refused = create(&world, &new("ana"), None);
    assert_eq!(refused, Err(Error::TooManySessions { max_sessions: 3 }));
    create(&world, &new("ben"), None).unwrap();
    let _ = world.run(world.service().delete(&first.session_id, "ana", &Call::default())).unwrap();
    create(&world, &new("ana"), None).unwrap();
    assert_eq!(create(&world, &new("ana"), None), Err(Error::TooManySessions { max_sessions: 3 }));
}

#[test]
fn a_repeated_request_is_answered_at_the_session_limit() {
    let world = World::new();
    let first = create(&world, &new("ana"), Some(&key("k"))).unwrap();
    for _ in 1..3 {
        create(&world, &new("ana"), None).unwrap();
    }
    assert_eq!(create(&world, &new("ana"), Some(&key("k"))), Ok(first));
}

#[test]
fn a_session_without_an_item_occupies_no_slot() {
    let world = World::new();
    for _ in 0..3 {
        create(&world, &new("ana"), None).unwrap();
    }
    let (channels, streams) = {
        let mut state = world.state();
        state.items.clear();
        (std::mem::take(&mut state.channels), std::mem::take(&mut state.streams))
    };
    assert_eq!((channels.len(), streams.len()), (3, 3));
    create(&world, &new("ana"), None).unwrap();
}
