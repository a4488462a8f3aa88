//! The state of the model: one table item, one processor, the invocations, and the messages in
//! flight.
//!
//! The number of states is finite. Times count down to a point after which they no longer matter;
//! epochs and revisions are only compared, so [`State::settled`] keeps their order but not their
//! values. Any number of crashes, renewals and hand-offs therefore fits into finitely many states.

/// Concurrent invocations. Their number over time is unbounded: the slot of an invocation that has
/// ended is reused.
pub(crate) const SLOTS: usize = 2;

/// Chunks of the session, including the final one.
pub(crate) const CHUNKS: u8 = 3;

/// Messages (writes or payloads) in flight whose sender no longer waits. Any more are lost.
pub(crate) const LATE: usize = 1;

/// A valid_for that does not expire, because the machine's monotonic clock is frozen.
pub(crate) const FROZEN: i8 = i8::MAX;

/// The complete state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(crate) table: Item,
    pub(crate) processor: Watermark,
    pub(crate) truth: Truth,
    /// In no particular order: invocations have no identity beyond their epoch.
    pub(crate) runs: [Run; SLOTS],
    /// Writes whose sender no longer waits.
    pub(crate) late_writes: [Option<Write>; LATE],
    /// Deliveries whose sender no longer waits.
    pub(crate) late_deliveries: [Option<Delivery>; LATE],
}

/// `session::StreamItem` and the stored revision. An owner's name is unique to its epoch, so `held`
/// and `epoch` identify the owner of the lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Item {
    /// `owner` is set.
    pub(crate) held: bool,
    pub(crate) epoch: u8,
    /// Ticks until a clock may show the lease as lapsed; decreases further until every clock does.
    pub(crate) expires_in: i8,
    /// `desired` is STOP.
    pub(crate) stop: bool,
    pub(crate) ended: bool,
    pub(crate) revision: u8,
    /// `checkpoint.next`, in chunks.
    pub(crate) next: u8,
    /// `checkpoint.origin` is set: position 0 is fixed for all later runs.
    pub(crate) origin: bool,
}

/// The processor's state, `watermark::Watermark`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Watermark {
    pub(crate) next: u8,
    pub(crate) epoch: u8,
}

/// What really happened to the samples, independent of the processor's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Truth {
    /// Every chunk before this one was accepted once.
    pub(crate) next: u8,
    /// The newest epoch whose payload was accepted, new or duplicate.
    pub(crate) epoch: u8,
    /// The error at an acceptance, if any.
    pub(crate) fault: Option<Fault>,
}

/// An error at an acceptance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Fault {
    /// A sample was accepted twice.
    Twice,
    /// A sample was accepted before its predecessor.
    Hole,
    /// A sample was accepted from an older lease after one from a newer lease.
    OldLease,
}

/// One invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Run {
    /// None, or one that only polls (`lease::acquire`): neither has written anything.
    Looking,
    /// In `lease::acquire`, with `LeaseTable::take` in flight.
    Acquiring(Take),
    /// In `leased_run::run_with_lease`.
    Holding(Holder),
    /// In `leased_run::finish`, with `LeaseTable::release` in flight.
    Releasing(Write),
}

/// A take in flight. It is resent unchanged until it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Take {
    /// The item has changed since it was read.
    pub(crate) stale: bool,
    /// The epoch it got, if it arrived and its response was lost.
    pub(crate) got: Option<u8>,
    pub(crate) expires_in: i8,
    /// The remaining right to deliver that it will give.
    pub(crate) valid_for: i8,
}

/// `leased_run::run_with_lease`: the renewer and deliverer of one lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Holder {
    pub(crate) epoch: u8,
    /// Ticks of its own monotonic clock until `LeaseView::valid_until`; 0 if expired, or
    /// [`FROZEN`].
    pub(crate) valid_for: i8,
    /// The `next` of the progress.
    pub(crate) next: u8,
    /// `LeaseView::origin_persisted`.
    pub(crate) origin_persisted: bool,
    /// `LeaseRenewer::revision`.
    pub(crate) revision: u8,
    pub(crate) renewal: Option<Renewal>,
    pub(crate) delivery: Option<Delivery>,
}

