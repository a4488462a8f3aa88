//! Guarantees of `delete` for listeners, and isolation from them.

use super::*;

#[test]
fn they_are_told_that_it_ends_and_nothing_more() {
    let (world, session) = world_with_session();
    world.listen(&session.session_id, "l", 40);
    assert_eq!(delete(&world, &session), Ok(Deleted::Now));
    for number in 0..40 {
        assert_eq!(world.heard(&format!("l-{number}=")), ["sessionEnding"]);
    }
    assert_eq!(world.calls("remove"), 0, "that is the consumer's");
    // No listener is notified twice.
    assert_eq!(delete(&world, &session), Ok(Deleted::Before));
    assert_eq!(world.calls("post"), 40);
}

#[test]
fn one_who_hangs_keeps_nobody_else_from_hearing() {
    let (world, session) = world_with_session();
    world.listen(&session.session_id, "l", 25);
    world.state().hanging.insert("l-3=".to_owned());
    assert_eq!(delete(&world, &session), Ok(Deleted::Now));
    assert!(
        (0..25)
            .filter(|number| *number != 3)
            .all(|number| { world.heard(&format!("l-{number}=")) == ["sessionEnding"] })
    );
}

#[test]
fn a_long_ending_gives_them_no_more_than_two_seconds() {
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
    assert!(last < Limits::default().telling, "{last:?}");
}

#[test]
fn whatever_fails_there_fails_nothing_here() {
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
fn a_session_that_is_not_ended_tells_nobody() {
    let (world, session) = world_with_session();
    world.listen(&session.session_id, "l", 3);
    world.plan_all("end", Trouble::Refused(ErrorKind::Denied));
    delete(&world, &session).unwrap_err();
    assert_eq!(world.calls("post"), 0);
}
