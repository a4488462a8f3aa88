//! Virtual time, which passes when nothing else can happen.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Wake, Waker};

use tokio::time::Instant;

use super::World;
use crate::ports::Clock;

/// Start of virtual time, Unix ms.
pub(crate) const EPOCH_MS: u64 = 1_732_540_620_000;

/// The instant at which every world's time is zero.
static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);

impl World {
    /// Runs a future to completion. Virtual time advances when the future only waits for time.
    pub(crate) fn run<T>(&self, future: impl Future<Output = T>) -> T {
        let Some(value) = self.run_for(future, usize::MAX) else { unreachable!() };
        value
    }

    /// Runs a future until `calls` calls have started, and then drops it to simulate a crash.
    pub(crate) fn run_for<T>(&self, future: impl Future<Output = T>, calls: usize) -> Option<T> {
        let woken = Arc::new(Flag(AtomicBool::new(true)));
        let waker = Waker::from(woken.clone());
        let mut context = Context::from_waker(&waker);
        let mut future = pin!(future);
        loop {
            while woken.0.swap(false, Ordering::Relaxed) {
                if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
                    return Some(value);
                }
                if self.state().calls.len() >= calls {
                    return None;
                }
            }
            self.pass_time();
        }
    }

    /// Advances virtual time to the next event.
    fn pass_time(&self) {
        let mut state = self.state();
        let wakes = state.sleepers.iter().map(|(at, _)| *at);
        let effects = state.late.iter().map(|(at, _)| *at);
        let next = wakes.chain(effects).min().expect("no future waits for time");
        state.now = state.now.max(next);
        let now = state.now;
        let (due, later): (Vec<_>, Vec<_>) =
            state.sleepers.drain(..).partition(|(at, _)| *at <= now);
        state.sleepers = later;
        let (effects, later): (Vec<_>, Vec<_>) =
            state.late.drain(..).partition(|(at, _)| *at <= now);
        state.late = later;
        for (_, effect) in effects {
            effect(&mut state);
            state.assert_resources_have_items();
        }
        drop(state);
        for (_, waker) in due {
            waker.wake();
        }
    }

    /// Applies all delayed effects.
    pub(crate) fn let_time_pass(&self) {
        let mut state = self.state();
        for (at, effect) in std::mem::take(&mut state.late) {
            state.now = state.now.max(at);
            effect(&mut state);
            state.assert_resources_have_items();
        }
    }
}

impl Clock for World {
    fn now_ms(&self) -> u64 {
        EPOCH_MS + u64::try_from(self.state().now.as_millis()).unwrap()
    }

    fn instant(&self) -> Instant {
        *BEGUN + self.state().now
    }

    async fn sleep_until(&self, instant: Instant) {
        let until = instant - *BEGUN;
        std::future::poll_fn(|context| {
            let mut state = self.state();
            if state.now >= until {
                return Poll::Ready(());
            }
            state.sleepers.push((until, context.waker().clone()));
            Poll::Pending
        })
        .await;
    }
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}
