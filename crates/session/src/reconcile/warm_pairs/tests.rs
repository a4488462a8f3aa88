//! How warm pairs are kept, over the small AWS of the use cases: with every failure of every call,
//! and interrupted at every call.

use std::time::Duration;

use futures_util::future::join;
use proptest::prelude::*;

use crate::{
    Call, ErrorKind, Language, NewSession, PairRules, PairState, QualityTier, SessionId,
    StreamItem,
    fakes::{FakeService, Trouble, World, finished, keeping, open},
    reconcile::{self, Rules},
};

const MINUTE: Duration = Duration::from_secs(60);

/// An AWS with `count` pairs that are ready.
fn warm(count: u32) -> World {
    let world = World::new();
    let (summary, error) = world.check(&keeping(count));
    assert_eq!((summary.warm_pairs, error), (u64::from(count), None));
    world
}

/// Returns the ids of the pairs, by slot.
fn ids(world: &World) -> Vec<SessionId> {
    world.state().pairs.values().map(|pair| pair.session_id.clone()).collect()
}

#[test]
fn pairs_are_made_kept_and_not_swept() {
    let world = warm(3);
    world.assert_repaired(3, "made");
    let made = ids(&world);
    // For more than a day: the sweep has seen the pairs many times.
    for _ in 0..300 {
        world.state().now += 5 * MINUTE;
        let (summary, error) = world.check(&keeping(3));
        assert_eq!((summary.warm_pairs, summary.swept, error), (3, 0, None));
    }
    assert_eq!(ids(&world), made, "the same pairs");
    world.assert_repaired(3, "kept");
}

#[test]
fn the_number_of_pairs_follows_the_rules() {
    let world = warm(3);
    let made = ids(&world);
    for count in [1, 4, 0, 2] {
        world.state().now += 5 * MINUTE;
        let (summary, error) = world.check(&keeping(count));
        assert_eq!((summary.warm_pairs, error), (u64::from(count), None));
        world.assert_repaired(count as usize, "changed");
        assert!(count != 1 || ids(&world) == made[..1], "the pair that is needed is kept");
    }
}

#[test]
fn a_pair_with_old_settings_is_replaced() {
    let world = warm(1);
    let key = Some("key-1".to_owned());
    for pairs in [PairRules::scaled(1, 48, None, 1.0), PairRules::scaled(1, 48, key, 1.0)] {
        let before = ids(&world);
        let rules = Rules { pairs: pairs.clone(), ..keeping(1) };
        world.state().now += 5 * MINUTE;
        assert_eq!(world.check(&rules).0.warm_pairs, 1);
        assert_ne!(ids(&world), before);
        let state = world.state();
        let [(_, stream)] = &state.streams.iter().collect::<Vec<_>>()[..] else { panic!() };
        assert_eq!(stream.retention_hours, pairs.retention_hours);
        assert_eq!(state.pairs[&0].kms_key_id, pairs.kms_key_id);
    }
}

#[test]
fn a_pair_that_is_not_whole_is_replaced() {
    for part in ["channel", "stream", "mapping"] {
        let world = warm(2);
        let broken = world.state().pairs[&0].clone();
        let media = broken.media.clone().unwrap();
        let channel = media.kvs_channel_arn.as_str();
        match part {
            "channel" => drop(world.state().channels.remove(channel)),
            "stream" => drop(world.state().streams.remove(media.kvs_stream_arn.as_str())),
            _ => world.state().channels.get_mut(channel).unwrap().mapped_to = None,
        }
        world.state().now += 5 * MINUTE;
        let (summary, error) = world.check(&keeping(2));
        assert_eq!((summary.warm_pairs, error), (2, None), "{part}");
        assert!(!ids(&world).contains(&broken.session_id), "{part}");
        world.assert_repaired(2, part);
    }
}

#[test]
fn a_pair_that_was_not_checked_for_long_is_replaced() {
    let world = warm(1);
    let before = ids(&world);
    world.state().now += 15 * MINUTE;
    assert_eq!(world.check(&keeping(1)).0.warm_pairs, 1);
    assert_ne!(ids(&world), before);
    world.assert_repaired(1, "replaced");
}

#[test]
fn a_pair_that_a_session_has_used_is_forgotten_and_its_stream_is_kept() {
    // As after restoring a table: the pair is there again, and the session that took it is not.
    let world = warm(1);
    let id = ids(&world).remove(0);
    world.state().stream_items.insert(id.clone(), StreamItem::default());
    world.state().now += 5 * MINUTE;
    world.state().lose_item(&id);
    assert_eq!(world.check(&keeping(0)).0.warm_pairs, 0);
    let state = world.state();
    assert!(state.pairs.is_empty());
    assert_eq!((state.channels.len(), state.streams.len()), (1, 1), "the sweep decides");
}

