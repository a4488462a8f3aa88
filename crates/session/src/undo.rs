//! What a creation has made so far, and how it is unmade.

use std::{future::Future, time::Duration};

use crate::{
    ChannelArn, ErrorKind, Limits, Notice, PortError, SessionId, SessionService, StreamArn,
    limits::persist,
    ports::{Clock, Journal, MediaRemoval, Ports, Sessions},
};

/// What a creation knows of one of its resources.
#[derive(Clone, Debug)]
pub(crate) enum Part<A> {
    /// It was not made.
    Absent,
    /// It was made, and this is its ARN.
    Made(A),
    /// The name is taken: by somebody else, or by ourselves, when the answer to a first call was
    /// lost and the SDK repeated it.
    Taken,
    /// Nobody knows: the call that was to make it got no answer.
    Unknown,
}

impl<A> Part<A> {
    /// What a failed call to create the resource leaves.
    pub(crate) const fn after(fault: &PortError) -> Self {
        match fault.kind {
            ErrorKind::InUse => Self::Taken,
            kind if kind.is_outcome_unknown() => Self::Unknown,
            _ => Self::Absent,
        }
    }
}

/// What a creation has made besides its item.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub(crate) channel: Part<ChannelArn>,
    pub(crate) stream: Part<StreamArn>,
    /// Whether the channel may be mapped to the stream.
    pub(crate) mapped: bool,
}

impl Made {
    pub(crate) const NOTHING: Self =
        Self { channel: Part::Absent, stream: Part::Absent, mapped: false };

    /// Whether another id may help.
    pub(crate) const fn name_is_taken(&self) -> bool {
        matches!(self.channel, Part::Taken) || matches!(self.stream, Part::Taken)
    }

    /// Whether something may exist that we have no ARN of.
    const fn is_uncertain(&self) -> bool {
        self.name_is_taken()
            || matches!(self.channel, Part::Unknown)
            || matches!(self.stream, Part::Unknown)
    }
}

impl<P: Ports> SessionService<P> {
    /// Unmakes, in reverse order, what a failed creation has made; the item goes last.
    ///
    /// While anything may be left, the item stays `creating`: by it, the health check finds the
    /// rest. It knows by the tags what is ours, so names alone decide nothing here.
    /// Takes at most [`Limits::undo`], and nothing after `end`.
    pub(crate) async fn undo(
        &self,
        session_id: &SessionId,
        made: &Made,
        limits: &Limits,
        end: Duration,
    ) {
        let end = end.min(self.around.monotonic() + limits.undo);
        let mut clean = !made.is_uncertain();
        if let Part::Made(channel) = &made.channel {
            clean &= self.remove_channel(session_id, channel, made.mapped, limits, end).await;
        }
        if let Part::Made(stream) = &made.stream {
            let call = || self.media.delete_stream(stream);
            let deadline = self.share(end, 2);
            clean &= self.removed(session_id, limits, deadline, "DeleteStream", call).await;
        }
        if clean {
            let call = || self.sessions.discard(session_id);
            self.removed(session_id, limits, end, "DeleteItem", call).await;
        } else {
            let fault =
                PortError::new("CreateSession", ErrorKind::Unavailable, "resources may be left");
            self.around.note(&Notice::LeftBehind { session_id, fault: &fault });
        }
    }

    /// Unmaps and deletes a channel. Returns whether it is gone.
    ///
    /// KVS refuses to delete a channel or a stream while they are mapped to each other. A failed
    /// unmapping still leads to a deletion: the call may have had its effect, and a channel that was
    /// never mapped can be deleted.
    pub(crate) async fn remove_channel(
        &self,
        session_id: &SessionId,
        channel: &ChannelArn,
        mapped: bool,
        limits: &Limits,
        end: Duration,
    ) -> bool {
        if mapped {
            let operation = "UpdateMediaStorageConfiguration";
            let call = || self.media.disable_storage(channel);
            self.removed(session_id, limits, self.share(end, 4), operation, call).await;
        }
        let call = || self.media.delete_channel(channel);
        let deadline = self.share(end, 3);
        self.removed(session_id, limits, deadline, "DeleteSignalingChannel", call).await
    }

    /// When to give up a step, if `steps` are still to be taken before `end`: no step may use up
    /// the time of those after it.
    fn share(&self, end: Duration, steps: u32) -> Duration {
        let now = self.around.monotonic();
        now + end.saturating_sub(now) / steps
    }

    /// Repeats a removal until it is done; what is gone already is done. "In use" passes: the
    /// resource is still being made, or the end of its mapping has not arrived everywhere yet.
    async fn removed<F: Future<Output = Result<(), PortError>>>(
        &self,
        session_id: &SessionId,
        limits: &Limits,
        deadline: Duration,
        operation: &'static str,
        call: impl FnMut() -> F,
    ) -> bool {
        let again = |kind: ErrorKind| kind.is_retryable() || kind == ErrorKind::InUse;
        match persist(&self.around, limits, deadline, operation, again, call).await {
            Err(fault) if fault.kind != ErrorKind::NotFound => {
                self.around.note(&Notice::LeftBehind { session_id, fault: &fault });
                false
            }
            _ => true,
        }
    }
}
