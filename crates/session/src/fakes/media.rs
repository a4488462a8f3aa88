//! The behavior of KVS that the use cases depend on, including errors.

use std::{collections::HashMap, time::Duration};

use super::{FakeResource, State, World};
use crate::{
    ChannelArn, ErrorKind, PortError, SignalingEndpoints, StreamArn, Tags,
    ports::{MediaControl, MediaRemoval, ResourceState},
};

impl State {
    fn create(
        &mut self,
        kind: &str,
        name: &str,
        tags: Tags,
        retention_hours: u32,
    ) -> Result<String, PortError> {
        let (now, active_after) = (self.now, self.active_after);
        let shelf = if kind == "channel" { &mut self.channels } else { &mut self.streams };
        if shelf.values().any(|resource| resource.name == name) {
            return Err(PortError::new("Create", ErrorKind::InUse, "ResourceInUseException"));
        }
        let arn = format!("arn:aws:kinesisvideo:eu-west-1:123456789012:{kind}/{name}/17");
        let resource = FakeResource {
            name: name.to_owned(),
            tags: Some(tags),
            created_at: now,
            active_at: now + active_after,
            retention_hours,
            mapped_to: None,
            unmapped_at: None,
        };
        shelf.insert(arn.clone(), resource);
        Ok(arn)
    }

    /// Rejects a deletion as AWS does: of a channel while it is mapped, and of a stream while a
    /// channel is mapped to it.
    fn refuse_mapped(&self, resource: &str, arn: &str) -> Result<(), PortError> {
        let mut mapped = self.channels.iter().filter(|(_, it)| it.is_mapped(self.now));
        if !mapped.any(|(channel, it)| channel == arn || it.mapped_to.as_deref() == Some(arn)) {
            return Ok(());
        }
        let message = format!(
            "ResourceInUseException: Disable MediaStorageConfiguration to delete the {resource}"
        );
        Err(PortError::new("Delete", ErrorKind::InUse, message))
    }
}

impl FakeResource {
    /// Returns whether media storage is enabled, so that the channel has a WEBRTC endpoint.
    pub(crate) fn is_stored(&self) -> bool {
        self.mapped_to.is_some() && self.unmapped_at.is_none()
    }

    /// Returns whether its mapping prevents deletion of the channel and its stream.
    fn is_mapped(&self, now: Duration) -> bool {
        self.mapped_to.is_some() && self.unmapped_at.is_none_or(|at| at > now)
    }
}

fn not_found(operation: &'static str) -> PortError {
    PortError::new(operation, ErrorKind::NotFound, "ResourceNotFoundException")
}

fn look(
    shelf: &HashMap<String, FakeResource>,
    arn: &str,
    now: Duration,
) -> Result<ResourceState, PortError> {
    let resource = shelf.get(arn).ok_or_else(|| not_found("Describe"))?;
    Ok(if resource.active_at <= now { ResourceState::Active } else { ResourceState::Pending })
}

fn remove(
    shelf: &mut HashMap<String, FakeResource>,
    arn: &str,
    now: Duration,
) -> Result<(), PortError> {
    let resource = shelf.get(arn).ok_or_else(|| not_found("Delete"))?;
    if resource.active_at > now {
        return Err(PortError::new("Delete", ErrorKind::InUse, "ResourceInUseException"));
    }
    shelf.remove(arn);
    Ok(())
}

impl MediaRemoval for World {
    async fn disable_storage(&self, channel: &ChannelArn) -> Result<(), PortError> {
        let channel = channel.to_string();
        self.call("disable_storage", move |state| {
            let off_at = state.now + state.unmapped_after;
            let resource = state.channels.get_mut(&channel).ok_or_else(|| not_found("Update"))?;
            resource.unmapped_at.get_or_insert(off_at);
            Ok(())
        })
        .await
    }

    async fn delete_channel(&self, arn: &ChannelArn) -> Result<(), PortError> {
        let arn = arn.to_string();
        self.call("delete_channel", move |state| {
            state.refuse_mapped("channel", &arn)?;
            remove(&mut state.channels, &arn, state.now)
        })
        .await
    }

    async fn delete_stream(&self, arn: &StreamArn) -> Result<(), PortError> {
        let arn = arn.to_string();
        self.call("delete_stream", move |state| {
            state.refuse_mapped("stream", &arn)?;
            remove(&mut state.streams, &arn, state.now)
        })
        .await
    }
}

impl MediaControl for World {
    async fn create_channel(&self, name: &str, tags: &Tags) -> Result<ChannelArn, PortError> {
        let (name, tags) = (name.to_owned(), tags.clone());
        self.call("create_channel", move |state| {
            state.create("channel", &name, tags.clone(), 0).map(|arn| arn.parse().unwrap())
        })
        .await
    }

    async fn create_stream(
        &self,
        name: &str,
        tags: &Tags,
        retention_hours: u32,
    ) -> Result<StreamArn, PortError> {
        let (name, tags) = (name.to_owned(), tags.clone());
        self.call("create_stream", move |state| {
            state
                .create("stream", &name, tags.clone(), retention_hours)
                .map(|arn| arn.parse().unwrap())
        })
        .await
    }

    async fn channel_state(&self, arn: &ChannelArn) -> Result<ResourceState, PortError> {
        let arn = arn.to_string();
        self.call("channel_state", move |state| look(&state.channels, &arn, state.now)).await
    }

    async fn stream_state(&self, arn: &StreamArn) -> Result<ResourceState, PortError> {
        let arn = arn.to_string();
        self.call("stream_state", move |state| look(&state.streams, &arn, state.now)).await
    }

    async fn enable_storage(
        &self,
        channel: &ChannelArn,
        stream: &StreamArn,
    ) -> Result<(), PortError> {
        let (channel, stream) = (channel.to_string(), stream.to_string());
        self.call("enable_storage", move |state| {
            let both = [look(&state.channels, &channel, state.now)?].into_iter().chain([look(
                &state.streams,
                &stream,
                state.now,
            )?]);
            if both.into_iter().any(|found| found != ResourceState::Active) {
                return Err(PortError::new("Update", ErrorKind::InUse, "ResourceInUseException"));
            }
            if state.streams[&stream].retention_hours == 0 {
                return Err(PortError::new(
                    "Update",
                    ErrorKind::Invalid,
                    "NoDataRetentionException",
                ));
            }
            let resource = state.channels.get_mut(&channel).unwrap();
            (resource.mapped_to, resource.unmapped_at) = (Some(stream.clone()), None);
            Ok(())
        })
        .await
    }

    async fn endpoints(&self, channel: &ChannelArn) -> Result<SignalingEndpoints, PortError> {
        let channel = channel.to_string();
        self.call("endpoints", move |state| {
            if !state.channels.get(&channel).ok_or_else(|| not_found("Get"))?.is_stored() {
                return Err(PortError::new("Get", ErrorKind::Invalid, "InvalidArgumentException"));
            }
            let url = |scheme: &str| format!("{scheme}://m-1.kinesisvideo.eu-west-1.amazonaws.com");
            Ok(SignalingEndpoints { wss: url("wss"), https: url("https"), webrtc: url("https") })
        })
        .await
    }
}
