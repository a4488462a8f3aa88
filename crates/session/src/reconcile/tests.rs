//! What each duty does, and what it leaves alone, over the small AWS of the use cases.

use std::time::Duration;

use super::{Rules, Summary};
use crate::{
    Call, EndedReason, ErrorKind, NewSession, PortError, Session, SessionId, SessionStatus,
    StreamItem,
    event::EventStatus,
    fakes::{EPOCH_MS, Trouble, UNREADABLE, World, open},
    ports::Clock,
};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

fn new_session() -> NewSession {
    NewSession {
        speaker_id: "ana".to_owned(),
        source_language: "en".parse().unwrap(),
        target_languages: vec!["de".parse().unwrap()],
        quality_tier: crate::QualityTier::Standard,
    }
}

/// A session that was opened just now.
fn opened(world: &World) -> SessionId {
    let service = world.service();
    let call = Call::default();
    world.run(open(&service, &new_session(), None, &call)).unwrap().session_id
}

/// A session with an active consumer that received its last fragment so long ago.
fn leased(world: &World, silent_for: Duration) -> SessionId {
    let id = opened(world);
    let now = world.now_ms();
    let item = StreamItem {
        owner: Some("run-1".to_owned()),
        epoch: 1,
        lease_expires_at: now + 48 * 3_600_000,
        last_activity_at: Some(now),
        ..StreamItem::default()
    };
    world.state().stream_items.insert(id.clone(), item);
    pass(world, silent_for);
    id
}

fn pass(world: &World, duration: Duration) {
    world.state().now += duration;
}

fn item(world: &World, id: &SessionId) -> Session {
    world.state().items[id].clone()
}

fn check(world: &World) -> (Summary, Option<PortError>) {
    let check = world.health_check();
    world.run(super::run(&check, &Rules::scaled("test".to_owned(), 1.0), None))
}

/// A run that succeeds.
fn checked(world: &World) -> Summary {
    let (summary, error) = check(world);
    assert_eq!(error, None, "{summary:?}");
    summary
}

fn drained(world: &World, id: &SessionId) {
    let lease_expires_at = world.now_ms();
    let item = StreamItem { ended: true, lease_expires_at, ..StreamItem::default() };
    world.state().stream_items.insert(id.clone(), item);
}

/// Channels and streams.
fn resources(world: &World) -> (usize, usize) {
    let state = world.state();
    (state.channels.len(), state.streams.len())
}

fn delete(world: &World, id: &SessionId) {
    let service = world.service();
    let call = Call::default();
    let done = world.run(service.delete(id, "ana", &call)).unwrap();
    world.run(crate::fakes::finished(&service, done)).unwrap();
}

#[test]
fn a_session_with_a_lease_is_counted_and_left_alone() {
    let world = World::new();
    let id = leased(&world, 10 * MINUTE);
    let summary = checked(&world);
    assert_eq!(summary, Summary { active_streams: 1, ..Summary::default() });
    assert_eq!(item(&world, &id).status, SessionStatus::Active);
}

#[test]
fn an_event_that_was_not_emitted_is_emitted_with_its_metrics_once_its_writer_gave_up() {
    let world = World::new();
    world.plan_all("put", Trouble::Refused(ErrorKind::Unavailable));
    let id = opened(&world);
    let failed = world.count("EventEmissionFailure");
    assert_eq!(checked(&world).resent, 0, "its writer may be at it still");
    pass(&world, MINUTE);
    let (summary, error) = check(&world);
    assert_eq!((summary.resent, error.map(|error| error.kind)), (0, Some(ErrorKind::Unavailable)));
    assert_eq!(world.count("EventEmissionFailure"), failed + 1);

    world.state().plans.clear();
    assert_eq!(checked(&world).resent, 1);
    assert!(world.has_line("EventBridge event emitted for session creation"));
    assert_eq!(world.count("EventEmissionSuccess"), 1);
    assert_eq!(item(&world, &id).pending_event, None);
    assert_eq!(checked(&world).resent, 0);
}

