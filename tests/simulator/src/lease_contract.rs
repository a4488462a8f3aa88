//! The contract of [`LeaseTable`], as tests that any implementation must pass: the simulator's
//! table and the DynamoDB adapter over an embedded DynamoDB run the same cases.

use relay::Checkpoint;
use relay::lease_table::{LeaseTable, Renewal};
use session::{Desired, SessionId, StreamArn, StreamItem};

/// A table and the session of one case. The table contains no item of that session.
pub struct Case<T> {
    /// The table.
    pub table: T,
    /// The session.
    pub session: SessionId,
}

/// Runs all cases, each on a new table from `fresh`.
pub async fn check<T: LeaseTable>(mut fresh: impl AsyncFnMut() -> Case<T>) {
    fresh().await.a_run_is_requested_once().await;
    fresh().await.a_stop_is_kept().await;
    fresh().await.one_of_two_takes_succeeds().await;
    fresh().await.a_repeated_take_is_idempotent().await;
    fresh().await.a_renewal_needs_owner_and_epoch().await;
    fresh().await.an_older_revision_changes_nothing().await;
    fresh().await.a_release_frees_the_lease_and_keeps_the_checkpoint().await;
    fresh().await.an_ended_session_has_no_lease().await;
    fresh().await.a_successor_is_announced_to_the_epoch_that_runs().await;
}

fn stream(number: u32) -> StreamArn {
    format!("arn:aws:kinesisvideo:us-east-1:1:stream/session-a-b-1/{number}").parse().unwrap()
}

/// Returns a checkpoint that differs from others in its position.
fn checkpoint(next: u64) -> Checkpoint {
    Checkpoint { next, ..Checkpoint::fresh(500) }
}

fn stored_position(item: &StreamItem) -> u64 {
    Checkpoint::from_json(item.checkpoint.as_deref().unwrap()).unwrap().next
}

fn renewal<'a>(owner: &'a str, epoch: u64, revision: u64, state: &'a Checkpoint) -> Renewal<'a> {
    let expires_at = 10_000 + revision;
    Renewal { owner, epoch, revision, expires_at, checkpoint: state, last_activity_at: None }
}

impl<T: LeaseTable> Case<T> {
    async fn load(&self) -> StreamItem {
        self.table.load(&self.session).await.unwrap().unwrap()
    }

    async fn take(&self, seen: &StreamItem, owner: &str) -> Option<StreamItem> {
        self.table.take(&self.session, seen, owner, 10_000).await.unwrap()
    }

    async fn renew(&self, renewal: Renewal<'_>) -> Option<StreamItem> {
        self.table.renew(&self.session, renewal).await.unwrap()
    }

    async fn release(&self, renewal: Renewal<'_>, ended: bool) -> Option<()> {
        self.table.release(&self.session, renewal, ended).await.unwrap()
    }

    /// Requests a run and takes the lease.
    async fn held_by(&self, owner: &str) -> StreamItem {
        let free = self.table.request_run(&self.session, Some(&stream(1)), None).await.unwrap();
        self.take(&free, owner).await.unwrap()
    }

    async fn a_run_is_requested_once(self) {
        assert_eq!(self.table.load(&self.session).await.unwrap(), None);
        let first = self.table.request_run(&self.session, Some(&stream(1)), None).await.unwrap();
        assert_eq!((first.desired, first.epoch, &first.owner), (Desired::Run, 0, &None));
        let again = self.table.request_run(&self.session, Some(&stream(2)), None).await.unwrap();
        assert_eq!(again.stream_arn, Some(stream(1)), "the first stream is kept");
        assert_eq!(self.load().await, again);
    }

    async fn a_stop_is_kept(self) {
        let stopped = self.table.request_stop(&self.session, 7).await.unwrap();
        assert_eq!((stopped.desired, stopped.stop_at), (Desired::Stop, Some(7)));
        let again = self.table.request_stop(&self.session, 9).await.unwrap();
        assert_eq!(again.stop_at, Some(7), "the first stop time is kept");
        let run = self.table.request_run(&self.session, Some(&stream(1)), None).await.unwrap();
        assert_eq!((run.desired, run.stop_at), (Desired::Stop, Some(7)), "a stop is not undone");
    }

