//! Whether the worker can take more sessions. A worker without capacity receives nothing, and the
//! messages stay visible to the others.

use tokio::sync::watch;

use crate::load::Load;
use crate::sessions::Sessions;

/// The bounds beyond which a worker receives nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bounds {
    /// Number of sessions.
    pub(crate) sessions: usize,
    /// Share of its CPU.
    pub(crate) cpu: f64,
    /// Share of its memory.
    pub(crate) memory: f64,
}

impl Bounds {
    /// Returns how many more sessions the worker can take.
    fn free(&self, sessions: usize, load: Load) -> usize {
        let is_over = |used: Option<f64>, bound: f64| used.is_some_and(|used| used > bound);
        match is_over(load.cpu, self.cpu) || is_over(load.memory, self.memory) {
            true => 0,
            false => self.sessions.saturating_sub(sessions),
        }
    }
}

/// The capacity of this worker at the moment.
#[derive(Debug, Clone)]
pub(crate) struct Capacity {
    bounds: Bounds,
    sessions: Sessions,
    load: watch::Sender<Load>,
}

impl Capacity {
    pub(crate) fn new(bounds: Bounds, sessions: Sessions) -> Self {
        Self { bounds, sessions, load: watch::Sender::default() }
    }

    /// Records a measurement.
    pub(crate) fn set_load(&self, load: Load) {
        self.load.send_replace(load);
    }

    /// Returns the last measurement.
    pub(crate) fn load(&self) -> Load {
        *self.load.borrow()
    }

    /// Returns the number of sessions.
    pub(crate) fn sessions(&self) -> usize {
        self.sessions.count()
    }

    /// Returns how many more sessions the worker can take.
    pub(crate) fn free(&self) -> usize {
        self.bounds.free(self.sessions(), self.load())
    }

    /// Waits until the worker can take more sessions, and returns how many.
    pub(crate) async fn available(&self) -> usize {
        let (mut sessions, mut load) = (self.sessions.subscribe(), self.load.subscribe());
        loop {
            sessions.mark_unchanged();
            load.mark_unchanged();
            match self.free() {
                0 => {}
                free => return free,
            }
            // Neither can fail: the senders are in `self`.
            tokio::select! {
                _ = sessions.changed() => {}
                _ = load.changed() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { sessions: 3, cpu: 0.75, memory: 0.8 };

    fn load(cpu: f64, memory: f64) -> Load {
        Load { cpu: Some(cpu), memory: Some(memory) }
    }

    #[test]
    fn each_bound_alone_leaves_no_capacity() {
        assert_eq!(BOUNDS.free(1, load(0.75, 0.8)), 2);
        assert_eq!(BOUNDS.free(3, load(0.0, 0.0)), 0);
        assert_eq!(BOUNDS.free(5, load(0.0, 0.0)), 0);
        assert_eq!(BOUNDS.free(0, load(0.76, 0.0)), 0);
        assert_eq!(BOUNDS.free(0, load(0.0, 0.81)), 0);
        assert_eq!(BOUNDS.free(0, Load::default()), 3, "what cannot be measured is no bound");
    }

    #[tokio::test(start_paused = true)]
    async fn capacity_comes_back_when_a_session_ends_or_the_load_falls() {
        let sessions = Sessions::default();
        let capacity = Capacity::new(Bounds { sessions: 1, ..BOUNDS }, sessions.clone());
        let run = sessions.begin();
        let waiting = tokio::spawn({
            let capacity = capacity.clone();
            async move { capacity.available().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        capacity.set_load(load(0.9, 0.1));
        drop(run);
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished(), "the CPU is in use");
        capacity.set_load(load(0.5, 0.1));
        assert_eq!(waiting.await.unwrap(), 1);
    }
}
