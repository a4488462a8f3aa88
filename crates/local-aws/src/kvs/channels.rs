//! Signaling channels: create, describe, list, update, delete, tags, endpoints.

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::aws_error::AwsError;
use crate::signaling;

use super::arn::{self, Kind};
use super::errors;
use super::input::{Input, add_tags};
use super::lifecycle::{Lifecycle, Status};
use super::registry::{Channel, Registry, nothing, page, seconds, with_token};

/// Channels per account (quota of us-east-1).
const CHANNELS: usize = 10_000;
const MESSAGE_TTL_SECONDS: i64 = 60;

impl Registry {
    pub(super) fn create_channel(&mut self, input: &Input, now_ms: i64) -> Result<Value, AwsError> {
        let name = input.required_name("ChannelName")?;
        if input.text("ChannelType")?.is_some_and(|kind| kind != "SINGLE_MASTER") {
            return Err(errors::invalid("ChannelType must be SINGLE_MASTER"));
        }
        let message_ttl_seconds = message_ttl(input)?.unwrap_or(MESSAGE_TTL_SECONDS);
        let tags = input.tags("Tags")?;
        if self.channels.contains_key(name) {
            return Err(errors::in_use(format!("The channel {name} already exists")));
        }
        if self.channels.len() >= CHANNELS {
            return Err(errors::too_many_channels());
        }
        let life = Lifecycle::new(now_ms, self.change_ms);
        let arn = arn::arn(&self.account, Kind::Channel, name, life.created_ms);
        let channel = Channel {
            arn: arn.clone(),
            life,
            message_ttl_seconds,
            tags,
            stores_in: None,
            deleted: CancellationToken::new(),
        };
        self.channels.insert(name.to_owned(), channel);
        Ok(json!({ "ChannelARN": arn }))
    }

    pub(super) fn describe_channel(
        &mut self,
        input: &Input,
        now_ms: i64,
    ) -> Result<Value, AwsError> {
        let (name, channel) = self.channel(input, "ChannelARN")?;
        Ok(json!({ "ChannelInfo": channel_info(&name, channel, now_ms) }))
    }

    pub(super) fn list_channels(&mut self, input: &Input, now_ms: i64) -> Result<Value, AwsError> {
        let (found, next) = page(&self.channels, input, "ChannelNameCondition")?;
        let list: Vec<Value> =
            found.iter().map(|(name, channel)| channel_info(name, channel, now_ms)).collect();
        Ok(with_token(json!({ "ChannelInfoList": list }), next))
    }

    pub(super) fn update_channel(&mut self, input: &Input, now_ms: i64) -> Result<Value, AwsError> {
        input.required_text("ChannelARN")?;
        let version = input.required_text("CurrentVersion")?;
        let ttl = message_ttl(input)?;
        let (name, channel) = self.channel(input, "ChannelARN")?;
        channel.life.require_active(now_ms, &name)?;
        channel.life.require_version(Some(version), &name)?;
        if let Some(ttl) = ttl {
            channel.message_ttl_seconds = ttl;
        }
        channel.life.touch();
        nothing()
    }

    /// Marks the channel DELETING. A mapped channel is rejected.
    pub(super) fn delete_channel(&mut self, input: &Input, now_ms: i64) -> Result<Value, AwsError> {
        input.required_text("ChannelARN")?;
        let version = input.text("CurrentVersion")?;
        let (name, channel) = self.channel(input, "ChannelARN")?;
        channel.life.require_active(now_ms, &name)?;
        channel.life.require_version(version, &name)?;
        if channel.stores_in.is_some() {
            return Err(errors::mapped(Kind::Channel.word()));
        }
        channel.life.delete(now_ms);
        channel.deleted.cancel();
        nothing()
    }