#[test]
fn the_limits_of_the_account_are_left_to_sessions() {
    for kind in [ErrorKind::Throttled, ErrorKind::LimitExceeded] {
        for operation in ["create_channel", "enable_storage"] {
            let world = World::new();
            world.plan_all(operation, Trouble::Refused(kind));
            let (summary, error) = world.check(&keeping(3));
            assert_eq!((summary.warm_pairs, error), (0, None), "{operation} {kind:?}");
            let pairs = world.state().pairs.len();
            assert_eq!(pairs, 1, "{operation} {kind:?}: the others are not begun");
            if operation == "enable_storage" {
                assert_eq!(world.calls(operation), 1, "{kind:?}: not repeated");
            }
            world.repair(&keeping(3));
            world.assert_repaired(3, operation);
        }
    }
}

#[test]
fn a_name_of_another_environment_is_not_touched() {
    let drawn = ids(&warm(1)).remove(0);
    let world = World::new(); // Draws the same id.
    let name = drawn.stream_name();
    let arn = format!("arn:aws:kinesisvideo:eu-west-1:123456789012:stream/{name}/17");
    let other = warm(1);
    let mut foreign = other.state().streams.values().next().unwrap().clone();
    foreign.tags = None;
    world.state().streams.insert(arn.clone(), foreign);
    world.check(&keeping(1));
    world.repair(&keeping(1));
    assert_eq!(world.ready_pairs(), 1);
    let state = world.state();
    assert_ne!(state.pairs[&0].session_id, drawn);
    assert!(state.streams.contains_key(&arn));
    assert_eq!((state.channels.len(), state.streams.len()), (1, 2));
}

#[test]
fn each_pass_is_bounded_in_time() {
    let world = World::new();
    world.state().active_after = Duration::from_secs(50);
    let before = world.state().now;
    let (summary, _) = world.check(&keeping(20));
    assert!(summary.warm_pairs >= 2, "{summary:?}");
    assert!(world.state().now - before < 3 * MINUTE);
    world.state().active_after = Duration::from_secs(1);
    world.repair(&keeping(20));
    world.assert_repaired(20, "the next runs make the others");
}

/// The calls of filling, checking and removing.
const STEPS: [&str; 14] = [
    "warm_pairs",
    "store_pair",
    "create_channel",
    "create_stream",
    "channel_state",
    "stream_state",
    "enable_storage",
    "endpoints",
    "channel_named",
    "channel_owner",
    "disable_storage",
    "delete_channel",
    "delete_stream",
    "delete_pair",
];

fn troubles() -> Vec<Trouble> {
    use Trouble::{AnswerLost, HangsAfterEffect, LateEffect, Refused, Repeated};
    let refused = ErrorKind::ALL.map(Refused);
    [&refused[..], &[AnswerLost, Repeated, HangsAfterEffect, LateEffect]].concat()
}

/// Returns whether the health check sets a deadline for the call. The AWS SDK has one for others.
fn has_deadline(operation: &str) -> bool {
    STEPS[2..8].contains(&operation)
}

#[test]
fn no_failure_loses_a_pair() {
    for operation in STEPS {
        for trouble in troubles() {
            let hangs = matches!(trouble, Trouble::HangsAfterEffect | Trouble::LateEffect);
            // If a service reports an existing resource as missing, only the sweep finds it.
            let is_false_not_found = trouble == Trouble::Refused(ErrorKind::NotFound)
                && (operation.starts_with("delete") || operation.ends_with("_owner"));
            if is_false_not_found || (hangs && !has_deadline(operation)) {
                continue;
            }
            for (before, count) in [(0, 2), (2, 1)] {
                let world = warm(before);
                world.state().calls.clear();
                world.plan(operation, 0, trouble);
                world.state().now += 5 * MINUTE;
                world.check(&keeping(count));
                let context = format!("{operation} {trouble:?}, {before} to {count}");
                world.assert_pairs(&context);
                world.repair(&keeping(count));
                world.assert_repaired(count as usize, &context);
            }
        }
    }
}

#[test]
fn a_run_can_be_interrupted_at_any_call() {
    for (before, count) in [(0, 2), (2, 2), (3, 1), (2, 0)] {
        let calls = {
            let world = warm(before);
            world.state().calls.clear();
            world.state().now += 5 * MINUTE;
            world.check(&keeping(count));
            world.state().calls.len()
        };
        for crash_at in 1..=calls {
            let world = warm(before);
            world.state().calls.clear();
            world.state().now += 5 * MINUTE;
            let (check, rules) = (world.health_check(), keeping(count));
            let _ = world.run_for(reconcile::run(&check, &rules, None), crash_at);
            let context = format!("{before} to {count}, crash at call {crash_at} of {calls}");
            world.let_time_pass();
            world.assert_pairs(&context);
            world.repair(&rules);
            world.assert_repaired(count as usize, &context);
        }
    }
}

