//! The calls, and those that fail as a test plans.

use std::time::Duration;

use super::World;
use super::state::{Late, State};
use crate::ports::Clock as _;
use crate::{ErrorKind, PortError};

/// An injected failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Rejected without effect.
    Refused(ErrorKind),
    /// Takes effect, but returns an error.
    AnswerLost,
    /// The first response is lost and the SDK retries the call: two effects, the response of the
    /// second.
    Repeated,
    /// Has no effect and never returns.
    Hangs,
    /// Takes effect and never returns.
    HangsAfterEffect,
    /// Never returns, and takes effect five seconds later.
    LateEffect,
}

/// The calls that fail.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlannedFailure {
    pub(crate) operation: &'static str,
    /// Index of the first failing call of the operation, from 0.
    pub(crate) first: usize,
    /// Number of consecutive failures.
    pub(crate) count: usize,
    pub(crate) trouble: Trouble,
}

impl World {
    pub(crate) fn plan(&self, operation: &'static str, first: usize, trouble: Trouble) {
        self.state().plans.push(PlannedFailure { operation, first, count: 1, trouble });
    }

    pub(crate) fn plan_all(&self, operation: &'static str, trouble: Trouble) {
        self.state().plans.push(PlannedFailure { operation, first: 0, count: usize::MAX, trouble });
    }

    /// Performs one call: records it, yields once, and then takes effect or fails as planned.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        operation: &'static str,
        effect: impl Fn(&mut State) -> Result<T, PortError> + Send + 'static,
    ) -> Result<T, PortError> {
        let trouble = {
            let mut state = self.state();
            let number = state.calls.iter().filter(|(name, _)| *name == operation).count();
            let now = state.now;
            state.calls.push((operation, now));
            let hit = |plan: &&PlannedFailure| {
                plan.operation == operation
                    && number >= plan.first
                    && number - plan.first < plan.count
            };
            state.plans.iter().find(hit).map(|plan| plan.trouble)
        };
        // A call takes a millisecond, so that a crash can happen during it.
        self.sleep(Duration::from_millis(1)).await;
        let lost = || PortError::new(operation, ErrorKind::Unavailable, "answer lost");
        match trouble {
            None => self.apply(&effect),
            Some(Trouble::Refused(kind)) => Err(PortError::new(operation, kind, "planned")),
            Some(Trouble::AnswerLost) => self.apply(&effect).and_then(|_| Err(lost())),
            Some(Trouble::Repeated) => {
                let _ = self.apply(&effect);
                self.apply(&effect)
            }
            Some(Trouble::Hangs) => self.hang().await,
            Some(Trouble::HangsAfterEffect) => {
                let _ = self.apply(&effect);
                self.hang().await
            }
            Some(Trouble::LateEffect) => {
                self.apply_later(Box::new(move |state| drop(effect(state))));
                self.hang().await
            }
        }
    }

    fn apply<T>(
        &self,
        effect: &impl Fn(&mut State) -> Result<T, PortError>,
    ) -> Result<T, PortError> {
        let mut state = self.state();
        let result = effect(&mut state);
        state.assert_resources_have_items();
        result
    }

    fn apply_later(&self, effect: Late) {
        let mut state = self.state();
        let at = state.now + Duration::from_secs(5);
        state.late.push((at, effect));
    }

    async fn hang<T>(&self) -> T {
        std::future::pending().await
    }
}