    /// Returns the endpoints of a channel. WEBRTC exists only while the channel stores its media.
    /// Without a role the endpoints are a viewer's: AWS documents no default.
    pub(super) fn get_channel_endpoint(
        &mut self,
        input: &Input,
        now_ms: i64,
    ) -> Result<Value, AwsError> {
        input.required_text("ChannelARN")?;
        let configuration =
            input.object("SingleMasterChannelEndpointConfiguration")?.unwrap_or_default();
        let protocols = configuration.texts("Protocols")?.unwrap_or_else(|| vec!["WSS", "HTTPS"]);
        let path = match configuration.text("Role")? {
            Some("MASTER") => signaling::MASTER_PATH,
            Some("VIEWER") | None => signaling::VIEWER_PATH,
            Some(_) => return Err(errors::invalid("Role must be MASTER or VIEWER")),
        };
        let (base, signaling_url) = (self.base_url.clone(), self.signaling_url.clone());
        let (name, channel) = self.channel(input, "ChannelARN")?;
        channel.life.require_active(now_ms, &name)?;
        let mut list = Vec::new();
        for protocol in protocols {
            let endpoint = match protocol {
                "WSS" => format!("{signaling_url}{path}"),
                "HTTPS" => base.clone(),
                "WEBRTC" if channel.stores_in.is_some() => base.clone(),
                "WEBRTC" => {
                    return Err(errors::invalid(format!(
                        "The channel {name} has no media storage configuration: \
                         it has no WEBRTC endpoint"
                    )));
                }
                _ => return Err(errors::invalid("Protocols must be WSS, HTTPS or WEBRTC")),
            };
            list.push(json!({ "Protocol": protocol, "ResourceEndpoint": endpoint }));
        }
        Ok(json!({ "ResourceEndpointList": list }))
    }

    pub(super) fn tag_channel(&mut self, input: &Input) -> Result<Value, AwsError> {
        input.required_text("ResourceARN")?;
        let tags = input.tags("Tags")?;
        let (_, channel) = self.channel(input, "ResourceARN")?;
        add_tags(&mut channel.tags, tags)?;
        nothing()
    }

    pub(super) fn untag_channel(&mut self, input: &Input) -> Result<Value, AwsError> {
        input.required_text("ResourceARN")?;
        let keys =
            input.texts("TagKeyList")?.ok_or_else(|| errors::invalid("TagKeyList is required"))?;
        let (_, channel) = self.channel(input, "ResourceARN")?;
        channel.tags.retain(|key, _| !keys.contains(&key.as_str()));
        nothing()
    }

    pub(super) fn list_tags_for_channel(&mut self, input: &Input) -> Result<Value, AwsError> {
        input.required_text("ResourceARN")?;
        let (_, channel) = self.channel(input, "ResourceARN")?;
        Ok(json!({ "Tags": channel.tags }))
    }
}

/// An ACTIVE channel, as its connections and storage sessions need it.
#[derive(Debug, Clone)]
pub(crate) struct ActiveChannel {
    /// The ARN of the stream that its media is stored in; `None` if media storage is not ENABLED.
    pub(crate) stores_in: Option<String>,
    /// How long an undelivered message is kept, in milliseconds.
    pub(crate) message_ttl_ms: i64,
    /// Cancelled when the channel is deleted.
    pub(crate) deleted: CancellationToken,
}

impl Registry {
    /// Returns an ACTIVE channel. Any other channel is not found by the signaling API. `member` is
    /// the name of the ARN in the request.
    pub(super) fn active_channel(
        &mut self,
        arn: &str,
        member: &str,
        now_ms: i64,
    ) -> Result<ActiveChannel, AwsError> {
        self.sweep(now_ms);
        let name = arn::name_in(arn, Kind::Channel, member)?;
        let channel = self
            .channels
            .get(name)
            .filter(|channel| channel.arn == arn && channel.life.status(now_ms) == Status::Active);
        let channel = channel.ok_or_else(|| {
            errors::not_found(format!("The channel {arn} does not exist or is not active"))
        })?;
        Ok(ActiveChannel {
            stores_in: channel.stores_in.clone(),
            message_ttl_ms: channel.message_ttl_seconds * 1000,
            deleted: channel.deleted.clone(),
        })
    }
}

fn message_ttl(input: &Input) -> Result<Option<i64>, AwsError> {
    input
        .object("SingleMasterConfiguration")?
        .unwrap_or_default()
        .number("MessageTtlSeconds", 5..=120)
}

fn channel_info(name: &str, channel: &Channel, now_ms: i64) -> Value {
    json!({
        "ChannelName": name,
        "ChannelARN": channel.arn,
        "ChannelType": "SINGLE_MASTER",
        "ChannelStatus": channel.life.status(now_ms).word(),
        "CreationTime": seconds(channel.life.created_ms),
        "SingleMasterConfiguration": { "MessageTtlSeconds": channel.message_ttl_seconds },
        "Version": channel.life.version,
    })
}
