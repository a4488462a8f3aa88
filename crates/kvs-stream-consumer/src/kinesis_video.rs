//! The control plane of Kinesis Video Streams: endpoints, mappings, tags, deletion.

use std::collections::HashMap;

use aws_sdk_kinesisvideo::Client;
use aws_sdk_kinesisvideo::config::Builder;
use aws_sdk_kinesisvideo::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_kinesisvideo::operation::list_tags_for_stream::ListTagsForStreamError;
use aws_sdk_kinesisvideo::types::{
    ApiName, ChannelNameCondition, ComparisonOperator, MediaStorageConfiguration,
    MediaStorageConfigurationStatus, StreamNameCondition,
};
use lambda_shell::aws::TraceHeader;
use relay::StoreError;
use relay::ports::OpenError;
use session::{ChannelArn, SessionId, StreamArn};

/// The tag that says which environment a resource belongs to.
const ENV_TAG: &str = "env";
/// The tag that names a resource's session.
const SESSION_TAG: &str = "sessionId";
/// What every channel and stream of ours is called by.
const PREFIX: &str = "session-";
/// Most pages of a listing that one sweep reads.
const PAGES: usize = 20;

/// The control plane.
#[derive(Debug, Clone)]
pub(crate) struct KinesisVideo {
    client: Client,
    environment: String,
}

/// Whose a stream is, by its tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Belongs {
    /// To this environment, and to this session when a tag names one.
    Here(Option<SessionId>),
    /// To another one, or to nobody who says so.
    Elsewhere,
    /// There is no such stream.
    Nowhere,
    /// This function may not ask: another account's, or its role is wrong. It may well be there.
    Hidden,
}

/// What KVS answers to a deletion.
#[derive(Debug)]
pub(crate) enum Deletion {
    /// The resource is gone, or on its way.
    Done,
    /// `ResourceInUseException`, in AWS's words: it is mapped, or not ACTIVE.
    InUse(StoreError),
}

/// A resource found by a sweep, ours by its tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Resource {
    /// A stream.
    Stream(StreamArn),
    /// A signaling channel.
    Channel(ChannelArn),
}

impl KinesisVideo {
    pub(crate) fn new(sdk: &aws_config::SdkConfig, environment: String) -> Self {
        let config = Builder::from(sdk).interceptor(TraceHeader).build();
        Self { client: Client::from_conf(config), environment }
    }

    /// Where to call GetMedia for a stream.
    pub(crate) async fn media_endpoint(&self, stream: &StreamArn) -> Result<String, OpenError> {
        let call = self.client.get_data_endpoint().stream_arn(stream.as_str());
        match call.api_name(ApiName::GetMedia).send().await {
            Ok(output) => output
                .data_endpoint
                .ok_or_else(|| OpenError::Refused("GetDataEndpoint without endpoint".to_owned())),
            Err(error) => Err(match error.code().unwrap_or_default() {
                "ResourceNotFoundException" => OpenError::NoStream,
                "ClientLimitExceededException" => OpenError::Throttled("GetDataEndpoint".into()),
                _ => OpenError::Refused(DisplayErrorContext(error).to_string()),
            }),
        }
    }

    /// The stream a channel is mapped to; `None` when it is gone, not mapped or not to be asked about.
    pub(crate) async fn mapped_stream(
        &self,
        channel: &ChannelArn,
    ) -> Result<Option<StreamArn>, StoreError> {
        let call = self.client.describe_media_storage_configuration();
        match call.channel_arn(channel.as_str()).send().await {
            Ok(output) => Ok(output
                .media_storage_configuration
                .and_then(|configuration| configuration.stream_arn?.parse().ok())),
            Err(error) if gone(&error) => Ok(None),
            Err(error) if denied(&error) => {
                may_not_ask(channel.as_str(), error);
                Ok(None)
            }
            Err(error) => Err(store_error(error)),
        }
    }

    /// Whether there is such a channel, and it is of this environment.
    pub(crate) async fn owns_channel(&self, channel: &ChannelArn) -> Result<bool, StoreError> {
        let tags = self.channel_tags(channel).await?;
        Ok(tags.is_some_and(|tags| self.may_delete(channel.as_str(), &tags)))
    }

