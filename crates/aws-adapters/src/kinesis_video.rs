//! The control plane of Kinesis Video Streams.
//!
//! Stream and channel calls differ: a stream's tags are a map, a channel's a list; channel calls
//! return `AccessDeniedException`, stream calls `NotAuthorizedException`.

use aws_sdk_kinesisvideo::{
    Client,
    config::Builder,
    types::{
        ChannelProtocol, ChannelRole, ChannelType, MediaStorageConfiguration,
        MediaStorageConfigurationStatus, SingleMasterChannelEndpointConfiguration, Status, Tag,
    },
};
use session::{
    ChannelArn, ErrorKind, PortError, SignalingEndpoints, StreamArn, Tags,
    ports::{MediaControl, MediaRemoval, ResourceState},
};

use crate::client::{Sdk, TraceHeader};
use crate::sdk_error::port_error;

mod reconcile;

/// Kinesis Video Streams in one region, seen from one environment.
#[derive(Clone, Debug)]
pub struct KinesisVideo {
    pub(crate) client: Client,
    environment: String,
    /// The key that encrypts new streams; `None`: the service's own key.
    kms_key_id: Option<String>,
}

impl KinesisVideo {
    /// Creates a client with the process's settings. New streams are encrypted with the service's
    /// own key.
    pub fn new(sdk: &Sdk, environment: String) -> Self {
        let config = Builder::from(sdk.config()).interceptor(TraceHeader).build();
        Self { client: Client::from_conf(config), environment, kms_key_id: None }
    }

    /// Encrypts new streams with this key, if there is one.
    #[must_use]
    pub fn with_key(self, kms_key_id: Option<String>) -> Self {
        Self { kms_key_id, ..self }
    }

    async fn configure_storage(
        &self,
        channel: &ChannelArn,
        status: MediaStorageConfigurationStatus,
        stream: Option<&StreamArn>,
    ) -> Result<(), PortError> {
        let operation = "UpdateMediaStorageConfiguration";
        let configuration = MediaStorageConfiguration::builder()
            .status(status)
            .set_stream_arn(stream.map(ToString::to_string))
            .build()
            .map_err(|error| unusable(operation, error))?;
        let request = self
            .client
            .update_media_storage_configuration()
            .channel_arn(channel.as_str())
            .media_storage_configuration(configuration);
        request.send().await.map(drop).map_err(|error| port_error(operation, &error))
    }
}

impl MediaRemoval for KinesisVideo {
    async fn disable_storage(&self, channel: &ChannelArn) -> Result<(), PortError> {
        let disabled = MediaStorageConfigurationStatus::Disabled;
        self.configure_storage(channel, disabled, None).await
    }

    async fn delete_channel(&self, channel: &ChannelArn) -> Result<(), PortError> {
        let request = self.client.delete_signaling_channel().channel_arn(channel.as_str());
        let output = request.send().await;
        output.map(drop).map_err(|error| port_error("DeleteSignalingChannel", &error))
    }

    async fn delete_stream(&self, stream: &StreamArn) -> Result<(), PortError> {
        let request = self.client.delete_stream().stream_arn(stream.as_str());
        request.send().await.map(drop).map_err(|error| port_error("DeleteStream", &error))
    }
}

impl MediaControl for KinesisVideo {
    async fn create_channel(&self, name: &str, tags: &Tags) -> Result<ChannelArn, PortError> {
        let operation = "CreateSignalingChannel";
        let mut request = self
            .client
            .create_signaling_channel()
            .channel_name(name)
            .channel_type(ChannelType::SingleMaster);
        for (key, value) in tags.pairs() {
            let tag = Tag::builder().key(key).value(value).build();
            request = request.tags(tag.map_err(|error| unusable(operation, error))?);
        }
        let output = request.send().await.map_err(|error| port_error(operation, &error))?;
        arn(operation, output.channel_arn())
    }

    async fn create_stream(
        &self,
        name: &str,
        tags: &Tags,
        retention_hours: u32,
    ) -> Result<StreamArn, PortError> {
        let operation = "CreateStream";
        let hours = i32::try_from(retention_hours).map_err(|error| unusable(operation, error))?;
        let mut request = self
            .client
            .create_stream()
            .stream_name(name)
            .data_retention_in_hours(hours)
            .set_kms_key_id(self.kms_key_id.clone());
        for (key, value) in tags.pairs() {
            request = request.tags(key, value);
        }
        let output = request.send().await.map_err(|error| port_error(operation, &error))?;
        arn(operation, output.stream_arn())
    }

    async fn channel_state(&self, channel: &ChannelArn) -> Result<ResourceState, PortError> {
        let request = self.client.describe_signaling_channel().channel_arn(channel.as_str());
        let output = request.send().await;
        let output = output.map_err(|error| port_error("DescribeSignalingChannel", &error))?;
        Ok(state(output.channel_info().and_then(|channel| channel.channel_status())))
    }

    async fn stream_state(&self, stream: &StreamArn) -> Result<ResourceState, PortError> {
        let request = self.client.describe_stream().stream_arn(stream.as_str());
        let output = request.send().await.map_err(|error| port_error("DescribeStream", &error))?;
        Ok(state(output.stream_info().and_then(|stream| stream.status())))
    }

    async fn enable_storage(
        &self,
        channel: &ChannelArn,
        stream: &StreamArn,
    ) -> Result<(), PortError> {
        let enabled = MediaStorageConfigurationStatus::Enabled;
        self.configure_storage(channel, enabled, Some(stream)).await
    }

    async fn endpoints(&self, channel: &ChannelArn) -> Result<SignalingEndpoints, PortError> {
        let operation = "GetSignalingChannelEndpoint";
        let wanted = SingleMasterChannelEndpointConfiguration::builder()
            .protocols(ChannelProtocol::Wss)
            .protocols(ChannelProtocol::Https)
            .protocols(ChannelProtocol::Webrtc)
            .role(ChannelRole::Master)
            .build();
        let request = self
            .client
            .get_signaling_channel_endpoint()
            .channel_arn(channel.as_str())
            .single_master_channel_endpoint_configuration(wanted);
        let output = request.send().await.map_err(|error| port_error(operation, &error))?;
        let endpoint = |protocol: ChannelProtocol| {
            let list = output.resource_endpoint_list();
            let found = list.iter().find(|item| item.protocol() == Some(&protocol));
            found
                .and_then(|item| item.resource_endpoint().map(ToOwned::to_owned))
                .ok_or_else(|| unusable(operation, format!("no {} endpoint", protocol.as_str())))
        };
        Ok(SignalingEndpoints {
            wss: endpoint(ChannelProtocol::Wss)?,
            https: endpoint(ChannelProtocol::Https)?,
            webrtc: endpoint(ChannelProtocol::Webrtc)?,
        })
    }
}

fn state(status: Option<&Status>) -> ResourceState {
    match status {
        Some(Status::Active) => ResourceState::Active,
        Some(Status::Deleting) => ResourceState::Deleting,
        _ => ResourceState::Pending,
    }
}

fn arn<A: std::str::FromStr>(operation: &'static str, text: Option<&str>) -> Result<A, PortError> {
    // The resource exists but its ARN is unknown, as after a lost response.
    let unreadable = || PortError::new(operation, ErrorKind::Unavailable, "the answer has no ARN");
    text.and_then(|text| text.parse().ok()).ok_or_else(unreadable)
}

fn unusable(operation: &'static str, error: impl ToString) -> PortError {
    PortError::new(operation, ErrorKind::Invalid, error.to_string())
}
