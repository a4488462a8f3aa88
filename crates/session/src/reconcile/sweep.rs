//! Deletes channels and streams with this environment's tags that belong to no session.
//!
//! A stream with a younger channel is kept until its channel is old enough too, because KVS rejects
//! the deletion of a stream that a channel is mapped to.

use std::collections::BTreeSet;

use super::dead_letters::{DeadLetterScan, Eligible, Retention, retention};
use super::{FirstError, Inventory, Pass, Ports, Resource, Streams, Summary, removal};
use crate::{
    PortError, SessionId, WarmPair,
    ports::{SessionLookup, WarmPairs},
};

/// Maximum number of resources deleted per pass.
const MAX_SWEPT: u64 = 50;

pub(super) async fn run<P: Ports>(
    pass: &Pass<'_, P>,
    summary: &mut Summary,
    letters: &DeadLetterScan,
    errors: &mut FirstError,
) -> Result<(), PortError> {
    let ports = pass.ports;
    let before = pass.ago(pass.rules.stream_keep.max(pass.rules.min_age));
    let resources = ports.media.created_before(before).await?;
    // Channels and streams of warm pairs have no session yet. A pair that is taken after it was
    // read here is still in the list, and one that was taken before has a session.
    let pairs = ports.sessions.warm_pairs(&pass.rules.environment, WarmPair::MAX).await?;
    let is_channel = |resource: &Resource| matches!(resource, Resource::Channel(_));
    let old_channels = resources.iter().filter(|(_, resource)| is_channel(resource));
    let old_channels: BTreeSet<_> = old_channels.map(|(id, _)| id.clone()).collect();
    for (id, resource) in resources {
        let is_warm = pairs.iter().any(|pair| pair.session_id == id);
        if summary.swept >= MAX_SWEPT || is_warm || ports.sessions.get(&id).await?.is_some() {
            continue;
        }
        // A record may be lost, so a stream that was not read to its end is kept.
        let item = ports.streams.load(&id).await?;
        if item.as_ref().is_some_and(|item| !item.ended) {
            continue;
        }
        let eligible = Eligible { unseen_chunk: true, event: item.is_none() };
        let removed = match resource {
            Resource::Stream(stream)
                if retention(letters, &stream, id.as_str(), eligible) != Retention::Unneeded =>
            {
                continue;
            }
            Resource::Stream(_) if has_younger_channel(pass, &id, &old_channels).await? => continue,
            Resource::Stream(stream) => {
                pass.repair("sweep", &id, removal::stream(pass, &id, &stream)).await
            }
            Resource::Channel(channel) => {
                pass.repair("sweep", &id, removal::channel(pass, &id, &channel)).await
            }
        };
        if removed.is_ok() {
            tracing::warn!(sessionId = %id, "deleted orphaned KVS resource");
            summary.swept += 1;
        }
        errors.take(&id, removed);
    }
    Ok(())
}

async fn has_younger_channel<P: Ports>(
    pass: &Pass<'_, P>,
    id: &SessionId,
    old_channels: &BTreeSet<SessionId>,
) -> Result<bool, PortError> {
    if old_channels.contains(id) {
        return Ok(false);
    }
    Ok(pass.ports.media.channel_named(&id.channel_name()).await?.is_some())
}
