//! What ending a session promises its listeners, and what they cannot do to it.

use super::*;

/// How long a DELETE takes without anybody listening.
fn undisturbed() -> Duration {
    let (world, session) = world_with_session();
    let began = world.state().now;
    delete(&world, &session).unwrap();
    let now = world.state().now;
    now - began
}

#[test]
fn they_are_told_that_it_ends_and_nothing_more() {
    let (world, session) = world_with_session();
    world.listen(&session.session_id, "l", 40);
    assert_eq!(delete(&world, &session), Ok(Deleted::Now));
    for number in 0..40 {
        assert_eq!(world.heard(&format!("l-{number}=")), ["sessionEnding"]);
    }
    assert_eq!(world.calls("remove"), 0, "that is the consumer's");
    // Nobody is told twice.
    assert_eq!(delete(&world, &session), Ok(Deleted::Before));
    assert_eq!(world.calls("post"), 40);
}

#[test]
fn one_who_hangs_delays_the_answer_by_half_a_second_at_most() {
    let (world, session) = world_with_session();
    world.listen(&session.session_id, "l", 25);
    world.state().hanging.insert("l-3=".to_owned());
    let began = world.state().now;
    assert_eq!(delete(&world, &session), Ok(Deleted::Now));
    let took = world.state().now - began;
    assert!(took <= undisturbed() + Limits::default().telling_alone, "{took:?}");
    assert!(
        (0..25)
            .filter(|number| *number != 3)
            .all(|number| { world.heard(&format!("l-{number}=")) == ["sessionEnding"] })
    );
    assert!(world.has_line("Left to the health check: PostToConnection: "));
}

#[test]
fn a_long_ending_gives_them_no_more_than_two_seconds() {
    let (world, session) = world_with_session();
    world.listen(&session.session_id, "l", 1_000);
    let all: Vec<_> = (0..1_000).map(|number| format!("l-{number}=")).collect();
    world.state().hanging.extend(all);
    world.plan_all("delete_channel", Trouble::Refused(FaultKind::Throttled));
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
        Trouble::Refused(FaultKind::Denied),
        Trouble::Refused(FaultKind::Throttled),
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
    world.plan_all("end", Trouble::Refused(FaultKind::Denied));
    delete(&world, &session).unwrap_err();
    assert_eq!(world.calls("post"), 0);
}
