//! The streams and channels of the account, and the look-up of the one that a request names.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::aws_error::AwsError;
use sam_template::Account;

use super::arn::{self, Kind};
use super::errors;
use super::fragment_store::FragmentStore;
use super::input::Input;
use super::lifecycle::{CHANGE_MS, Lifecycle};
use super::sent_log::SentLog;

/// Deleted streams whose [`SentLog`] is kept.
const DELETED: usize = 64;

/// A stream and its store.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) arn: String,
    pub(super) life: Lifecycle,
    pub(super) device_name: Option<String>,
    pub(super) media_type: Option<String>,
    pub(super) kms_key: String,
    pub(super) retention_hours: i64,
    pub(super) storage_tier: String,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) store: Arc<FragmentStore>,
}

/// A signaling channel.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) arn: String,
    pub(super) life: Lifecycle,
    pub(super) message_ttl_seconds: i64,
    pub(super) tags: BTreeMap<String, String>,
    /// The ARN of the stream that its media is stored in, while storage is ENABLED.
    pub(super) stores_in: Option<String>,
    /// Cancelled when the channel is deleted: its connections end.
    pub(super) deleted: CancellationToken,
}

/// The state of the control plane.
#[derive(Debug)]
pub(super) struct Registry {
    pub(super) account: Account,
    /// The URL that GetDataEndpoint and GetSignalingChannelEndpoint return.
    pub(super) base_url: String,
    /// The URL of the WebSockets of signaling.
    pub(super) signaling_url: String,
    /// How long a stream or channel is CREATING or DELETING, in ms of the scaled clock.
    pub(super) change_ms: u32,
    /// Channels that may store their media.
    pub(super) storage_channels: usize,
    pub(super) streams: BTreeMap<String, Stream>,
    pub(super) channels: BTreeMap<String, Channel>,
    /// When mappings were changed in the last second, oldest first.
    pub(super) mapping_calls: VecDeque<i64>,
    /// What the last deleted streams sent, oldest first.
    deleted: VecDeque<(String, Arc<SentLog>)>,
}

impl Registry {
    /// Creates an account without streams and channels.
    pub(super) fn new(account: Account, base_url: String) -> Self {
        Self {
            account,
            signaling_url: base_url.replacen("http", "ws", 1),
            base_url,
            change_ms: CHANGE_MS,
            storage_channels: super::STORAGE_CHANNELS,
            streams: BTreeMap::new(),
            channels: BTreeMap::new(),
            mapping_calls: VecDeque::new(),
            deleted: VecDeque::new(),
        }
    }

    /// Runs one operation of the control plane and returns the body of its answer.
    ///
    /// # Errors
    /// The error that AWS returns for the call.
    pub(super) fn run(
        &mut self,
        operation: &str,
        input: &Input,
        now_ms: i64,
    ) -> Result<Value, AwsError> {
        self.sweep(now_ms);
        match operation {
            "CreateStream" => self.create_stream(input, now_ms),
            "DescribeStream" => self.describe_stream(input, now_ms),
            "ListStreams" => self.list_streams(input, now_ms),
            "UpdateStream" => self.update_stream(input, now_ms),
            "DeleteStream" => self.delete_stream(input, now_ms),
            "UpdateDataRetention" => self.update_data_retention(input, now_ms),
            "DescribeStreamStorageConfiguration" => self.describe_stream_storage(input),
            "UpdateStreamStorageConfiguration" => self.update_stream_storage(input, now_ms),
            "GetDataEndpoint" => self.get_data_endpoint(input),
            "TagStream" => self.tag_stream(input),
            "UntagStream" => self.untag_stream(input),
            "ListTagsForStream" => self.list_tags_for_stream(input),
            "CreateSignalingChannel" => self.create_channel(input, now_ms),
            "DescribeSignalingChannel" => self.describe_channel(input, now_ms),
            "ListSignalingChannels" => self.list_channels(input, now_ms),
            "UpdateSignalingChannel" => self.update_channel(input, now_ms),
            "DeleteSignalingChannel" => self.delete_channel(input, now_ms),
            "GetSignalingChannelEndpoint" => self.get_channel_endpoint(input, now_ms),
            "TagResource" => self.tag_channel(input),
            "UntagResource" => self.untag_channel(input),
            "ListTagsForResource" => self.list_tags_for_channel(input),
            "UpdateMediaStorageConfiguration" => self.update_media_storage(input, now_ms),
            "DescribeMediaStorageConfiguration" => self.describe_media_storage(input),
            "DescribeMappedResourceConfiguration" => self.describe_mapped_resource(input),
            other => Err(AwsError::not_implemented("kinesisvideo", other)),
        }
    }

    /// Removes resources whose deletion is complete.
    pub(super) fn sweep(&mut self, now_ms: i64) {
        let gone = self.streams.extract_if(.., |_, stream| stream.life.is_gone(now_ms));
        self.deleted.extend(gone.map(|(name, stream)| (name, stream.store.sent_log())));
        while self.deleted.len() > DELETED {
            self.deleted.pop_front();
        }
        self.channels.retain(|_, channel| !channel.life.is_gone(now_ms));
    }

