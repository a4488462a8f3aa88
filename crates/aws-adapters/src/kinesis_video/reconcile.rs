//! The control plane as the consumer reads it: owners of resources, mappings of channels, and
//! listings for a sweep.

use std::collections::HashMap;

use aws_sdk_kinesisvideo::{
    error::{ProvideErrorMetadata, SdkError},
    primitives::DateTime,
    types::{ChannelNameCondition, ComparisonOperator, StreamNameCondition},
};
use session::reconcile::{Inventory, Resource};
use session::{ChannelArn, ErrorKind, Ownership, PortError, SessionId, StreamArn};

use super::KinesisVideo;
use crate::sdk_error::port_error;

/// Prefix of the names of this application's channels and streams.
const PREFIX: &str = "session-";

/// Maximum number of pages of a listing per sweep.
const MAX_PAGES: usize = 20;

impl KinesisVideo {
    /// Returns the stream that a channel is mapped to; `None` if the channel does not exist, is not
    /// mapped, or the role does not permit describing it.
    ///
    /// # Errors
    /// Returns the error of the call.
    pub async fn mapped_stream(
        &self,
        channel: &ChannelArn,
    ) -> Result<Option<StreamArn>, PortError> {
        let call = self.client.describe_media_storage_configuration();
        let output = call.channel_arn(channel.as_str()).send().await;
        match output.map_err(|error| port_error("DescribeMediaStorageConfiguration", &error)) {
            Ok(output) => Ok(output
                .media_storage_configuration
                .and_then(|configuration| configuration.stream_arn?.parse().ok())),
            Err(error) => absent(error, channel.as_str()).map(|_| None),
        }
    }

    fn owner<E>(
        &self,
        operation: &'static str,
        resource: &str,
        tags: Result<Option<HashMap<String, String>>, SdkError<E>>,
    ) -> Result<Ownership, PortError>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        match tags.map_err(|error| port_error(operation, &error)) {
            Ok(tags) => {
                let tags = tags.unwrap_or_default();
                let tags = tags.iter().map(|(key, value)| (key.as_str(), value.as_str()));
                Ok(Ownership::by_tags(&self.environment, tags))
            }
            Err(error) => absent(error, resource),
        }
    }

    async fn streams(&self, before_ms: u64) -> Result<Vec<StreamArn>, PortError> {
        let condition = StreamNameCondition::builder()
            .comparison_operator(ComparisonOperator::BeginsWith)
            .comparison_value(PREFIX)
            .build();
        let mut found = Vec::new();
        let call = self.client.list_streams().stream_name_condition(condition);
        let mut pages = call.into_paginator().send();
        for _ in 0..MAX_PAGES {
            let Some(page) = pages.next().await else { break };
            let page = page.map_err(|error| port_error("ListStreams", &error))?;
            let old = page
                .stream_info_list()
                .iter()
                .filter(|info| info.creation_time().is_some_and(|at| is_before(at, before_ms)));
            found.extend(old.filter_map(|info| info.stream_arn()?.parse::<StreamArn>().ok()));
        }
        Ok(found)
    }

    async fn channels(&self, before_ms: u64) -> Result<Vec<ChannelArn>, PortError> {
        let condition = ChannelNameCondition::builder()
            .comparison_operator(ComparisonOperator::BeginsWith)
            .comparison_value(PREFIX)
            .build();
        let mut found = Vec::new();
        let call = self.client.list_signaling_channels().channel_name_condition(condition);
        let mut pages = call.into_paginator().send();
        for _ in 0..MAX_PAGES {
            let Some(page) = pages.next().await else { break };
            let page = page.map_err(|error| port_error("ListSignalingChannels", &error))?;
            let old = page
                .channel_info_list()
                .iter()
                .filter(|info| info.creation_time().is_some_and(|at| is_before(at, before_ms)));
            found.extend(old.filter_map(|info| info.channel_arn()?.parse::<ChannelArn>().ok()));
        }
        Ok(found)
    }
}

impl Inventory for KinesisVideo {
    async fn stream_owner(&self, stream: &StreamArn) -> Result<Ownership, PortError> {
        let call = self.client.list_tags_for_stream().stream_arn(stream.as_str());
        let tags = call.send().await.map(|output| output.tags);
        self.owner("ListTagsForStream", stream.as_str(), tags)
    }

    async fn channel_owner(&self, channel: &ChannelArn) -> Result<Ownership, PortError> {
        let call = self.client.list_tags_for_resource().resource_arn(channel.as_str());
        let tags = call.send().await.map(|output| output.tags);
        self.owner("ListTagsForResource", channel.as_str(), tags)
    }

    async fn stream_named(&self, name: &str) -> Result<Option<StreamArn>, PortError> {
        let output = self.client.describe_stream().stream_name(name).send().await;
        let output = found(output.map_err(|error| port_error("DescribeStream", &error)))?;
        Ok(output.and_then(|output| output.stream_info?.stream_arn?.parse().ok()))
    }

    async fn channel_named(&self, name: &str) -> Result<Option<ChannelArn>, PortError> {
        let output = self.client.describe_signaling_channel().channel_name(name).send().await;
        let output = found(output.map_err(|error| port_error("DescribeSignalingChannel", &error)))?;
        Ok(output.and_then(|output| output.channel_info?.channel_arn?.parse().ok()))
    }

    async fn created_before(
        &self,
        before_ms: u64,
    ) -> Result<Vec<(SessionId, Resource)>, PortError> {
        let mut ours = Vec::new();
        for channel in self.channels(before_ms).await? {
            if let Ownership::Ours(Some(session)) = self.channel_owner(&channel).await? {
                ours.push((session, Resource::Channel(channel)));
            }
        }
        for stream in self.streams(before_ms).await? {
            if let Ownership::Ours(Some(session)) = self.stream_owner(&stream).await? {
                ours.push((session, Resource::Stream(stream)));
            }
        }
        Ok(ours)
    }
}

fn found<T>(answer: Result<T, PortError>) -> Result<Option<T>, PortError> {
    match answer {
        Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
        answer => answer.map(Some),
    }
}

/// Returns the ownership of a resource that could not be read. The role covers the sessions of this
/// account only, so an ARN of an event may be denied permanently. The error is logged, because it
/// names the action in case the role is wrong.
fn absent(error: PortError, resource: &str) -> Result<Ownership, PortError> {
    match error.kind {
        ErrorKind::NotFound => Ok(Ownership::NotFound),
        ErrorKind::Denied => {
            tracing::warn!(resource, %error, "access to this resource is denied");
            Ok(Ownership::AccessDenied)
        }
        _ => Err(error),
    }
}

fn is_before(at: &DateTime, before_ms: u64) -> bool {
    at.to_millis().is_ok_and(|at| u64::try_from(at).is_ok_and(|at| at < before_ms))
}
