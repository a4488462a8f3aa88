//! Creates a session's channel and stream, and maps them.

use futures_util::future::join;

use crate::{
    ChannelArn, ErrorKind, PortError, Session, SessionService, StreamArn, Tags,
    compensate::{CreatedResources, ResourceOutcome},
    limits::CallBudget,
    ports::{MediaControl, Ports},
};

impl<P: Ports> SessionService<P> {
    /// Creates the channel and the stream and maps them. Records in `created` what must be undone,
    /// also on failure.
    pub(super) async fn build(
        &self,
        session: &mut Session,
        created: &mut CreatedResources,
        budget: &CallBudget<'_, P::Context>,
    ) -> Result<(), PortError> {
        let tags = Tags { env: self.env.clone(), session_id: session.session_id.clone() };
        // Waits for both, even if one fails: the undo needs the outcome of each.
        let ((channel, channel_ready), (stream, stream_ready)) = join(
            self.make_channel(&session.kvs_channel_name, &tags, budget),
            self.make_stream(&session.kvs_stream_name, &tags, budget),
        )
        .await;
        (created.channel, created.stream) = (channel.clone(), stream.clone());
        channel_ready?;
        stream_ready?;
        if let (ResourceOutcome::Created(channel), ResourceOutcome::Created(stream)) =
            (channel, stream)
        {
            created.mapped = true; // The mapping may exist from here on, even if the call fails.
            // Shortly after ACTIVE the service may still return "in use".
            let is_retryable = |kind: ErrorKind| kind.is_retryable() || kind == ErrorKind::InUse;
            let map = || self.media.enable_storage(&channel, &stream);
            budget.retry("UpdateMediaStorageConfiguration", is_retryable, map).await?;

            let ask = || self.media.endpoints(&channel);
            let endpoints = budget.idempotent("GetSignalingChannelEndpoint", ask).await?;
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
        budget: &CallBudget<'_, P::Context>,
    ) -> (ResourceOutcome<ChannelArn>, Result<(), PortError>) {
        let create = || self.media.create_channel(name, tags);
        match budget.at_most_once("CreateSignalingChannel", create).await {
            Err(cause) => (ResourceOutcome::after(&cause), Err(cause)),
            Ok(arn) => {
                let describe = || self.media.channel_state(&arn);
                let ready = budget.until_active("DescribeSignalingChannel", describe).await;
                (ResourceOutcome::Created(arn), ready)
            }
        }
    }

    async fn make_stream(
        &self,
        name: &str,
        tags: &Tags,
        budget: &CallBudget<'_, P::Context>,
    ) -> (ResourceOutcome<StreamArn>, Result<(), PortError>) {
        let create = || self.media.create_stream(name, tags, self.stream_retention_hours);
        match budget.at_most_once("CreateStream", create).await {
            Err(cause) => (ResourceOutcome::after(&cause), Err(cause)),
            Ok(arn) => {
                let describe = || self.media.stream_state(&arn);
                let ready = budget.until_active("DescribeStream", describe).await;
                (ResourceOutcome::Created(arn), ready)
            }
        }
    }
}
