//! Guarantees of a POST with warm pairs, tested with every failure of every call.

use std::time::Duration;

use futures_util::future::{join, join_all};

use crate::{
    Call, Error, ErrorKind, Language, NewSession, PairRules, QualityTier, Session, SessionStatus,
    fakes::{FakeService, Trouble, World, keeping, open},
    ports::Clock,
    reconcile,
};

fn new(speaker: &str) -> NewSession {
    NewSession {
        speaker_id: speaker.to_owned(),
        source_language: Language::ENGLISH,
        target_languages: vec!["de".parse().unwrap()],
        quality_tier: QualityTier::Standard,
    }
}

/// An AWS with `count` pairs that are ready.
fn warm(count: u32) -> World {
    let world = World::new();
    let (summary, error) = world.check(&keeping(count));
    assert_eq!((summary.warm_pairs, error), (u64::from(count), None));
    world.state().calls.clear();
    world
}

fn service(world: &World, count: u32) -> FakeService {
    let pairs = PairRules::scaled(count, 24, None, 1.0);
    FakeService { pairs, ..world.service() }
}

fn create(world: &World, count: u32) -> Result<Session, Error> {
    let (service, new, call) = (service(world, count), new("ana"), Call::default());
    world.run(open(&service, &new, None, &call))
}

#[test]
fn a_session_with_a_warm_pair_takes_three_calls_and_is_whole() {
    let world = warm(2);
    let session = create(&world, 2).unwrap();
    let calls: Vec<_> = world.state().calls.iter().map(|(name, _)| *name).collect();
    let [before_response @ .., "put", "clear_pending_event"] = &calls[..] else {
        panic!("{calls:?}")
    };
    assert_eq!(before_response, ["warm_pairs", "reserve", "activate"]);
    assert_eq!(session.status, SessionStatus::Active);
    assert_eq!(session.kvs_channel_name, session.session_id.channel_name());
    let stream = session.kvs_stream_arn.as_ref().unwrap();
    assert!(stream.contains(&format!("/{}/", session.kvs_stream_name)));
    assert!(session.kvs_signaling_endpoints.is_some());
    assert_eq!(world.state().items[&session.session_id], session);
    assert!(world.has_line("Session created with a warm pair"));
    assert_eq!((world.ready_pairs(), world.count("WarmPairMisses")), (1, 0));
    world.assert_repaired(1, "one pair is left");
}

#[test]
fn without_warm_pairs_nothing_is_read_and_nothing_is_said() {
    let world = warm(2);
    create(&world, 0).unwrap();
    assert_eq!((world.calls("warm_pairs"), world.count("WarmPairMisses")), (0, 0));
    assert!(world.state().lines.iter().any(|(line, _)| line == "Session created"));
}

#[test]
fn without_a_ready_pair_the_session_is_created_and_counted() {
    for pair in ["none", "lapsed", "other settings", "not read"] {
        let world = warm(1);
        match pair {
            "none" => drop(create(&world, 1).unwrap()),
            "lapsed" => world.state().now += Duration::from_secs(15 * 60),
            "other settings" => world.state().pairs.get_mut(&0).unwrap().retention_hours = 48,
            _ => world.plan_all("warm_pairs", Trouble::Refused(ErrorKind::Denied)),
        }
        create(&world, 1).unwrap();
        assert_eq!(world.count("WarmPairMisses"), 1, "{pair}");
        assert!(world.has_line("Session created without a warm pair"), "{pair}");
        world.assert_pairs(pair);
    }
}

#[test]
fn concurrent_requests_never_get_the_same_pair_and_all_succeed() {
    for requests in [2, 3, 8] {
        for pairs in [1, 2, 5] {
            let world = warm(pairs);
            let service = &service(&world, pairs);
            let post = |speaker: usize| async move {
                open(service, &new(&format!("speaker-{speaker}")), None, &Call::default()).await
            };
            let sessions = world.run(join_all((0..requests).map(post)));
            let mut streams: Vec<_> =
                sessions.into_iter().map(|session| session.unwrap().kvs_stream_arn).collect();
            streams.sort_by_key(|stream| stream.as_ref().map(ToString::to_string));
            streams.dedup();
            assert_eq!(streams.len(), requests, "{requests} requests, {pairs} pairs");
            world.assert_pairs(&format!("{requests} requests, {pairs} pairs"));
            let misses = world.count("WarmPairMisses");
            assert_eq!(requests - misses + world.ready_pairs(), pairs as usize);
        }
    }
}

