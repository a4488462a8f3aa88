//! Tracks the resources of a creation, and removes them after a failure.

use tokio::time::Instant;

use crate::{
    ChannelArn, DomainEvent, ErrorKind, Limits, PairMedia, PortError, PortFuture, SessionId,
    SessionService, StreamArn,
    limits::CallBudget,
    ports::{Clock, MediaRemoval, Ports, Reservations, Telemetry},
};

/// State of one resource of a creation.
#[derive(Clone, Debug)]
pub(crate) enum ResourceOutcome<A> {
    /// It was not created.
    Absent,
    /// It was created with this ARN.
    Created(A),
    /// The name is in use, by another owner or by this creation: the SDK retried a call whose first
    /// response was lost.
    NameTaken,
    /// Unknown: the create call returned no response.
    Unknown,
}

impl<A> ResourceOutcome<A> {
    /// Returns the state of the resource after a failed create call.
    pub(crate) const fn after(cause: &PortError) -> Self {
        match cause.kind {
            ErrorKind::InUse => Self::NameTaken,
            kind if kind.is_outcome_unknown() => Self::Unknown,
            _ => Self::Absent,
        }
    }
}

/// Resources of a creation, apart from its item.
#[derive(Clone, Debug)]
pub(crate) struct CreatedResources {
    pub(crate) channel: ResourceOutcome<ChannelArn>,
    pub(crate) stream: ResourceOutcome<StreamArn>,
    /// Whether the channel may be mapped to the stream.
    pub(crate) mapped: bool,
}

impl CreatedResources {
    pub(crate) const NONE: Self =
        Self { channel: ResourceOutcome::Absent, stream: ResourceOutcome::Absent, mapped: false };

    /// Returns the resources of a warm pair.
    pub(crate) fn of(pair: &PairMedia) -> Self {
        Self {
            channel: ResourceOutcome::Created(pair.kvs_channel_arn.clone()),
            stream: ResourceOutcome::Created(pair.kvs_stream_arn.clone()),
            mapped: true,
        }
    }

    /// Returns whether a retry with another id can succeed.
    pub(crate) const fn name_is_taken(&self) -> bool {
        matches!(self.channel, ResourceOutcome::NameTaken)
            || matches!(self.stream, ResourceOutcome::NameTaken)
    }

    /// Returns whether a resource with an unknown ARN may exist.
    const fn is_uncertain(&self) -> bool {
        self.name_is_taken()
            || matches!(self.channel, ResourceOutcome::Unknown)
            || matches!(self.stream, ResourceOutcome::Unknown)
    }
}

impl<P: Ports> SessionService<P> {
    /// Removes the resources of a failed creation in reverse order, and the item last.
    ///
    /// The item stays `creating` while a resource may remain, because the health check finds
    /// resources through it. The health check verifies ownership by tags, so names alone decide
    /// nothing here. Takes at most [`Limits::compensation`] and stops at `end`.
    pub(crate) async fn compensate(
        &self,
        session_id: &SessionId,
        created: &CreatedResources,
        limits: &Limits,
        end: Instant,
    ) {
        let end = end.min(self.ctx.instant() + limits.compensation);
        let budget = CallBudget::until(&self.ctx, limits, end);
        let mut clean = !created.is_uncertain();
        if let ResourceOutcome::Created(channel) = &created.channel {
            clean &= self.remove_channel(session_id, channel, created.mapped, &budget).await;
        }
        if let ResourceOutcome::Created(stream) = &created.stream {
            let call = || self.media.delete_stream(stream);
            clean &=
                self.delete_with_retry(session_id, "DeleteStream", &budget.first_of(2), call).await;
        }
        if clean {
            let call = || self.sessions.delete_reservation(session_id);
            self.delete_with_retry(session_id, "DeleteItem", &budget, call).await;
        } else {
            let cause =
                PortError::new("CreateSession", ErrorKind::Unavailable, "resources may be left");
            self.ctx.record(&DomainEvent::CleanupDeferred { session_id, cause: &cause });
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
        budget: &CallBudget<'_, P::Context>,
    ) -> bool {
        if mapped {
            let operation = "UpdateMediaStorageConfiguration";
            let call = || self.media.disable_storage(channel);
            self.delete_with_retry(session_id, operation, &budget.first_of(4), call).await;
        }
        let call = || self.media.delete_channel(channel);
        self.delete_with_retry(session_id, "DeleteSignalingChannel", &budget.first_of(3), call)
            .await
    }

    /// Retries a removal until it succeeds or the resource is not found. "In use" is transient: the
    /// resource is still being created, or the end of its mapping is not visible everywhere yet.
    async fn delete_with_retry<F: PortFuture<()>>(
        &self,
        session_id: &SessionId,
        operation: &'static str,
        budget: &CallBudget<'_, P::Context>,
        call: impl FnMut() -> F,
    ) -> bool {
        let is_retryable = |kind: ErrorKind| kind.is_retryable() || kind == ErrorKind::InUse;
        match budget.retry(operation, is_retryable, call).await {
            Err(cause) if cause.kind != ErrorKind::NotFound => {
                self.ctx.record(&DomainEvent::CleanupDeferred { session_id, cause: &cause });
                false
            }
            _ => true,
        }
    }
}