#[test]
fn silence_age_and_a_lost_stream_end_a_session_and_emit_its_end() {
    for (silent_for, age, stream_ended, reason) in [
        (HOUR, HOUR, false, EndedReason::Inactive),
        (MINUTE, 24 * HOUR, false, EndedReason::Expired),
        (MINUTE, 5 * MINUTE, true, EndedReason::Lost),
    ] {
        let world = World::new();
        let id = leased(&world, Duration::ZERO);
        pass(&world, age);
        {
            let now = world.now_ms();
            let mut state = world.state();
            let item = state.stream_items.get_mut(&id).unwrap();
            item.last_activity_at = Some(now - u64::try_from(silent_for.as_millis()).unwrap());
            item.ended = stream_ended;
        }
        assert_eq!(checked(&world).ended, 1, "{reason:?}");
        let session = item(&world, &id);
        assert_eq!((session.status, session.ended_reason), (SessionStatus::Ended, Some(reason)));
        let last = world.state().events.last().unwrap().0.clone();
        assert_eq!((last.session_id, last.status), (id, EventStatus::Ended));
        assert_eq!(session.pending_event, None);
    }
}

#[test]
fn a_session_without_a_consumer_is_started_and_an_ended_one_is_drained() {
    let world = World::new();
    let id = opened(&world);
    assert_eq!(checked(&world).restarted, 0, "its event is on the way");
    pass(&world, 5 * MINUTE);
    assert_eq!(checked(&world).restarted, 1);
    delete(&world, &id);
    pass(&world, 5 * MINUTE);
    assert_eq!(checked(&world).restarted, 1);
    assert_eq!(world.state().invoked, [(id.clone(), "start"), (id, "stop")]);
}

#[test]
fn a_lapsed_lease_is_restarted_only_beyond_its_margin() {
    let world = World::new();
    let id = leased(&world, 5 * MINUTE);
    let lapsed = world.now_ms() - 4_000;
    world.state().stream_items.get_mut(&id).unwrap().lease_expires_at = lapsed;
    assert_eq!(checked(&world).restarted, 0);
    pass(&world, Duration::from_secs(2));
    assert_eq!(checked(&world).restarted, 1);
}

#[test]
fn a_session_with_an_unreadable_checkpoint_is_not_restarted() {
    let world = World::new();
    let id = opened(&world);
    let checkpoint = Some(UNREADABLE.to_owned());
    let item = StreamItem { checkpoint, ..StreamItem::default() };
    world.state().stream_items.insert(id, item);
    pass(&world, 5 * MINUTE);
    let summary = checked(&world);
    assert_eq!((summary.unreadable, summary.restarted), (1, 0));
}

#[test]
fn records_that_cannot_be_read_are_counted_once_each() {
    let world = World::new();
    opened(&world);
    opened(&world);
    pass(&world, 5 * MINUTE);
    world.plan_all("get", Trouble::Refused(ErrorKind::Invalid));
    assert_eq!(checked(&world), Summary { unreadable_records: 2, ..Summary::default() });
}

#[test]
fn one_failure_does_not_stop_other_sessions_or_duties() {
    let world = World::new();
    let first = opened(&world);
    let second = opened(&world);
    pass(&world, 5 * MINUTE);
    world.plan("invoke", 0, Trouble::Refused(ErrorKind::Throttled));
    let (summary, error) = check(&world);
    assert_eq!((summary.restarted, error.map(|error| error.kind)), (1, Some(ErrorKind::Throttled)));
    let invoked = world.state().invoked.clone();
    assert!([first, second].contains(&invoked[0].0) && invoked.len() == 1, "{invoked:?}");
}

#[test]
fn a_drained_session_keeps_its_stream_for_a_while_and_is_then_removed() {
    let world = World::new();
    let id = opened(&world);
    delete(&world, &id);
    drained(&world, &id);
    pass(&world, 59 * MINUTE);
    assert_eq!(checked(&world).cleaned, 0);
    assert_eq!(resources(&world), (0, 1));
    pass(&world, 2 * MINUTE);
    assert_eq!(checked(&world).cleaned, 1);
    assert_eq!(world.state().streams.len(), 0);
    assert_eq!(item(&world, &id).status, SessionStatus::Removed);
    assert_eq!(world.state().expiring, [id]);
}

