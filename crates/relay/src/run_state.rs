//! The state of one run, shared by its parts.

use session::{Language, SessionId, StreamItem};

use crate::checkpoint::Checkpoint;
use crate::config::Config;
use crate::context::RunContext;
use crate::desired_state::DesiredState;
use crate::error::RelayError;
use crate::lease::checkpoint_of;
use crate::lease_view::LeaseView;
use crate::ports::{Ports, Relay};
use crate::progress::Progress;
use crate::queue::Queue;
use crate::reader_status::ReaderStatus;
use crate::run_metrics::RunMetrics;
use crate::shared::Shared;

/// The values that the parts of one run share.
pub(crate) struct RunState<'a, P: Ports> {
    pub(crate) ctx: RunContext<'a, P>,
    pub(crate) lease: LeaseView,
    pub(crate) progress: Shared<Progress>,
    pub(crate) queue: Queue,
    pub(crate) reader: ReaderStatus,
    /// The languages of the session's listeners, as last read.
    pub(crate) languages: Shared<Vec<Language>>,
    pub(crate) metrics: RunMetrics,
}

impl<'a, P: Ports> RunState<'a, P> {
    /// Creates the state of a run that has adopted no checkpoint yet.
    ///
    /// # Errors
    /// The item does not name the session's stream.
    pub(crate) fn new(
        relay: &'a Relay<'a, P>,
        session: &SessionId,
        item: &StreamItem,
    ) -> Result<Self, RelayError> {
        let (config, session_id) = (relay.config, session.clone());
        let Some(stream_arn) = item.stream_arn.clone() else {
            return Err(RelayError::StreamUnknown { session_id });
        };
        let progress = Progress::new(Checkpoint::fresh(config.chunk_ms), config);
        Ok(Self {
            ctx: RunContext { relay, config, session_id, stream_arn },
            lease: LeaseView::new(DesiredState::from(item)),
            progress: Shared::new(progress),
            queue: Queue::new(Config::samples(config.buffer_ms)),
            reader: ReaderStatus::default(),
            languages: Shared::default(),
            metrics: RunMetrics::default(),
        })
    }

    /// Continues from the item's checkpoint.
    ///
    /// # Errors
    /// This build cannot read the checkpoint.
    pub(crate) fn adopt(&self, item: &StreamItem) -> Result<(), RelayError> {
        let checkpoint = checkpoint_of(&self.ctx.session_id, item, self.ctx.config)?;
        self.lease.apply(DesiredState::from(item));
        self.reader.observe_lengths(checkpoint.fragments.iter().map(|read| read.duration_ms));
        item.last_activity_at.into_iter().for_each(|at| self.reader.observe_activity(at));
        self.progress.lock().adopt(checkpoint);
        Ok(())
    }
}
