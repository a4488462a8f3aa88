//! What the model remembers: one table item, one processor, the invocations, and what is under way.
//!
//! Nothing in it grows without bound. Times count down to the point where nobody asks any more;
//! epochs and revisions are only ever compared, so [`State::settled`] keeps their order and forgets
//! their size. That is why any number of crashes, renewals and hand-offs fits in finitely many states.

/// Invocations that run at the same time. Their number over time has no bound: a slot whose
/// invocation is over is there for the next one.
pub(crate) const SLOTS: usize = 2;

/// Chunks of the session; the last is the final one.
pub(crate) const CHUNKS: u8 = 3;

/// Messages, writes or payloads, that go on without a sender who listens. One more than that is lost.
pub(crate) const LATE: usize = 1;

/// A term that does not run out, because the machine's monotonic clock stands still.
pub(crate) const STANDING: i8 = i8::MAX;

/// All of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(crate) table: Item,
    pub(crate) processor: Watermark,
    pub(crate) truth: Truth,
    /// In no particular order: invocations have no identity beyond their epoch.
    pub(crate) runs: [Run; SLOTS],
    /// Writes whose sender does not listen any more.
    pub(crate) late_writes: [Option<Write>; LATE],
    /// Deliveries whose sender does not listen any more.
    pub(crate) late_deliveries: [Option<Delivery>; LATE],
}

/// `session::StreamItem` and the stored revision. An owner's name is unique to its epoch, so who owns
/// the lease is `held` and `epoch`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Item {
    /// `owner` is set.
    pub(crate) held: bool,
    pub(crate) epoch: u8,
    /// Until somebody may call the lease lapsed; falls on until everybody must.
    pub(crate) expires_in: i8,
    /// `desired` is STOP.
    pub(crate) stop: bool,
    pub(crate) ended: bool,
    pub(crate) revision: u8,
    /// `checkpoint.next`, in chunks.
    pub(crate) next: u8,
    /// `checkpoint.origin` is set: position 0 is fixed for all runs to come.
    pub(crate) origin: bool,
}

/// The processor's memory, `watermark::Watermark`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Watermark {
    pub(crate) next: u8,
    pub(crate) epoch: u8,
}

/// What really became of the samples, whatever the processor believes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Truth {
    /// Every chunk before this one was accepted, once.
    pub(crate) next: u8,
    /// The newest lease that was told "accepted", of something new or of a repetition.
    pub(crate) epoch: u8,
    /// What went wrong at an acceptance.
    pub(crate) fault: Option<Fault>,
}

/// What can go wrong at an acceptance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Fault {
    /// A sample was accepted that had been accepted before.
    Twice,
    /// A sample was accepted before the one in front of it.
    Hole,
    /// A sample was accepted from a lease after one from a newer lease.
    OldLease,
}

/// One invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Run {
    /// There is none, or one that only looks (`lease::acquire`): neither has written anything.
    Looking,
    /// In `lease::acquire`, with `LeaseTable::take` under way.
    Taking(Take),
    /// In `run::carry`.
    Holding(Holder),
    /// In `run::finish`, with `LeaseTable::release` under way.
    Releasing(Write),
}

/// A take under way. It is sent again, the same, until it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Take {
    /// The item is no longer as it was seen.
    pub(crate) stale: bool,
    /// The epoch it got, when it arrived and the answer did not.
    pub(crate) got: Option<u8>,
    pub(crate) expires_in: i8,
    /// What is left of the right to deliver that it will give.
    pub(crate) term: i8,
}

/// `run::carry`: keeper and deliverer of one lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Holder {
    pub(crate) epoch: u8,
    /// Ticks of its own monotonic clock until `Line::term`; 0 = passed, or [`STANDING`].
    pub(crate) term: i8,
    /// The ledger's `next`.
    pub(crate) next: u8,
    /// `Line::anchored`.
    pub(crate) anchored: bool,
    /// `Keeper::revision`.
    pub(crate) revision: u8,
    pub(crate) renewal: Option<Renewal>,
    pub(crate) delivery: Option<Delivery>,
}

/// A renewal that its sender waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Renewal {
    pub(crate) write: Write,
    /// What `Holder::term` will be when it is answered now.
    pub(crate) term: i8,
}

/// A write on its way to the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Write {
    pub(crate) kind: WriteKind,
    pub(crate) epoch: u8,
    pub(crate) revision: u8,
    pub(crate) expires_in: i8,
    pub(crate) next: u8,
}

/// Which of the conditional writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum WriteKind {
    /// Of a run that is no more; `epoch` is the one it saw.
    Take,
    Renew,
    Release {
        ended: bool,
    },
}

/// A payload on its way to the processor: chunks `from..to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Delivery {
    pub(crate) epoch: u8,
    pub(crate) from: u8,
    pub(crate) to: u8,
}

impl State {
    /// A session that was just created, with nobody to carry it.
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

    /// The same state in the one form that all states with the same future have.
    pub(crate) fn settled(mut self) -> Self {
        self.rank_epochs();
        self.rank_revisions();
        self.runs.sort_unstable();
        self.late_writes.sort_unstable();
        self.late_deliveries.sort_unstable();
        self
    }

    fn rank_epochs(&mut self) {
        // Zero stays what it is: nobody has ever held the lease.
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
                Run::Taking(take) => {
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
            // Those of an older lease are never compared again.
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

/// How many of the numbers in use are smaller.
fn rank(number: u8, used: u64) -> u8 {
    u8::try_from((used & ((1 << number) - 1)).count_ones()).unwrap()
}