    /// Whether there is such a stream, and it is of this environment.
    pub(crate) async fn owns_stream(&self, stream: &StreamArn) -> Result<bool, StoreError> {
        let tags = self.stream_tags(stream).await?;
        Ok(tags.is_some_and(|tags| self.may_delete(stream.as_str(), &tags)))
    }

    fn may_delete(&self, resource: &str, tags: &HashMap<String, String>) -> bool {
        let ours = self.ours(tags);
        if !ours {
            tracing::warn!(resource, "not deleted: it is not of this environment");
        }
        ours
    }

    /// Disables a channel's media storage, which takes the channel's ARN only.
    pub(crate) async fn unmap(&self, channel: &ChannelArn) -> Result<(), StoreError> {
        let disabled = MediaStorageConfiguration::builder()
            .status(MediaStorageConfigurationStatus::Disabled)
            .build()
            .map_err(|error| permanent(error.to_string()))?;
        let unmap = self.client.update_media_storage_configuration();
        let unmap = unmap.channel_arn(channel.as_str()).media_storage_configuration(disabled);
        unmap.send().await.map(drop).map_err(store_error)
    }

    /// Deletes a channel.
    pub(crate) async fn delete_channel(
        &self,
        channel: &ChannelArn,
    ) -> Result<Deletion, StoreError> {
        let call = self.client.delete_signaling_channel().channel_arn(channel.as_str());
        deletion(call.send().await)
    }

    /// Deletes a stream and what it holds.
    pub(crate) async fn delete_stream(&self, stream: &StreamArn) -> Result<Deletion, StoreError> {
        deletion(self.client.delete_stream().stream_arn(stream.as_str()).send().await)
    }

    /// Whose `stream` is.
    pub(crate) async fn belongs(&self, stream: &StreamArn) -> Result<Belongs, StoreError> {
        let tags = match self.tags_of(stream).await {
            Err(error) if denied(&error) => {
                may_not_ask(stream.as_str(), error);
                return Ok(Belongs::Hidden);
            }
            tags => tags.map_err(store_error)?,
        };
        Ok(match tags {
            Some(tags) if self.ours(&tags) => Belongs::Here(self.session_of(&tags)),
            Some(_) => Belongs::Elsewhere,
            None => Belongs::Nowhere,
        })
    }

    /// The stream of a name, whoever made it.
    pub(crate) async fn stream_named(&self, name: &str) -> Result<Option<StreamArn>, StoreError> {
        match self.client.describe_stream().stream_name(name).send().await {
            Ok(output) => Ok(output.stream_info.and_then(|info| info.stream_arn?.parse().ok())),
            Err(error) if gone(&error) => Ok(None),
            Err(error) => Err(store_error(error)),
        }
    }

    /// The channel of a name, whoever made it.
    pub(crate) async fn channel_named(&self, name: &str) -> Result<Option<ChannelArn>, StoreError> {
        match self.client.describe_signaling_channel().channel_name(name).send().await {
            Ok(output) => Ok(output.channel_info.and_then(|info| info.channel_arn?.parse().ok())),
            Err(error) if gone(&error) => Ok(None),
            Err(error) => Err(store_error(error)),
        }
    }

    /// Every channel and stream of this environment that is older than `before_ms`, with the
    /// session it was made for. Channels first: a stream can be deleted only once its channel is
    /// unmapped.
    pub(crate) async fn ours_created_before(
        &self,
        before_ms: i64,
    ) -> Result<Vec<(SessionId, Resource)>, StoreError> {
        let mut found = Vec::new();
        for channel in self.channels(before_ms).await? {
            if let Some(tags) = self.channel_tags(&channel).await? {
                found.extend(self.session_of(&tags).map(|id| (id, Resource::Channel(channel))));
            }
        }
        for stream in self.streams(before_ms).await? {
            if let Some(tags) = self.stream_tags(&stream).await? {
                found.extend(self.session_of(&tags).map(|id| (id, Resource::Stream(stream))));
            }
        }
        Ok(found)
    }

