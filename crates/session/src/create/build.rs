//! Creates a session's channel and stream, and maps them.

use std::time::Duration;

use futures_util::future::join;

use crate::{
    ChannelArn, ErrorKind, Limits, PortError, Session, SessionService, StreamArn, Tags,
    compensate::{CreatedResources, ResourceOutcome},
    limits::{Backoff, retry, with_deadline},
    ports::{MediaControl, Ports, ResourceState},
};

impl<P: Ports> SessionService<P> {
    /// Creates the channel and the stream and maps them. Records in `created` what must be undone,
    /// also on failure.
    pub(super) async fn build(
        &self,
        session: &mut Session,
        created: &mut CreatedResources,
        limits: &Limits,
        deadline: Duration,
    ) -> Result<(), PortError> {
        let tags = Tags { env: self.env.clone(), session_id: session.session_id.clone() };
        // Waits for both, even if one fails: the undo needs the outcome of each.
        let ((channel, channel_ready), (stream, stream_ready)) = join(
            self.make_channel(&session.kvs_channel_name, &tags, limits, deadline),
            self.make_stream(&session.kvs_stream_name, &tags, limits, deadline),
        )
        .await;
        (created.channel, created.stream) = (channel.clone(), stream.clone());
        channel_ready?;
        stream_ready?;
        if let (ResourceOutcome::Created(channel), ResourceOutcome::Created(stream)) =
            (channel, stream)
        {
            created.mapped = true; // The mapping may exist from here on, even if the call fails.
            let operation = "UpdateMediaStorageConfiguration";
            // Shortly after ACTIVE the service may still return "in use".
            let is_retryable = |kind: ErrorKind| kind.is_retryable() || kind == ErrorKind::InUse;
            let map = || self.media.enable_storage(&channel, &stream);
            retry(&self.ctx, limits, deadline, operation, is_retryable, map).await?;

            let ask = || self.media.endpoints(&channel);
            let operation = "GetSignalingChannelEndpoint";
            let endpoints =
                retry(&self.ctx, limits, deadline, operation, ErrorKind::is_retryable, ask).await?;
            session.kvs_signaling_endpoints = Some(endpoints);
            session.kvs_channel_arn = Some(channel);
            session.kvs_stream_arn = Some(stream);
        }
        Ok(())
    }

    async fn make_channel(
        &self,
        name: &str,
        tags: &Tags,
        limits: &Limits,
        deadline: Duration,
    ) -> (ResourceOutcome<ChannelArn>, Result<(), PortError>) {
        let create = || self.media.create_channel(name, tags);
        let operation = "CreateSignalingChannel";
        match retry(&self.ctx, limits, deadline, operation, ErrorKind::is_throttled, create).await {
            Err(cause) => (ResourceOutcome::after(&cause), Err(cause)),
            Ok(arn) => {
                let look = || self.media.channel_state(&arn);
                let operation = "DescribeSignalingChannel";
                let ready = self.until_active(limits, deadline, operation, look).await;
                (ResourceOutcome::Created(arn), ready)
            }
        }
    }

    async fn make_stream(
        &self,
        name: &str,
        tags: &Tags,
        limits: &Limits,
        deadline: Duration,
    ) -> (ResourceOutcome<StreamArn>, Result<(), PortError>) {
        let create = || self.media.create_stream(name, tags, self.stream_retention_hours);
        match retry(&self.ctx, limits, deadline, "CreateStream", ErrorKind::is_throttled, create)
            .await
        {
            Err(cause) => (ResourceOutcome::after(&cause), Err(cause)),
            Ok(arn) => {
                let look = || self.media.stream_state(&arn);
                let ready = self.until_active(limits, deadline, "DescribeStream", look).await;
                (ResourceOutcome::Created(arn), ready)
            }
        }
    }

    /// Polls a resource with increasing pauses until it is ACTIVE.
    async fn until_active<F: Future<Output = Result<ResourceState, PortError>>>(
        &self,
        limits: &Limits,
        deadline: Duration,
        operation: &'static str,
        look: impl Fn() -> F,
    ) -> Result<(), PortError> {
        let mut backoff = Backoff::new(limits);
        loop {
            let last = match with_deadline(&self.ctx, deadline, operation, look()).await {
                Ok(ResourceState::Active) => return Ok(()),
                Ok(ResourceState::Deleting) => {
                    let message = "it is being deleted";
                    return Err(PortError::new(operation, ErrorKind::Unavailable, message));
                }
                Ok(ResourceState::Pending) => PortError::new(
                    operation,
                    ErrorKind::TimedOut,
                    "not ACTIVE within the time given",
                ),
                // The control plane is eventually consistent: a new resource may not be visible
                // yet.
                Err(cause) if cause.kind.is_retryable() || cause.kind == ErrorKind::NotFound => {
                    cause
                }
                Err(cause) => return Err(cause),
            };
            if !backoff.wait(&self.ctx, deadline).await {
                return Err(last);
            }
        }
    }
}
