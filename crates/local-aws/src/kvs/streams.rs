//! Streams: create, describe, list, update, delete, retention, storage tier, tags, data endpoint.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::aws_error::AwsError;

use super::arn::{self, Kind};
use super::errors;
use super::fragment_store::FragmentStore;
use super::input::{Input, add_tags};
use super::lifecycle::Lifecycle;
use super::registry::{Registry, Stream, nothing, page, seconds, with_token};

/// Streams per account (quota of us-east-1).
const STREAMS: usize = 10_000;
/// Ten years: the longest retention.
const RETENTION_HOURS: i64 = 87_600;
const DATA_APIS: [&str; 8] = [
    "PUT_MEDIA",
    "GET_MEDIA",
    "LIST_FRAGMENTS",
    "GET_MEDIA_FOR_FRAGMENT_LIST",
    "GET_HLS_STREAMING_SESSION_URL",
    "GET_DASH_STREAMING_SESSION_URL",
    "GET_CLIP",
    "GET_IMAGES",
];

impl Registry {
    pub(super) fn create_stream(&mut self, input: &Input, now_ms: i64) -> Result<Value, AwsError> {
        let name = input.required_name("StreamName")?;
        let retention_hours =
            input.number("DataRetentionInHours", 0..=RETENTION_HOURS)?.unwrap_or_default();
        let tags = input.tags("Tags")?;
        let storage_tier = storage_tier(input)?;
        if self.streams.contains_key(name) {
            return Err(errors::in_use(format!("The stream {name} already exists")));
        }
        if self.streams.len() >= STREAMS {
            return Err(errors::too_many_streams());
        }
        let life = Lifecycle::new(now_ms, self.change_ms);
        let arn = arn::arn(&self.account, Kind::Stream, name, life.created_ms);
        let stream = Stream {
            arn: arn.clone(),
            life,
            device_name: input.text("DeviceName")?.map(str::to_owned),
            media_type: input.text("MediaType")?.map(str::to_owned),
            kms_key: input
                .text("KmsKeyId")?
                .map_or_else(|| self.account.arn("kms", "alias/aws/kinesisvideo"), str::to_owned),
            retention_hours,
            storage_tier,
            tags,
            store: Arc::new(FragmentStore::new(name, retention_hours)),
        };
        self.streams.insert(name.to_owned(), stream);
        Ok(json!({ "StreamARN": arn }))
    }

    pub(super) fn describe_stream(
        &mut self,
        input: &Input,
        now_ms: i64,
    ) -> Result<Value, AwsError> {
        let (name, stream) = self.stream(input)?;
        Ok(json!({ "StreamInfo": stream_info(&name, stream, now_ms) }))
    }

    pub(super) fn list_streams(&mut self, input: &Input, now_ms: i64) -> Result<Value, AwsError> {
        let (found, next) = page(&self.streams, input, "StreamNameCondition")?;
        let list: Vec<Value> =
            found.iter().map(|(name, stream)| stream_info(name, stream, now_ms)).collect();
        Ok(with_token(json!({ "StreamInfoList": list }), next))
    }

    pub(super) fn update_stream(&mut self, input: &Input, now_ms: i64) -> Result<Value, AwsError> {
        let version = input.required_text("CurrentVersion")?;
        let (name, stream) = self.stream(input)?;
        stream.life.require_active(now_ms, &name)?;
        stream.life.require_version(Some(version), &name)?;
        if let Some(device) = input.text("DeviceName")? {
            stream.device_name = Some(device.to_owned());
        }
        if let Some(media_type) = input.text("MediaType")? {
            stream.media_type = Some(media_type.to_owned());
        }
        stream.life.touch();
        nothing()
    }

    /// Marks the stream DELETING; its data is unreadable at once, open readers end. A mapped stream
    /// is rejected.
    pub(super) fn delete_stream(&mut self, input: &Input, now_ms: i64) -> Result<Value, AwsError> {
        let version = input.text("CurrentVersion")?;
        let arn = input.required_text("StreamARN")?;
        let mapped = self.channels.values().any(|it| it.stores_in.as_deref() == Some(arn));
        let (name, stream) = self.stream(input)?;
        stream.life.require_active(now_ms, &name)?;
        stream.life.require_version(version, &name)?;
        if mapped {
            return Err(errors::mapped(Kind::Stream.word()));
        }
        stream.life.delete(now_ms);
        stream.store.close();
        nothing()
    }