    async fn one_of_two_takes_succeeds(self) {
        let seen = self.table.request_run(&self.session, Some(&stream(1)), None).await.unwrap();
        let item = self.take(&seen, "a").await.unwrap();
        assert_eq!((item.owner.as_deref(), item.epoch), (Some("a"), 1));
        assert_eq!(item.lease_expires_at, 10_000);
        assert_eq!(self.take(&seen, "b").await, None);
        let after = self.take(&self.load().await, "b").await.unwrap();
        assert_eq!((after.owner.as_deref(), after.epoch), (Some("b"), 2), "an expired lease");
    }

    async fn a_repeated_take_is_idempotent(self) {
        let seen = self.table.request_run(&self.session, Some(&stream(1)), None).await.unwrap();
        let first = self.take(&seen, "a").await;
        assert_eq!(self.take(&seen, "a").await, first);
    }

    async fn a_renewal_needs_owner_and_epoch(self) {
        let epoch = self.held_by("a").await.epoch;
        let state = checkpoint(5);
        assert_eq!(self.renew(renewal("b", epoch, 1, &state)).await, None);
        assert_eq!(self.renew(renewal("a", epoch + 1, 1, &state)).await, None);
        let with_activity = Renewal { last_activity_at: Some(3), ..renewal("a", epoch, 1, &state) };
        let item = self.renew(with_activity).await.unwrap();
        assert_eq!((item.lease_expires_at, stored_position(&item)), (10_001, 5));
        let item = self.renew(renewal("a", epoch, 2, &state)).await.unwrap();
        assert_eq!(item.last_activity_at, Some(3), "absent means unchanged");
    }

    async fn an_older_revision_changes_nothing(self) {
        let epoch = self.held_by("a").await.epoch;
        let (old, new) = (checkpoint(5), checkpoint(8));
        self.renew(renewal("a", epoch, 2, &new)).await.unwrap();
        for revision in [1, 2] {
            let item = self.renew(renewal("a", epoch, revision, &old)).await.unwrap();
            assert_eq!((item.lease_expires_at, stored_position(&item)), (10_002, 8), "{revision}");
        }
    }

    async fn a_release_frees_the_lease_and_keeps_the_checkpoint(self) {
        let epoch = self.held_by("a").await.epoch;
        let state = checkpoint(5);
        assert_eq!(self.release(renewal("b", epoch, 1, &state), false).await, None);
        assert_eq!(self.release(renewal("a", epoch, 1, &state), false).await, Some(()));
        let free = self.load().await;
        assert_eq!((free.owner.as_deref(), free.ended, stored_position(&free)), (None, false, 5));
        // A retry after a lost answer.
        assert_eq!(self.release(renewal("a", epoch, 1, &state), false).await, Some(()));
        assert_eq!(self.renew(renewal("a", epoch, 2, &state)).await, None);
        assert_eq!(self.take(&free, "b").await.unwrap().epoch, epoch + 1);
    }

    async fn an_ended_session_has_no_lease(self) {
        let epoch = self.held_by("a").await.epoch;
        self.release(renewal("a", epoch, 1, &checkpoint(5)), true).await.unwrap();
        let item = self.load().await;
        assert!(item.ended);
        assert_eq!(self.take(&item, "b").await, None);
    }

    async fn a_successor_is_announced_to_the_epoch_that_runs(self) {
        let held = self.held_by("a").await;
        let announce = async |epoch| self.table.announce(&self.session, epoch, "b").await.unwrap();
        assert_eq!(announce(held.epoch + 1).await, None);
        assert_eq!(announce(held.epoch).await, Some(()));
        assert_eq!(self.load().await.successor.as_deref(), Some("b"));
        let state = checkpoint(5);
        let renewed = self.renew(renewal("a", held.epoch, 1, &state)).await.unwrap();
        assert_eq!(renewed.successor.as_deref(), Some("b"), "the holder reads it");
        self.release(renewal("a", held.epoch, 2, &state), false).await.unwrap();
        assert_eq!(announce(held.epoch).await, None, "the lease has no holder");
        let taken = self.take(&self.load().await, "b").await.unwrap();
        assert_eq!(taken.successor, None);
    }
}
