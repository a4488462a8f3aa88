//! Warm pairs on the fake AWS: health checks that keep them, and what must hold for them.

use super::World;
use crate::{
    PairRules, PairState, PortError, SessionStatus,
    reconcile::{self, Rules, Summary},
};

/// The rules of a health check that keeps `count` warm pairs.
pub(crate) fn keeping(count: u32) -> Rules {
    let pairs = PairRules::scaled(count, 24, None, 1.0);
    Rules { pairs, ..Rules::scaled("test".to_owned(), 1.0) }
}

impl World {
    /// Runs the health check once.
    pub(crate) fn check(&self, rules: &Rules) -> (Summary, Option<PortError>) {
        let check = self.health_check();
        self.run(reconcile::run(&check, rules, None))
    }

    /// Runs health checks as the schedule does, until interrupted work must have been repaired.
    pub(crate) fn repair(&self, rules: &Rules) {
        self.state().plans.clear();
        self.let_time_pass();
        for _ in 0..6 {
            self.state().now += rules.interval;
            let (summary, error) = self.check(rules);
            assert_eq!(error, None, "{summary:?}");
        }
    }

    /// Returns the number of pairs that are ready.
    pub(crate) fn ready_pairs(&self) -> usize {
        self.state().pairs.values().filter(|pair| pair.state == PairState::Ready).count()
    }

    /// Asserts that each pair that is ready is whole and unused, and that each resource belongs to
    /// one pair or one session.
    pub(crate) fn assert_pairs(&self, context: &str) {
        let state = self.state();
        for pair in state.pairs.values().filter(|pair| pair.state == PairState::Ready) {
            let media = pair.media.as_ref().unwrap();
            let (channel, stream) = (&media.kvs_channel_arn, &media.kvs_stream_arn);
            let mapped = state.channels[channel.as_str()].mapped_to.as_deref();
            assert_eq!(mapped, Some(stream.as_str()), "{context}: {pair:?}");
            assert!(state.channels[channel.as_str()].is_stored(), "{context}: {pair:?}");
            assert!(state.streams.contains_key(stream.as_str()), "{context}: {pair:?}");
            assert!(!state.items.contains_key(&pair.session_id), "{context}: used: {pair:?}");
        }
        let pairs: Vec<_> = state.pairs.values().map(|pair| &pair.session_id).collect();
        for resource in state.channels.values().chain(state.streams.values()) {
            let id = &resource.tags.as_ref().unwrap().session_id;
            let of_pairs = pairs.iter().filter(|pair| **pair == id).count();
            let of_sessions = usize::from(state.items.contains_key(id));
            assert_eq!(of_pairs + of_sessions, 1, "{context}: owners of {}", resource.name);
        }
    }

    /// Asserts that after [`World::repair`] there is nothing but active sessions and `count` pairs.
    pub(crate) fn assert_repaired(&self, count: usize, context: &str) {
        self.assert_pairs(context);
        assert_eq!(self.ready_pairs(), count, "{context}");
        let state = self.state();
        let live = |status: SessionStatus| status == SessionStatus::Active;
        let others: Vec<_> = state.items.values().filter(|item| !live(item.status)).collect();
        assert!(others.is_empty(), "{context}: {others:?}");
        let expected = state.items.len() + count;
        let found = (state.channels.len(), state.streams.len());
        assert_eq!(found, (expected, expected), "{context}: channels and streams");
    }
}
