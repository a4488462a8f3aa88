//! The time of a creation and of its compensation is limited.

use super::*;

#[test]
fn a_shorter_invocation_still_compensates() {
    let world = World::new();
    world.plan_all("endpoints", Trouble::Hangs);
    let remaining = Duration::from_secs(10);
    let call = Call { limits: Limits::default().within(remaining), trace_header: None };
    let result = world.run(open(&world.service(), &new(), None, &call));
    assert!(result.is_err());
    let state = world.state();
    assert!(state.now < remaining, "took {:?}", state.now);
    assert!(state.channels.is_empty() && state.streams.is_empty() && state.items.is_empty());
}

#[test]
fn a_mapping_that_ends_with_a_delay_is_compensated_in_time() {
    let world = World::new();
    world.state().unmapped_after = Duration::from_millis(1_500);
    world.plan_all("endpoints", Trouble::Refused(ErrorKind::Denied));
    create(&world).unwrap_err();
    assert!(world.calls("delete_channel") > 1, "the first was refused");
    let state = world.state();
    assert!(state.channels.is_empty() && state.streams.is_empty() && state.items.is_empty());
}

#[test]
fn a_mapping_that_cannot_be_removed_keeps_channel_stream_and_item() {
    let world = World::new();
    for operation in ["endpoints", "disable_storage"] {
        world.plan_all(operation, Trouble::Refused(ErrorKind::Denied));
    }
    create(&world).unwrap_err();
    assert!(world.calls("delete_channel") > 1 && world.calls("delete_stream") > 1);
    let state = world.state();
    assert_eq!((state.channels.len(), state.streams.len()), (1, 1));
    assert!(state.items.values().all(|item| item.status == SessionStatus::Creating));
    assert_eq!(state.items.len(), 1);
}
