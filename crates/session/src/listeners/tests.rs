//! Guarantees of notifying listeners.

use super::*;
use crate::{
    ErrorKind,
    fakes::{EPOCH_MS, Trouble, World},
};

fn session_id() -> SessionId {
    "blessed-shepherd-123".parse().unwrap()
}

fn patience() -> Patience {
    let (all, each) = (Duration::from_secs(30), Duration::from_secs(5));
    Patience { all, each, limits: Limits::default() }
}

fn told(world: &World, news: News) -> Told {
    world.run(tell(world, world, &session_id(), news, &patience()))
}

#[test]
fn each_hears_once_that_it_ends_and_keeps_its_item() {
    let world = World::new();
    world.listen(&session_id(), "l", 25);
    assert_eq!(told(&world, News::Ending), Told { told: 25, gone: 0, removed: 0, left: 0 });
    for number in 0..25 {
        let connection = format!("l-{number}=");
        let message = json!({
            "type": "sessionEnding", "sessionId": "blessed-shepherd-123",
            "timestamp": EPOCH_MS,
        });
        assert_eq!(world.state().heard[&connection], [message]);
    }
    assert_eq!(world.listening(&session_id()), 25);
    assert!(world.has_line("Listeners told sessionEnding: 25, gone: 0, only removed: 0, left: 0"));
}

#[test]
fn each_hears_that_it_has_ended_and_its_item_goes() {
    let world = World::new();
    world.listen(&session_id(), "l", 25);
    world.state().gone.insert("l-7=".to_owned());
    assert_eq!(told(&world, News::Ended), Told { told: 24, gone: 1, removed: 0, left: 0 });
    assert_eq!(world.heard("l-1="), ["sessionEnded"]);
    assert_eq!(world.listening(&session_id()), 0, "the gone one's item goes too");
    // A second run finds no items and writes no log line.
    world.state().lines.clear();
    assert_eq!(told(&world, News::Ended), Told::default());
    assert!(world.state().lines.is_empty());
}

#[test]
fn only_so_many_are_told_at_a_time_and_all_pages_are_read() {
    let world = World::new();
    world.listen(&session_id(), "l", 2 * PAGE + 3);
    assert_eq!(told(&world, News::Ended).told, 2 * PAGE + 3);
    assert_eq!(world.state().posting, (0, AT_ONCE));
    // The query after the last page returns an empty page.
    assert_eq!(world.calls("page"), 4);
}

#[test]
fn more_than_so_many_pages_are_left_to_the_next_time() {
    let world = World::new();
    world.listen(&session_id(), "l", PAGES * PAGE + 7);
    let all = Duration::from_secs(600);
    let patience = Patience { all, ..patience() };
    let told = world.run(tell(&world, &world, &session_id(), News::Ended, &patience));
    assert_eq!((told.told, world.listening(&session_id())), (PAGES * PAGE, 7));
}

#[test]
fn who_does_not_take_a_message_holds_up_nobody() {
    let world = World::new();
    world.listen(&session_id(), "l", 100);
    world.state().hanging.extend((0..3).map(|number| format!("l-{number}=")));
    assert_eq!(told(&world, News::Ended), Told { told: 97, gone: 0, removed: 0, left: 3 });
    let took = world.state().now;
    assert!(took < patience().each + Duration::from_secs(1), "{took:?}");
    assert_eq!(world.listening(&session_id()), 3, "those who were not told are found again");
    assert_eq!(world.count("ListenersNotTold"), 1);
}

#[test]
fn all_of_it_ends_in_time_whoever_hangs() {
    let world = World::new();
    world.listen(&session_id(), "l", 1_000);
    let hanging: Vec<_> = (0..1_000).map(|number| format!("l-{number}=")).collect();
    world.state().hanging.extend(hanging);
    let told = told(&world, News::Ended);
    assert_eq!(told.told, 0);
    assert_eq!(world.state().now, patience().all);
    assert_eq!(world.listening(&session_id()), 1_000);
}

#[test]
fn trouble_that_passes_is_waited_for() {
    for trouble in
        [Trouble::Refused(ErrorKind::Throttled), Trouble::Refused(ErrorKind::Unavailable)]
    {
        let world = World::new();
        world.listen(&session_id(), "l", 5);
        for operation in ["page", "post", "remove"] {
            world.plan(operation, 0, trouble);
        }
        assert_eq!(
            told(&world, News::Ended),
            Told { told: 5, gone: 0, removed: 0, left: 0 },
            "{trouble:?}"
        );
        assert_eq!(world.listening(&session_id()), 0);
        assert!((0..5).all(|number| world.heard(&format!("l-{number}=")).len() == 1));
    }
}

#[test]
fn trouble_that_stays_leaves_the_items() {
    for trouble in [Trouble::Refused(ErrorKind::Denied), Trouble::Refused(ErrorKind::Throttled)] {
        for operation in ["page", "post", "remove"] {
            let world = World::new();
            world.listen(&session_id(), "l", 5);
            world.plan_all(operation, trouble);
            assert_eq!(told(&world, News::Ended).told, 0, "{operation}");
            assert_eq!(world.listening(&session_id()), 5, "{operation}");
            assert!(world.state().now <= patience().all);
            // A listener whose item could not be deleted was notified, and will be again.
            let heard = usize::from(operation == "remove");
            assert_eq!(world.heard("l-1=").len(), heard, "{operation}");
        }
    }
}

#[test]
fn without_an_endpoint_items_are_only_removed() {
    let world = World::new();
    world.listen(&session_id(), "l", 5);
    world.state().mute = true;
    assert_eq!(told(&world, News::Ending), Told::default());
    assert_eq!((world.calls("page"), world.listening(&session_id())), (0, 5));
    let all = Told { removed: 5, ..Told::default() };
    assert_eq!(told(&world, News::Ended), all);
    assert_eq!((world.calls("post"), world.listening(&session_id())), (0, 0));
}

#[test]
fn forgetting_tells_nobody() {
    let world = World::new();
    world.listen(&session_id(), "l", 5);
    let forgotten = world.run(forget(&world, &world, &session_id(), &patience()));
    assert_eq!(forgotten, Told { removed: 5, ..Told::default() });
    assert_eq!((world.calls("post"), world.listening(&session_id())), (0, 0));
}
