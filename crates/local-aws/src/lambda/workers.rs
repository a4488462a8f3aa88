//! The runtime workers of one process on managed instances: each takes one invocation at a time,
//! and all of them run at once.
//!
//! A worker is a request for the next invocation that waits. As AWS documents, Lambda gives a
//! process no more invocations than it has workers that wait, and an invocation that outlives its
//! timeout keeps its worker, because it is not interrupted:
//! <https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-execution-environment.html>.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::job::{InvocationGuard, Job, Outcome};

/// The workers of one process.
#[derive(Debug)]
pub(super) struct RuntimeWorkers {
    max_concurrency: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The workers that wait, longest first. One whose request has ended is closed.
    waiting: VecDeque<oneshot::Sender<Job>>,
    /// Claimed for invocations that have not been handed over.
    claimed: usize,
    /// Handed over while no worker waited.
    left: VecDeque<Job>,
    /// The invocations that the workers run, by request id.
    running: HashMap<String, (InvocationGuard, oneshot::Sender<Outcome>)>,
}

impl RuntimeWorkers {
    /// Creates the workers of a process that runs at most `max_concurrency` invocations at once.
    pub(super) fn new(max_concurrency: u32) -> Self {
        let max_concurrency = usize::try_from(max_concurrency).unwrap_or(usize::MAX);
        Self { max_concurrency, state: Mutex::default() }
    }

    /// Claims a worker for an invocation. Returns false if none waits.
    pub(super) fn claim(&self) -> bool {
        let mut state = self.state();
        state.waiting.retain(|worker| !worker.is_closed());
        let is_free = state.claimed < state.waiting.len()
            && state.claimed + state.running.len() < self.max_concurrency;
        state.claimed += usize::from(is_free);
        is_free
    }

    /// Hands the invocation of a claim to a worker.
    pub(super) fn give(&self, job: Job, guard: InvocationGuard, answer: oneshot::Sender<Outcome>) {
        let mut state = self.state();
        state.claimed = state.claimed.saturating_sub(1);
        state.running.insert(job.invocation.request_id.clone(), (guard, answer));
        state.hand_over(job);
    }

    /// Waits for the next invocation of a worker.
    pub(super) async fn next(&self) -> Option<Job> {
        let (worker, job) = oneshot::channel();
        {
            let mut state = self.state();
            if let Some(job) = state.left.pop_front() {
                return Some(job);
            }
            state.waiting.push_back(worker);
        }
        job.await.ok()
    }

    /// Takes the outcome of an invocation. Returns false if no worker runs it.
    pub(super) fn finish(&self, request_id: &str, outcome: Outcome) -> bool {
        let Some((_guard, answer)) = self.state().running.remove(request_id) else { return false };
        // The receiver is gone when the invocation has timed out.
        let _ = answer.send(outcome);
        true
    }

    /// Drops every invocation, because the process has exited.
    pub(super) fn stop(&self) {
        *self.state() = State::default();
    }

    /// Returns how many invocations the process runs or is about to run.
    pub(super) fn running(&self) -> usize {
        let state = self.state();
        state.running.len() + state.claimed
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn hand_over(&mut self, mut job: Job) {
        while let Some(worker) = self.waiting.pop_front() {
            match worker.send(job) {
                Ok(()) => return,
                // Its request has ended.
                Err(back) => job = back,
            }
        }
        self.left.push_back(job);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::lambda::concurrency::Concurrency;
    use crate::lambda::invocation::Invocation;

    fn job() -> Job {
        Job { invocation: Invocation::new(Bytes::new(), None, 10).unwrap(), deadline_ms: 0 }
    }

    fn guard() -> InvocationGuard {
        InvocationGuard {
            _permit: Concurrency::new(None).acquire().unwrap(),
            _finished: CancellationToken::new().drop_guard(),
        }
    }

    /// Starts a worker, and waits until it waits for an invocation.
    async fn worker(workers: &Arc<RuntimeWorkers>) -> tokio::task::JoinHandle<Option<Job>> {
        let before = workers.state().waiting.len();
        let polling = Arc::clone(workers);
        let worker = tokio::spawn(async move { polling.next().await });
        while workers.state().waiting.len() == before {
            tokio::task::yield_now().await;
        }
        worker
    }

    #[tokio::test]
    async fn an_invocation_needs_a_worker_that_waits() {
        let workers = Arc::new(RuntimeWorkers::new(8));
        assert!(!workers.claim(), "no worker waits");
        let one = worker(&workers).await;
        assert!(workers.claim());
        assert!(!workers.claim(), "it is claimed");

        let (answer, mut outcome) = oneshot::channel();
        let job = job();
        let id = job.invocation.request_id.clone();
        workers.give(job, guard(), answer);
        assert_eq!(one.await.unwrap().unwrap().invocation.request_id, id);
        assert!(!workers.claim(), "it is at work");
        assert_eq!(workers.running(), 1);

        assert!(!workers.finish("another", Outcome::Answer(Bytes::new())));
        assert!(workers.finish(&id, Outcome::Answer(Bytes::from_static(b"1"))));
        assert!(matches!(outcome.try_recv(), Ok(Outcome::Answer(body)) if body == "1"));
        assert_eq!(workers.running(), 0);
    }

    #[tokio::test]
    async fn more_workers_than_the_maximum_take_no_more_invocations() {
        let workers = Arc::new(RuntimeWorkers::new(1));
        let _all = [worker(&workers).await, worker(&workers).await];
        assert!(workers.claim() && !workers.claim());
    }

    #[tokio::test]
    async fn a_worker_whose_request_ended_takes_no_invocation() {
        let workers = Arc::new(RuntimeWorkers::new(8));
        let (gone, kept) = (worker(&workers).await, worker(&workers).await);
        assert!(workers.claim());
        gone.abort();
        assert!(gone.await.unwrap_err().is_cancelled());
        let (answer, _outcome) = oneshot::channel();
        workers.give(job(), guard(), answer);
        assert!(kept.await.unwrap().is_some());
        assert!(!workers.claim());
    }

    #[tokio::test]
    async fn the_end_of_the_process_ends_its_invocations() {
        let workers = Arc::new(RuntimeWorkers::new(8));
        let waiting = worker(&workers).await;
        let (answer, outcome) = oneshot::channel();
        workers.give(job(), guard(), answer);
        let other = worker(&workers).await;
        workers.stop();
        assert!(outcome.await.is_err());
        assert!(waiting.await.unwrap().is_some() && other.await.unwrap().is_none());
    }
}
