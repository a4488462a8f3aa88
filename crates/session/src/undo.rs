//! Tracks the resources of a creation, and removes them after a failure.

use std::{future::Future, time::Duration};

use crate::{
    ChannelArn, ErrorKind, Limits, Notice, PortError, SessionId, SessionService, StreamArn,
    limits::persist,
    ports::{Clock, Journal, MediaRemoval, Ports, Sessions},
};

/// State of one resource of a creation.
#[derive(Clone, Debug)]
pub(crate) enum Part<A> {
    /// It was not created.
    Absent,
    /// It was created with this ARN.
    Made(A),
    /// The name is in use, by another owner or by this creation: the SDK retried a call whose first
    /// response was lost.
    Taken,
    /// Unknown: the create call returned no response.
    Unknown,
}

impl<A> Part<A> {
    /// Returns the state of the resource after a failed create call.
    pub(crate) const fn after(fault: &PortError) -> Self {
        match fault.kind {
            ErrorKind::InUse => Self::Taken,
            kind if kind.is_outcome_unknown() => Self::Unknown,
            _ => Self::Absent,
        }
    }
}

/// Resources of a creation, apart from its item.
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

    /// Returns whether a retry with another id can succeed.
    pub(crate) const fn name_is_taken(&self) -> bool {
        matches!(self.channel, Part::Taken) || matches!(self.stream, Part::Taken)
    }

    /// Returns whether a resource with an unknown ARN may exist.
    const fn is_uncertain(&self) -> bool {
        self.name_is_taken()
            || matches!(self.channel, Part::Unknown)
            || matches!(self.stream, Part::Unknown)
    }
}

impl<P: Ports> SessionService<P> {
    /// Removes the resources of a failed creation in reverse order, and the item last.
    ///
    /// The item stays `creating` while a resource may remain, because the health check finds
    /// resources through it. The health check verifies ownership by tags, so names alone decide
    /// nothing here. Takes at most [`Limits::undo`] and stops at `end`.
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

    /// Unmaps and deletes a channel. Returns whether it is deleted.
    ///
    /// KVS rejects the deletion of a channel or stream while they are mapped to each other. The
    /// channel is deleted even if unmapping fails: the call may have had its effect, and a channel
    /// that was never mapped can be deleted.
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

    /// Returns the deadline of a step when `steps` steps remain before `end`. No step can use up
    /// the time of the later ones.
    fn share(&self, end: Duration, steps: u32) -> Duration {
        let now = self.around.monotonic();
        now + end.saturating_sub(now) / steps
    }

    /// Retries a removal until it succeeds or the resource is not found. "In use" is transient: the
    /// resource is still being created, or the end of its mapping is not visible everywhere yet.
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
