//! The mapping between a channel and the stream that stores its media: one to one, both ACTIVE, the
//! stream with a retention of at least an hour, with AWS's limits on the number of mappings and on
//! the rate of their changes.

use serde_json::{Value, json};

use crate::aws_error::AwsError;

use super::arn::{self, Kind};
use super::errors;
use super::input::Input;
use super::registry::{Registry, nothing};

/// Changes of mappings in a second, per account (WebRTC developer guide, service quotas: a hard
/// limit).
const CALLS_PER_SECOND: usize = 10;

/// Channels that store their media, per account (WebRTC developer guide, "Ingest media").
pub const STORAGE_CHANNELS: usize = 100;

impl Registry {
    pub(super) fn update_media_storage(
        &mut self,
        input: &Input,
        now_ms: i64,
    ) -> Result<Value, AwsError> {
        self.count_mapping_call(now_ms)?;
        input.required_text("ChannelARN")?;
        let configuration = input.required_object("MediaStorageConfiguration")?;
        let stream_arn = configuration.text("StreamARN")?;
        let enable = match configuration.required_text("Status")? {
            "ENABLED" => true,
            "DISABLED" => false,
            _ => {
                return Err(errors::invalid(
                    "MediaStorageConfiguration.Status must be ENABLED or DISABLED",
                ));
            }
        };
        if let Some(arn) = stream_arn {
            arn::name_in(arn, Kind::Stream, "MediaStorageConfiguration.StreamARN")?;
        }
        let (name, channel) = self.channel(input, "ChannelARN")?;
        channel.life.require_active(now_ms, &name)?;
        if !enable {
            channel.stores_in = None;
            channel.life.touch();
            return nothing();
        }
        let mapped_to = channel.stores_in.clone();
        let Some(stream_arn) = stream_arn else {
            return Err(errors::invalid(
                "MediaStorageConfiguration.StreamARN is required when Status is ENABLED",
            ));
        };
        self.require_stream_for(&name, stream_arn, mapped_to.as_deref(), now_ms)?;
        let mapped = self.channels.values().filter(|channel| channel.stores_in.is_some()).count();
        if mapped_to.is_none() && mapped >= self.storage_channels {
            return Err(errors::too_many_mappings(self.storage_channels));
        }
        let (_, channel) = self.channel(input, "ChannelARN")?;
        channel.stores_in = Some(stream_arn.to_owned());
        channel.life.touch();
        nothing()
    }

    fn count_mapping_call(&mut self, now_ms: i64) -> Result<(), AwsError> {
        let calls = &mut self.mapping_calls;
        while calls.front().is_some_and(|call| now_ms - call >= 1000) {
            calls.pop_front();
        }
        if calls.len() >= CALLS_PER_SECOND {
            return Err(errors::too_many_calls("UpdateMediaStorageConfiguration"));
        }
        calls.push_back(now_ms);
        Ok(())
    }

    fn require_stream_for(
        &self,
        channel: &str,
        stream_arn: &str,
        mapped_to: Option<&str>,
        now_ms: i64,
    ) -> Result<(), AwsError> {
        let stream_name = self.find_stream(None, Some(stream_arn))?;
        if let Some(stream) = self.streams.get(&stream_name) {
            stream.life.require_active(now_ms, &stream_name)?;
            if stream.retention_hours == 0 {
                return Err(errors::no_retention(&stream_name));
            }
        }
        if mapped_to.is_some_and(|mapped| mapped != stream_arn) {
            return Err(errors::in_use(format!(
                "The channel {channel} is already mapped to another stream"
            )));
        }
        let elsewhere = self
            .channels
            .iter()
            .any(|(name, other)| name != channel && other.stores_in.as_deref() == Some(stream_arn));
        if elsewhere {
            return Err(errors::in_use(format!(
                "The stream {stream_name} is already mapped to another channel"
            )));
        }
        Ok(())
    }

    pub(super) fn describe_media_storage(&mut self, input: &Input) -> Result<Value, AwsError> {
        let (_, channel) = self.channel(input, "ChannelARN")?;
        let configuration = match &channel.stores_in {
            Some(stream) => json!({ "Status": "ENABLED", "StreamARN": stream }),
            None => json!({ "Status": "DISABLED" }),
        };
        Ok(json!({ "MediaStorageConfiguration": configuration }))
    }

    pub(super) fn describe_mapped_resource(&mut self, input: &Input) -> Result<Value, AwsError> {
        input.number("MaxResults", 1..=1)?;
        let (_, stream) = self.stream(input)?;
        let arn = stream.arn.clone();
        let list: Vec<Value> = self
            .channels
            .values()
            .filter(|channel| channel.stores_in.as_deref() == Some(&arn))
            .map(|channel| json!({ "Type": "CHANNEL", "ARN": channel.arn }))
            .collect();
        Ok(json!({ "MappedResourceConfigurationList": list }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sam_template::Account;

    #[test]
    fn ten_changes_a_second_and_the_eleventh_waits_for_the_first_to_be_a_second_old() {
        let mut registry = Registry::new(Account::default(), String::new());
        for call in 0..10 {
            assert_eq!(registry.count_mapping_call(call * 10), Ok(()));
        }
        let refused = registry.count_mapping_call(999).unwrap_err();
        assert_eq!(refused.code, "ClientLimitExceededException");
        assert_eq!(registry.count_mapping_call(1000), Ok(()));
        assert!(registry.count_mapping_call(1009).is_err(), "nine of them are younger");
        assert_eq!(registry.count_mapping_call(1010), Ok(()));
    }
}