#[test]
fn a_stream_is_kept_while_a_dead_letter_names_its_session() {
    let world = World::new();
    let id = opened(&world);
    delete(&world, &id);
    drained(&world, &id);
    pass(&world, 2 * HOUR);
    world.state().letters.chunks.push(format!("{{\"sessionId\":\"{id}\"}}"));
    assert_eq!(checked(&world).cleaned, 0);
    world.state().letters.chunks.clear();
    assert_eq!(checked(&world).cleaned, 1);
}

#[test]
fn a_stream_that_is_not_drained_is_never_removed() {
    let world = World::new();
    let id = opened(&world);
    delete(&world, &id);
    world.state().stream_items.insert(id.clone(), StreamItem::default());
    pass(&world, 48 * HOUR);
    let summary = checked(&world);
    assert_eq!((summary.cleaned, summary.restarted), (0, 1));
    assert_eq!(world.state().streams.len(), 1);
}

#[test]
fn an_interrupted_creation_is_removed_with_its_resources() {
    for calls in 3..12 {
        let world = World::new();
        let service = world.service();
        let (new, call) = (new_session(), Call::default());
        let creation = open(&service, &new, None, &call);
        if world.run_for(creation, calls).is_some() {
            continue;
        }
        world.let_time_pass();
        pass(&world, 10 * MINUTE);
        let creating = world.state().items.values().any(|s| s.status == SessionStatus::Creating);
        let summary = checked(&world);
        assert_eq!(summary.cleaned, u64::from(creating), "{calls}");
        if creating {
            let state = world.state();
            assert!(state.items.is_empty() && state.channels.is_empty(), "{calls}");
            assert!(state.streams.is_empty(), "{calls}");
        }
    }
}

#[test]
fn resources_with_tags_of_another_session_are_not_deleted() {
    let world = World::new();
    let id = opened(&world);
    delete(&world, &id);
    drained(&world, &id);
    let other = opened(&world);
    for stream in world.state().streams.values_mut() {
        let tags = stream.tags.as_mut().unwrap();
        tags.session_id = other.clone();
    }
    drained(&world, &other);
    pass(&world, 61 * MINUTE);
    checked(&world);
    assert_eq!(world.state().streams.len(), 2, "streams that are tagged as another session's stay");
}

#[test]
fn a_claimed_session_is_left_until_its_claim_has_lapsed() {
    let world = World::new();
    let id = opened(&world);
    delete(&world, &id);
    drained(&world, &id);
    pass(&world, 2 * HOUR);
    world.plan("claim", 0, Trouble::AnswerLost);
    let (summary, error) = check(&world);
    assert!(summary.cleaned == 0 && error.is_some());
    pass(&world, 9 * MINUTE);
    assert_eq!(checked(&world).cleaned, 0);
    pass(&world, 4 * MINUTE);
    assert_eq!(checked(&world).cleaned, 1);
    assert!(item(&world, &id).updated_at > EPOCH_MS);
}

#[test]
fn a_pair_without_a_session_is_removed_once_both_are_old() {
    let world = World::new();
    let id = opened(&world);
    world.state().lose_item(&id);
    let created_at = world.state().now;
    let channel_delay = 2 * HOUR;
    for channel in world.state().channels.values_mut() {
        channel.created_at = created_at + channel_delay;
    }
    let rules = Rules::scaled("test".to_owned(), 1.0);
    while world.state().streams.len() == 1 {
        let now = world.state().now;
        assert!(now < created_at + 6 * HOUR, "not removed");
        checked(&world);
        let is_old = now > created_at + channel_delay + rules.stream_keep;
        assert!(is_old || resources(&world) == (1, 1), "removed {now:?} after the start");
        pass(&world, rules.interval);
    }
    assert_eq!(resources(&world), (0, 0));
}
