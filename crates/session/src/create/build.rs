//! Creates a session's channel and stream, and maps them.

use std::{future::Future, time::Duration};

use futures_util::future::join;

use crate::{
    ChannelArn, ErrorKind, Limits, PortError, Session, SessionService, StreamArn, Tags,
    limits::{Pauses, by, persist},
    ports::{MediaControl, Ports, ResourceState},
    undo::{Made, Part},
};

impl<P: Ports> SessionService<P> {
    /// Creates the channel and the stream and maps them. Records in `made` what must be undone,
    /// also on failure.
    pub(super) async fn build(
        &self,
        session: &mut Session,
        made: &mut Made,
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
        (made.channel, made.stream) = (channel.clone(), stream.clone());
        channel_ready?;
        stream_ready?;
        if let (Part::Made(channel), Part::Made(stream)) = (channel, stream) {
            made.mapped = true; // The mapping may exist from here on, even if the call fails.
            let operation = "UpdateMediaStorageConfiguration";
            // Shortly after ACTIVE the service may still return "in use".
            let again = |kind: ErrorKind| kind.is_retryable() || kind == ErrorKind::InUse;
            let map = || self.media.enable_storage(&channel, &stream);
            persist(&self.around, limits, deadline, operation, again, map).await?;

            let again = |kind: ErrorKind| kind.is_retryable();
            let ask = || self.media.endpoints(&channel);
            let operation = "GetSignalingChannelEndpoint";
            let endpoints = persist(&self.around, limits, deadline, operation, again, ask).await?;
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
    ) -> (Part<ChannelArn>, Result<(), PortError>) {
        let create = || self.media.create_channel(name, tags);
        let again = |kind| kind == ErrorKind::Throttled;
        let operation = "CreateSignalingChannel";
        match persist(&self.around, limits, deadline, operation, again, create).await {
            Err(fault) => (Part::after(&fault), Err(fault)),
            Ok(arn) => {
                let look = || self.media.channel_state(&arn);
                let operation = "DescribeSignalingChannel";
                let ready = self.until_active(limits, deadline, operation, look).await;
                (Part::Made(arn), ready)
            }
        }
    }

    async fn make_stream(
        &self,
        name: &str,
        tags: &Tags,
        limits: &Limits,
        deadline: Duration,
    ) -> (Part<StreamArn>, Result<(), PortError>) {
        let create = || self.media.create_stream(name, tags, self.stream_retention_hours);
        let again = |kind| kind == ErrorKind::Throttled;
        match persist(&self.around, limits, deadline, "CreateStream", again, create).await {
            Err(fault) => (Part::after(&fault), Err(fault)),
            Ok(arn) => {
                let look = || self.media.stream_state(&arn);
                let ready = self.until_active(limits, deadline, "DescribeStream", look).await;
                (Part::Made(arn), ready)
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
        let mut pauses = Pauses::new(limits);
        loop {
            let last = match by(&self.around, deadline, operation, look()).await {
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
                Err(fault) if fault.kind.is_retryable() || fault.kind == ErrorKind::NotFound => {
                    fault
                }
                Err(fault) => return Err(fault),
            };
            if !pauses.wait(&self.around, deadline).await {
                return Err(last);
            }
        }
    }
}