    /// Returns what a stream sent, or the last deleted stream of this name.
    pub(super) fn sent_log(&self, stream: &str) -> Option<Arc<SentLog>> {
        let deleted = || self.deleted.iter().rev().find(|(name, _)| name == stream);
        let existing = self.streams.get(stream).map(|stream| stream.store.sent_log());
        existing.or_else(|| deleted().map(|(_, log)| Arc::clone(log)))
    }

    /// Returns the name of the stream that StreamName or StreamARN identifies.
    pub(super) fn stream_name(&self, input: &Input) -> Result<String, AwsError> {
        let name = input.name("StreamName")?;
        let arn = input.text("StreamARN")?;
        self.find_stream(name, arn)
    }

    /// Returns the name of the existing stream that a name or an ARN identifies.
    pub(super) fn find_stream(
        &self,
        name: Option<&str>,
        arn: Option<&str>,
    ) -> Result<String, AwsError> {
        let meant = meant(name, arn, Kind::Stream, "StreamName", "StreamARN")?;
        match self.streams.get(meant) {
            Some(stream) if arn.is_none_or(|arn| arn == stream.arn) => Ok(meant.to_owned()),
            _ => Err(absent(Kind::Stream, arn.unwrap_or(meant))),
        }
    }

    /// Returns the stream that StreamName or StreamARN identifies.
    pub(super) fn stream(&mut self, input: &Input) -> Result<(String, &mut Stream), AwsError> {
        let name = self.stream_name(input)?;
        match self.streams.get_mut(&name) {
            Some(stream) => Ok((name, stream)),
            None => Err(absent(Kind::Stream, &name)),
        }
    }

    /// Returns the channel that ChannelName or the ARN in `arn_member` identifies.
    pub(super) fn channel(
        &mut self,
        input: &Input,
        arn_member: &str,
    ) -> Result<(String, &mut Channel), AwsError> {
        let name = if arn_member == "ChannelARN" { input.name("ChannelName")? } else { None };
        let arn = input.text(arn_member)?;
        let meant = meant(name, arn, Kind::Channel, "ChannelName", arn_member)?.to_owned();
        match self.channels.get_mut(&meant) {
            Some(channel) if arn.is_none_or(|arn| arn == channel.arn) => Ok((meant, channel)),
            _ => Err(absent(Kind::Channel, arn.unwrap_or(&meant))),
        }
    }
}

fn meant<'a>(
    name: Option<&'a str>,
    arn: Option<&'a str>,
    kind: Kind,
    name_member: &str,
    arn_member: &str,
) -> Result<&'a str, AwsError> {
    let in_arn = arn.map(|arn| arn::name_in(arn, kind, arn_member)).transpose()?;
    match (name, in_arn) {
        (Some(name), Some(other)) if name != other => Err(errors::invalid(format!(
            "{name_member} and {arn_member} name two different resources"
        ))),
        (Some(name), _) | (None, Some(name)) => Ok(name),
        (None, None) => Err(errors::invalid(format!("{name_member} or {arn_member} is required"))),
    }
}

fn absent(kind: Kind, what: &str) -> AwsError {
    let word = match kind {
        Kind::Stream => "stream",
        Kind::Channel => "signaling channel",
    };
    errors::not_found(format!("The requested {word} is not found or not active: {what}"))
}

/// Names with their resources, and the token of the next page.
type Page<'a, T> = (Vec<(&'a String, &'a T)>, Option<String>);

/// Returns one page of names, starting at the token's name, filtered by a BEGINS_WITH condition.
///
/// # Errors
/// `InvalidArgumentException` on a bad token, limit or condition.
pub(super) fn page<'a, T>(
    all: &'a BTreeMap<String, T>,
    input: &Input,
    condition: &str,
) -> Result<Page<'a, T>, AwsError> {
    let most = usize::try_from(input.number("MaxResults", 1..=10_000)?.unwrap_or(10_000))
        .unwrap_or(10_000);
    let prefix = match input.object(condition)? {
        None => String::new(),
        Some(rule) => {
            if rule.text("ComparisonOperator")?.is_some_and(|operator| operator != "BEGINS_WITH") {
                return Err(errors::invalid(format!(
                    "{condition}.ComparisonOperator must be BEGINS_WITH"
                )));
            }
            rule.text("ComparisonValue")?.unwrap_or_default().to_owned()
        }
    };
    let from = match input.text("NextToken")? {
        None | Some("") => String::new(),
        Some(token) => read_token(token)?,
    };
    let mut found: Vec<(&String, &T)> =
        all.range(from..).filter(|(name, _)| name.starts_with(&prefix)).take(most + 1).collect();
    let next = (found.len() > most).then(|| found.pop()).flatten();
    Ok((found, next.map(|(name, _)| BASE64.encode(name))))
}

fn read_token(token: &str) -> Result<String, AwsError> {
    BASE64
        .decode(token)
        .ok()
        .and_then(|name| String::from_utf8(name).ok())
        .ok_or_else(|| errors::invalid("NextToken is not one that a list call returned"))
}

/// Returns a body with its NextToken, which is absent on the last page.
pub(super) fn with_token(mut body: Value, token: Option<String>) -> Value {
    if let Some(token) = token {
        body["NextToken"] = json!(token);
    }
    body
}

/// Formats milliseconds as the API's timestamp: seconds since the epoch.
pub(super) fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

/// Returns an empty answer.
pub(super) fn nothing() -> Result<Value, AwsError> {
    Ok(json!({}))
}