    pub(super) fn update_data_retention(
        &mut self,
        input: &Input,
        now_ms: i64,
    ) -> Result<Value, AwsError> {
        let version = input.required_text("CurrentVersion")?;
        let change = input
            .number("DataRetentionChangeInHours", 1..=RETENTION_HOURS)?
            .ok_or_else(|| errors::invalid("DataRetentionChangeInHours is required"))?;
        let signed = match input.required_text("Operation")? {
            "INCREASE_DATA_RETENTION" => change,
            "DECREASE_DATA_RETENTION" => -change,
            _ => {
                return Err(errors::invalid(
                    "Operation must be INCREASE_DATA_RETENTION or DECREASE_DATA_RETENTION",
                ));
            }
        };
        let (name, stream) = self.stream(input)?;
        stream.life.require_active(now_ms, &name)?;
        stream.life.require_version(Some(version), &name)?;
        let hours = stream.retention_hours + signed;
        if !(0..=RETENTION_HOURS).contains(&hours) {
            return Err(errors::invalid(format!(
                "The retention would be {hours} hours: it must stay within 0 and {RETENTION_HOURS}"
            )));
        }
        stream.retention_hours = hours;
        stream.store.keep_for(hours);
        stream.life.touch();
        nothing()
    }

    pub(super) fn describe_stream_storage(&mut self, input: &Input) -> Result<Value, AwsError> {
        let (name, stream) = self.stream(input)?;
        Ok(json!({
            "StreamName": name,
            "StreamARN": stream.arn,
            "StreamStorageConfiguration": { "DefaultStorageTier": stream.storage_tier },
        }))
    }

    pub(super) fn update_stream_storage(
        &mut self,
        input: &Input,
        now_ms: i64,
    ) -> Result<Value, AwsError> {
        let version = input.required_text("CurrentVersion")?;
        input.required_object("StreamStorageConfiguration")?;
        let tier = storage_tier(input)?;
        let (name, stream) = self.stream(input)?;
        stream.life.require_active(now_ms, &name)?;
        stream.life.require_version(Some(version), &name)?;
        stream.storage_tier = tier;
        stream.life.touch();
        nothing()
    }

    /// Returns the URL of this server: the data plane is on the same port.
    pub(super) fn get_data_endpoint(&mut self, input: &Input) -> Result<Value, AwsError> {
        let api = input.required_text("APIName")?;
        if !DATA_APIS.contains(&api) {
            return Err(errors::invalid(format!("APIName must be one of {DATA_APIS:?}")));
        }
        self.stream_name(input)?;
        Ok(json!({ "DataEndpoint": self.base_url }))
    }

    pub(super) fn tag_stream(&mut self, input: &Input) -> Result<Value, AwsError> {
        let tags = input.tags("Tags")?;
        let (_, stream) = self.stream(input)?;
        add_tags(&mut stream.tags, tags)?;
        nothing()
    }

    pub(super) fn untag_stream(&mut self, input: &Input) -> Result<Value, AwsError> {
        let keys =
            input.texts("TagKeyList")?.ok_or_else(|| errors::invalid("TagKeyList is required"))?;
        let (_, stream) = self.stream(input)?;
        stream.tags.retain(|key, _| !keys.contains(&key.as_str()));
        nothing()
    }

    pub(super) fn list_tags_for_stream(&mut self, input: &Input) -> Result<Value, AwsError> {
        let (_, stream) = self.stream(input)?;
        Ok(json!({ "Tags": stream.tags }))
    }
}

fn stream_info(name: &str, stream: &Stream, now_ms: i64) -> Value {
    let mut info = json!({
        "StreamName": name,
        "StreamARN": stream.arn,
        "KmsKeyId": stream.kms_key,
        "Version": stream.life.version,
        "Status": stream.life.status(now_ms).word(),
        "CreationTime": seconds(stream.life.created_ms),
        "DataRetentionInHours": stream.retention_hours,
    });
    if let Some(device) = &stream.device_name {
        info["DeviceName"] = json!(device);
    }
    if let Some(media_type) = &stream.media_type {
        info["MediaType"] = json!(media_type);
    }
    info
}

fn storage_tier(input: &Input) -> Result<String, AwsError> {
    let configuration = input.object("StreamStorageConfiguration")?.unwrap_or_default();
    match configuration.text("DefaultStorageTier")?.unwrap_or("HOT") {
        tier @ ("HOT" | "WARM") => Ok(tier.to_owned()),
        _ => Err(errors::invalid("DefaultStorageTier must be HOT or WARM")),
    }
}