    async fn streams(&self, before_ms: i64) -> Result<Vec<StreamArn>, StoreError> {
        let condition = StreamNameCondition::builder()
            .comparison_operator(ComparisonOperator::BeginsWith)
            .comparison_value(PREFIX)
            .build();
        let (mut found, mut token) = (Vec::new(), None);
        for _ in 0..PAGES {
            let call = self.client.list_streams().stream_name_condition(condition.clone());
            let output = call.set_next_token(token).send().await.map_err(store_error)?;
            let old = output.stream_info_list().iter().filter(|info| {
                info.creation_time().is_some_and(|at| at.to_millis().is_ok_and(|at| at < before_ms))
            });
            found.extend(old.filter_map(|info| info.stream_arn()?.parse::<StreamArn>().ok()));
            token = output.next_token;
            if token.is_none() {
                break;
            }
        }
        Ok(found)
    }

    async fn channels(&self, before_ms: i64) -> Result<Vec<ChannelArn>, StoreError> {
        let condition = ChannelNameCondition::builder()
            .comparison_operator(ComparisonOperator::BeginsWith)
            .comparison_value(PREFIX)
            .build();
        let (mut found, mut token) = (Vec::new(), None);
        for _ in 0..PAGES {
            let call = self.client.list_signaling_channels();
            let call = call.channel_name_condition(condition.clone()).set_next_token(token);
            let output = call.send().await.map_err(store_error)?;
            let old = output.channel_info_list().iter().filter(|info| {
                info.creation_time().is_some_and(|at| at.to_millis().is_ok_and(|at| at < before_ms))
            });
            found.extend(old.filter_map(|info| info.channel_arn()?.parse::<ChannelArn>().ok()));
            token = output.next_token;
            if token.is_none() {
                break;
            }
        }
        Ok(found)
    }

    /// `None` when the stream is gone.
    async fn stream_tags(
        &self,
        stream: &StreamArn,
    ) -> Result<Option<HashMap<String, String>>, StoreError> {
        self.tags_of(stream).await.map_err(store_error)
    }

    async fn tags_of(
        &self,
        stream: &StreamArn,
    ) -> Result<Option<HashMap<String, String>>, SdkError<ListTagsForStreamError>> {
        match self.client.list_tags_for_stream().stream_arn(stream.as_str()).send().await {
            Ok(output) => Ok(Some(output.tags.unwrap_or_default())),
            Err(error) if gone(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// `None` when the channel is gone.
    async fn channel_tags(
        &self,
        channel: &ChannelArn,
    ) -> Result<Option<HashMap<String, String>>, StoreError> {
        match self.client.list_tags_for_resource().resource_arn(channel.as_str()).send().await {
            Ok(output) => Ok(Some(output.tags.unwrap_or_default())),
            Err(error) if gone(&error) => Ok(None),
            Err(error) => Err(store_error(error)),
        }
    }

    fn ours(&self, tags: &HashMap<String, String>) -> bool {
        tags.get(ENV_TAG).is_some_and(|environment| *environment == self.environment)
    }

    fn session_of(&self, tags: &HashMap<String, String>) -> Option<SessionId> {
        tags.get(SESSION_TAG).filter(|_| self.ours(tags))?.parse().ok()
    }
}

/// Deleting or describing what is no longer there.
fn gone<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    error.code() == Some("ResourceNotFoundException")
}

fn deletion<T, E, R>(answer: Result<T, SdkError<E, R>>) -> Result<Deletion, StoreError>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    match answer {
        Ok(_) => Ok(Deletion::Done),
        Err(error) if gone(&error) => Ok(Deletion::Done),
        Err(error) if error.code() == Some("ResourceInUseException") => {
            Ok(Deletion::InUse(store_error(error)))
        }
        Err(error) => Err(store_error(error)),
    }
}

/// The role speaks of this account's sessions only: what an event names elsewhere is denied, however
/// often it is asked for.
fn denied<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    matches!(error.code(), Some("AccessDeniedException" | "NotAuthorizedException"))
}

/// AWS's words are logged: they name the action, should it be the role that is wrong.
fn may_not_ask<E: std::error::Error + 'static>(what: &str, error: E) {
    tracing::warn!(resource = what, error = %DisplayErrorContext(error), "may not be asked about");
}

fn permanent(message: String) -> StoreError {
    StoreError { message, retryable: false }
}

fn store_error<E, R>(error: SdkError<E, R>) -> StoreError
where
    E: std::error::Error + 'static,
    R: std::fmt::Debug,
{
    StoreError { message: DisplayErrorContext(error).to_string(), retryable: true }
}