/// A renewal whose sender waits for the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Renewal {
    pub(crate) write: Write,
    /// The value of `Holder::valid_for` if it is answered now.
    pub(crate) valid_for: i8,
}

/// A write in flight to the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Write {
    pub(crate) kind: WriteKind,
    pub(crate) epoch: u8,
    pub(crate) revision: u8,
    pub(crate) expires_in: i8,
    pub(crate) next: u8,
}

/// The kind of conditional write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum WriteKind {
    /// Sent by a run that has ended; `epoch` is the one that run saw.
    Take,
    Renew,
    Release {
        ended: bool,
    },
}

/// A payload in flight to the processor: chunks `from..to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Delivery {
    pub(crate) epoch: u8,
    pub(crate) from: u8,
    pub(crate) to: u8,
}

impl State {
    /// Returns the state of a session that was just created and has no run.
    pub(crate) fn initial(long_lapsed: i8) -> Self {
        Self {
            table: Item {
                held: false,
                epoch: 0,
                expires_in: long_lapsed,
                stop: false,
                ended: false,
                revision: 0,
                next: 0,
                origin: false,
            },
            processor: Watermark::default(),
            truth: Truth::default(),
            runs: [Run::Looking; SLOTS],
            late_writes: [None; LATE],
            late_deliveries: [None; LATE],
        }
    }

    /// Returns the canonical form shared by all states with the same future.
    pub(crate) fn settled(mut self) -> Self {
        self.rank_epochs();
        self.rank_revisions();
        self.runs.sort_unstable();
        self.late_writes.sort_unstable();
        self.late_deliveries.sort_unstable();
        self
    }

    fn rank_epochs(&mut self) {
        // Zero is kept: no run has ever held the lease.
        let mut used = 1;
        self.each_epoch(|epoch| used |= 1 << *epoch);
        self.each_epoch(|epoch| *epoch = rank(*epoch, used));
    }

    fn each_epoch(&mut self, mut visit: impl FnMut(&mut u8)) {
        visit(&mut self.table.epoch);
        visit(&mut self.processor.epoch);
        visit(&mut self.truth.epoch);
        for run in &mut self.runs {
            match run {
                Run::Looking => {}
                Run::Acquiring(take) => {
                    if let Some(epoch) = &mut take.got {
                        visit(epoch);
                    }
                }
                Run::Holding(holder) => {
                    visit(&mut holder.epoch);
                    if let Some(renewal) = &mut holder.renewal {
                        visit(&mut renewal.write.epoch);
                    }
                    if let Some(delivery) = &mut holder.delivery {
                        visit(&mut delivery.epoch);
                    }
                }
                Run::Releasing(release) => visit(&mut release.epoch),
            }
        }
        self.late_writes.iter_mut().flatten().for_each(|write| visit(&mut write.epoch));
        self.late_deliveries.iter_mut().flatten().for_each(|delivery| visit(&mut delivery.epoch));
    }

    fn rank_revisions(&mut self) {
        let (epoch, mut used) = (self.table.epoch, 0);
        self.each_revision(|of, revision| {
            // Revisions of an older lease are never compared again.
            *revision = if of == epoch { *revision } else { 0 };
            used |= 1 << *revision;
        });
        self.each_revision(|_, revision| *revision = rank(*revision, used));
    }

    /// Visits each revision that may still be compared, with its epoch.
    fn each_revision(&mut self, mut visit: impl FnMut(u8, &mut u8)) {
        visit(self.table.epoch, &mut self.table.revision);
        for run in &mut self.runs {
            if let Run::Holding(holder) = run {
                visit(holder.epoch, &mut holder.revision);
                if let Some(renewal) = &mut holder.renewal {
                    visit(renewal.write.epoch, &mut renewal.write.revision);
                }
            }
        }
        for write in self.late_writes.iter_mut().flatten() {
            if write.kind == WriteKind::Renew {
                visit(write.epoch, &mut write.revision);
            }
        }
    }
}

/// Returns how many of the used numbers are smaller.
fn rank(number: u8, used: u64) -> u8 {
    u8::try_from((used & ((1 << number) - 1)).count_ones()).unwrap()
}
