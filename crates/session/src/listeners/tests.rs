//! Guarantees of notifying listeners.

use super::*;
use crate::{
    ErrorKind,
    fakes::{EPOCH_MS, Trouble, World},
};

fn session_id() -> SessionId {
    "blessed-shepherd-123".parse().unwrap()
}

fn budget() -> NotifyBudget {
    let (total, per_listener) = (Duration::from_secs(30), Duration::from_secs(5));
    NotifyBudget { total, per_listener, limits: Limits::default() }
}

fn notified(world: &World, notification: Notification) -> NotifySummary {
    world.run(notify(world, world, &session_id(), notification, &budget()))
}

#[test]
fn every_listener_gets_session_ending_once_and_keeps_its_item() {
    let world = World::new();
    world.listen(&session_id(), "l", 25);
    assert_eq!(
        notified(&world, Notification::Ending),
        NotifySummary { notified: 25, gone: 0, removed: 0, failed: 0 }
    );
    for number in 0..25 {
        let connection = format!("l-{number}=");
        let message = json!({
            "type": "sessionEnding", "sessionId": "blessed-shepherd-123",
            "timestamp": EPOCH_MS,
        });
        assert_eq!(world.state().messages[&connection], [message]);
    }
    assert_eq!(world.listening(&session_id()), 25);
    assert!(
        world.has_line(
            "Listeners notified of sessionEnding: 25, gone: 0, only removed: 0, failed: 0"
        )
    );
}

#[test]
fn every_listener_gets_session_ended_and_its_item_is_deleted() {
    let world = World::new();
    world.listen(&session_id(), "l", 25);
    world.state().gone.insert("l-7=".to_owned());
    assert_eq!(
        notified(&world, Notification::Ended),
        NotifySummary { notified: 24, gone: 1, removed: 0, failed: 0 }
    );
    assert_eq!(world.message_types("l-1="), ["sessionEnded"]);
    assert_eq!(world.listening(&session_id()), 0, "the item of a gone connection is deleted too");
    // A second run finds no items and writes no log line.
    world.state().lines.clear();
    assert_eq!(notified(&world, Notification::Ended), NotifySummary::default());
    assert!(world.state().lines.is_empty());
}

#[test]
fn concurrency_is_bounded_and_all_pages_are_read() {
    let world = World::new();
    world.listen(&session_id(), "l", 2 * PAGE + 3);
    assert_eq!(notified(&world, Notification::Ended).notified, 2 * PAGE + 3);
    assert_eq!(world.state().posting, (0, AT_ONCE));
    // The query after the last page returns an empty page.
    assert_eq!(world.calls("page"), 4);
}

#[test]
fn pages_beyond_the_limit_are_left_to_the_next_run() {
    let world = World::new();
    world.listen(&session_id(), "l", PAGES * PAGE + 7);
    let total = Duration::from_secs(600);
    let budget = NotifyBudget { total, ..budget() };
    let summary = world.run(notify(&world, &world, &session_id(), Notification::Ended, &budget));
    assert_eq!((summary.notified, world.listening(&session_id())), (PAGES * PAGE, 7));
}

#[test]
fn a_hanging_connection_does_not_delay_the_others() {
    let world = World::new();
    world.listen(&session_id(), "l", 100);
    world.state().hanging.extend((0..3).map(|number| format!("l-{number}=")));
    assert_eq!(
        notified(&world, Notification::Ended),
        NotifySummary { notified: 97, gone: 0, removed: 0, failed: 3 }
    );
    let took = world.state().now;
    assert!(took < budget().per_listener + Duration::from_secs(1), "{took:?}");
    assert_eq!(world.listening(&session_id()), 3, "the items of failed listeners are kept");
    assert_eq!(world.count("ListenersNotNotified"), 1);
}

#[test]
fn the_total_time_is_bounded_if_every_connection_hangs() {
    let world = World::new();
    world.listen(&session_id(), "l", 1_000);
    let hanging: Vec<_> = (0..1_000).map(|number| format!("l-{number}=")).collect();
    world.state().hanging.extend(hanging);
    let summary = notified(&world, Notification::Ended);
    assert_eq!(summary.notified, 0);
    assert_eq!(world.state().now, budget().total);
    assert_eq!(world.listening(&session_id()), 1_000);
}

#[test]
fn a_transient_error_is_retried() {
    for trouble in
        [Trouble::Refused(ErrorKind::Throttled), Trouble::Refused(ErrorKind::Unavailable)]
    {
        let world = World::new();
        world.listen(&session_id(), "l", 5);
        for operation in ["page", "post", "remove"] {
            world.plan(operation, 0, trouble);
        }
        assert_eq!(
            notified(&world, Notification::Ended),
            NotifySummary { notified: 5, gone: 0, removed: 0, failed: 0 },
            "{trouble:?}"
        );
        assert_eq!(world.listening(&session_id()), 0);
        assert!((0..5).all(|number| world.message_types(&format!("l-{number}=")).len() == 1));
    }
}

#[test]
fn a_permanent_error_keeps_the_items() {
    for trouble in [Trouble::Refused(ErrorKind::Denied), Trouble::Refused(ErrorKind::Throttled)] {
        for operation in ["page", "post", "remove"] {
            let world = World::new();
            world.listen(&session_id(), "l", 5);
            world.plan_all(operation, trouble);
            assert_eq!(notified(&world, Notification::Ended).notified, 0, "{operation}");
            assert_eq!(world.listening(&session_id()), 5, "{operation}");
            assert!(world.state().now <= budget().total);
            // A listener whose item could not be deleted was notified, and will be again.
            let sent = usize::from(operation == "remove");
            assert_eq!(world.message_types("l-1=").len(), sent, "{operation}");
        }
    }
}

#[test]
fn without_an_endpoint_items_are_only_deleted() {
    let world = World::new();
    world.listen(&session_id(), "l", 5);
    world.state().mute = true;
    assert_eq!(notified(&world, Notification::Ending), NotifySummary::default());
    assert_eq!((world.calls("page"), world.listening(&session_id())), (0, 5));
    let all = NotifySummary { removed: 5, ..NotifySummary::default() };
    assert_eq!(notified(&world, Notification::Ended), all);
    assert_eq!((world.calls("post"), world.listening(&session_id())), (0, 0));
}

#[test]
fn delete_all_sends_no_message() {
    let world = World::new();
    world.listen(&session_id(), "l", 5);
    let summary = world.run(delete_all(&world, &world, &session_id(), &budget()));
    assert_eq!(summary, NotifySummary { removed: 5, ..NotifySummary::default() });
    assert_eq!((world.calls("post"), world.listening(&session_id())), (0, 0));
}