#[test]
fn a_request_and_a_health_check_that_removes_the_pair_do_not_both_get_it() {
    let mut outcomes = [false; 2];
    for late_ms in 0..40 {
        let world = warm(1);
        let pair = world.state().pairs[&0].session_id.clone();
        let (service, new, call) = (service(&world, 1), new("ana"), Call::default());
        let post = async {
            world.sleep(Duration::from_millis(late_ms)).await;
            open(&service, &new, None, &call).await.unwrap()
        };
        let (check, rules) = (world.health_check(), keeping(0));
        let (session, (_, error)) = world.run(join(post, reconcile::run(&check, &rules, None)));
        assert_eq!(error, None);
        outcomes[usize::from(session.session_id == pair)] = true;
        let context = format!("POST after {late_ms} ms");
        let channel = session.kvs_channel_arn.as_ref().unwrap();
        assert!(world.state().channels.contains_key(channel.as_str()), "{context}");
        world.assert_pairs(&context);
        world.repair(&keeping(0));
        world.assert_repaired(0, &context);
    }
    assert_eq!(outcomes, [true; 2], "the pair is removed in some cases and taken in others");
}

#[test]
fn a_pair_whose_id_a_session_has_is_not_taken() {
    let world = warm(1);
    let pair = world.state().pairs[&0].clone();
    let other = create(&world, 0).unwrap();
    let id = pair.session_id.clone();
    let taken = Session { session_id: id.clone(), ..other };
    world.state().items.insert(id.clone(), taken.clone());
    assert_ne!(create(&world, 1).unwrap().session_id, id);
    assert_eq!(world.state().items[&id], taken);
}

/// The calls of a POST with a warm pair, and of its compensation.
const STEPS: [&str; 11] = [
    "warm_pairs",
    "reserve",
    "activate",
    "put",
    "clear_pending_event",
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

#[test]
fn no_failure_loses_a_pair_or_uses_it_twice() {
    for operation in STEPS {
        for trouble in troubles() {
            for activates in [true, false] {
                // A deletion that is wrongly reported as not found is only seen by the sweep.
                let is_false_not_found = trouble == Trouble::Refused(ErrorKind::NotFound);
                if operation.starts_with("delete") && is_false_not_found {
                    continue;
                }
                let world = warm(2);
                world.plan_all(operation, trouble);
                if !activates {
                    world.plan_all("activate", Trouble::Refused(ErrorKind::Denied));
                }
                let result = create(&world, 2);
                let context = format!("{operation} {trouble:?} activates={activates}");
                world.let_time_pass();
                world.assert_pairs(&context);
                if let Ok(session) = &result {
                    let status = world.state().items[&session.session_id].status;
                    assert_eq!(status, SessionStatus::Active, "{context}");
                }
                world.repair(&keeping(2));
                world.assert_repaired(2, &context);
            }
        }
    }
}

#[test]
fn a_crash_at_any_call_leaves_nothing_behind() {
    for failing in [None, Some("activate")] {
        for crash_at in 1..12 {
            let world = warm(2);
            if let Some(operation) = failing {
                world.plan_all(operation, Trouble::Refused(ErrorKind::Denied));
            }
            let (service, new, call) = (service(&world, 2), new("ana"), Call::default());
            let _ = world.run_for(open(&service, &new, None, &call), crash_at);
            let context = format!("crash at call {crash_at}, {failing:?}");
            world.let_time_pass();
            world.assert_pairs(&context);
            world.repair(&keeping(2));
            world.assert_repaired(2, &context);
        }
    }
}