#[test]
fn concurrent_runs_make_and_remove_each_pair_once() {
    let world = World::new();
    for count in [3, 1, 4] {
        let rules = &keeping(count);
        let (one, other) = (world.health_check(), world.health_check());
        world.state().calls.clear();
        let before = world.state().pairs.len();
        let runs = join(reconcile::run(&one, rules, None), reconcile::run(&other, rules, None));
        let ((_, first), (_, second)) = world.run(runs);
        assert_eq!((first, second), (None, None));
        let made = (count as usize).saturating_sub(before);
        assert_eq!(world.calls("create_channel"), made, "{count}");
        world.repair(rules);
        world.assert_repaired(count as usize, "two runs");
    }
}

fn new_session() -> NewSession {
    NewSession {
        speaker_id: "ana".to_owned(),
        source_language: Language::ENGLISH,
        target_languages: Vec::new(),
        quality_tier: QualityTier::Standard,
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// A health check that keeps so many pairs, interrupted at a call.
    Check(u32, Option<usize>),
    /// A POST by a handler that uses so many pairs, interrupted at a call.
    Post(u32, Option<usize>),
    /// The oldest session is deleted, and its stream is drained.
    Delete,
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let crash = || prop_oneof![3 => Just(None), 1 => (1_usize..30).prop_map(Some)];
    prop_oneof![
        3 => (0_u32..4, crash()).prop_map(|(count, at)| Step::Check(count, at)),
        3 => (0_u32..4, crash()).prop_map(|(count, at)| Step::Post(count, at)),
        1 => Just(Step::Delete),
        2 => (1_u64..20).prop_map(Step::Wait),
    ]
}

/// Takes a step. Returns the session that a POST has created.
fn take(world: &World, step: Step) -> Option<SessionId> {
    world.state().calls.clear();
    let service = |count| {
        let pairs = PairRules::scaled(count, 24, None, 1.0);
        FakeService { pairs, max_sessions: 100, ..world.service() }
    };
    let mut session = None;
    match step {
        Step::Check(count, at) => {
            let (check, rules) = (world.health_check(), keeping(count));
            let run = reconcile::run(&check, &rules, None);
            let _ = world.run_for(run, at.unwrap_or(usize::MAX));
        }
        Step::Post(count, at) => {
            let (service, new, call) = (service(count), new_session(), Call::default());
            let post = open(&service, &new, None, &call);
            let created = world.run_for(post, at.unwrap_or(usize::MAX));
            session = created.and_then(Result::ok).map(|session| session.session_id);
        }
        Step::Delete => {
            let oldest = world.state().items.values().find(|item| item.status.is_live()).cloned();
            if let Some(oldest) = oldest {
                end(world, &service(0), &oldest.session_id);
            }
        }
        Step::Wait(minutes) => world.state().now += MINUTE * u32::try_from(minutes).unwrap(),
    }
    world.let_time_pass();
    session
}

/// Deletes a session, of which everything was delivered.
fn end(world: &World, service: &FakeService, id: &SessionId) {
    let done = world.run(service.delete(id, "ana", &Call::default())).unwrap();
    world.run(finished(service, done)).unwrap();
    let lease_expires_at = crate::ports::Clock::now_ms(world);
    let item = StreamItem { ended: true, lease_expires_at, ..StreamItem::default() };
    world.state().stream_items.insert(id.clone(), item);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn whatever_happens_no_pair_is_used_twice_and_nothing_remains(
        steps in proptest::collection::vec(step(), 1..24),
    ) {
        let world = World::new();
        let mut sessions = Vec::new();
        for step in &steps {
            sessions.extend(take(&world, *step));
            world.assert_pairs(&format!("{step:?} of {steps:?}"));
        }
        let mut unique = sessions.clone();
        unique.sort();
        unique.dedup();
        prop_assert_eq!(unique.len(), sessions.len(), "an id was given twice");

        world.repair(&keeping(0));
        let live: Vec<_> = {
            let state = world.state();
            let live = state.items.values().filter(|item| item.status.is_live());
            live.map(|item| item.session_id.clone()).collect()
        };
        for id in live {
            end(&world, &world.service(), &id);
        }
        world.state().now += 70 * MINUTE;
        world.repair(&keeping(0));
        let state = world.state();
        prop_assert!(state.pairs.is_empty(), "{:?}", state.pairs);
        let left: Vec<_> = state.channels.values().chain(state.streams.values()).collect();
        prop_assert!(left.is_empty(), "{left:?}");
    }
}

#[test]
fn a_claimed_pair_is_left_to_its_run_until_the_claim_lapses() {
    let world = warm(1);
    let claim_until = crate::ports::Clock::now_ms(&world) + 4 * 60_000;
    {
        let mut state = world.state();
        let pair = state.pairs.get_mut(&0).unwrap();
        (pair.state, pair.claim_until) = (PairState::Filling, claim_until);
    }
    assert_eq!(world.check(&keeping(1)).0.warm_pairs, 0);
    assert_eq!(world.check(&keeping(0)).0.warm_pairs, 0);
    assert_eq!(world.state().pairs.len(), 1);
    world.state().now += 4 * MINUTE;
    assert_eq!(world.check(&keeping(1)).0.warm_pairs, 1, "another run continues with it");
    world.assert_repaired(1, "continued");
}
