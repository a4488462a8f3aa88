//! Guarantees of `delete` for listeners, and isolation from them.

use super::*;

#[test]
fn listeners_get_session_ending_only() {
    let (world, session) = world_with_session();
    world.listen(&session.session_id, "l", 40);
    assert_eq!(delete(&world, &session), Ok(Deleted::Now));
    for number in 0..40 {
        assert_eq!(world.message_types(&format!("l-{number}=")), ["sessionEnding"]);
    }
    assert_eq!(world.calls("remove"), 0, "that is the consumer's");
    // No listener is notified twice.
    assert_eq!(delete(&world, &session), Ok(Deleted::Before));
    assert_eq!(world.calls("post"), 40);
}

#[test]
fn a_hanging_listener_does_not_delay_the_others() {
    let (world, session) = world_with_session();
    world.listen(&session.session_id, "l", 25);
    world.state().hanging.insert("l-3=".to_owned());
    assert_eq!(delete(&world, &session), Ok(Deleted::Now));
    assert!(
        (0..25)
            .filter(|number| *number != 3)
            .all(|number| { world.message_types(&format!("l-{number}=")) == ["sessionEnding"] })
    );
}

#[test]
fn notification_of_the_end_takes_at_most_two_seconds() {
    let (world, session) = world_with_session();
    world.listen(&session.session_id, "l", 1_000);
    let all: Vec<_> = (0..1_000).map(|number| format!("l-{number}=")).collect();
    world.state().hanging.extend(all);
    world.plan_all("delete_channel", Trouble::Refused(ErrorKind::Throttled));
    let began = world.state().now;
    assert_eq!(delete(&world, &session), Ok(Deleted::Now));
    let posts: Vec<_> =
        world.state().calls.iter().filter(|call| call.0 == "post").copied().collect();
    let last = posts.last().unwrap().1 - began;
    assert!(last < Limits::default().notification, "{last:?}");
}

#[test]
fn failures_of_listeners_do_not_fail_the_request() {
    for trouble in [
        Trouble::Refused(ErrorKind::Denied),
        Trouble::Refused(ErrorKind::Throttled),
        Trouble::AnswerLost,
        Trouble::Hangs,
    ] {
        for operation in ["page", "post"] {
            let (world, session) = world_with_session();
            world.listen(&session.session_id, "l", 3);
            world.plan_all(operation, trouble);
            assert_eq!(delete(&world, &session), Ok(Deleted::Now), "{operation} {trouble:?}");
            assert_eq!(world.count("EventEmissionSuccess"), 1);
            assert!(world.state().channels.is_empty());
        }
    }
}

#[test]
fn a_delete_that_fails_notifies_no_listeners() {
    let (world, session) = world_with_session();
    world.listen(&session.session_id, "l", 3);
    world.plan_all("end", Trouble::Refused(ErrorKind::Denied));
    delete(&world, &session).unwrap_err();
    assert_eq!(world.calls("post"), 0);
}
