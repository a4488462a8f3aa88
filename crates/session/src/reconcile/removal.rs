//! Removes a session's channel and stream from KVS, if their tags name this environment and
//! session.
//!
//! KVS rejects both deletions with `ResourceInUseException` while the two are mapped to each other.
//! Therefore the mapping is disabled first, then the channel and then the stream is deleted.

use super::{Inventory, Pass, Ports};
use crate::{
    ChannelArn, ErrorKind, Ownership, PortError, SessionId, StreamArn,
    ports::{Clock, MediaRemoval},
};

/// Maximum number of attempts to delete a resource that is in use. The state usually lasts seconds:
/// a mapping was just disabled, or another pass is deleting the resource. The next pass retries.
const MAX_TRIES: u32 = 4;

/// Unmaps and deletes a channel.
pub(super) async fn channel<P: Ports>(
    pass: &Pass<'_, P>,
    session: &SessionId,
    channel: &ChannelArn,
) -> Result<(), PortError> {
    let media = pass.ports.media;
    if !may_delete(media.channel_owner(channel).await?, session, channel.as_str()) {
        return Ok(());
    }
    let mut unmapped = false;
    for attempt in 1.. {
        if !unmapped {
            let disabled = media.disable_storage(channel).await;
            unmapped = disabled.is_ok();
            if let Err(error) = disabled {
                // The channel may have no mapping; the deletion shows whether it has.
                tracing::info!(channel = %channel, %error, "mapping not disabled");
            }
        }
        if is_done(pass, attempt, media.delete_channel(channel).await).await? {
            break;
        }
    }
    Ok(())
}

/// Deletes a stream whose channel was deleted before.
pub(super) async fn stream<P: Ports>(
    pass: &Pass<'_, P>,
    session: &SessionId,
    stream: &StreamArn,
) -> Result<(), PortError> {
    let media = pass.ports.media;
    if !may_delete(media.stream_owner(stream).await?, session, stream.as_str()) {
        return Ok(());
    }
    for attempt in 1.. {
        if is_done(pass, attempt, media.delete_stream(stream).await).await? {
            break;
        }
    }
    Ok(())
}

fn may_delete(owner: Ownership, session: &SessionId, resource: &str) -> bool {
    let may = owner.is_of(session);
    if !may && owner != Ownership::NotFound {
        tracing::warn!(sessionId = %session, resource, ?owner, "not deleted: its tags do not name this environment and session");
    }
    may
}

/// Returns whether a resource is deleted or being deleted. If it is in use, waits before the next
/// attempt; returns the error of the last one.
async fn is_done<P: Ports>(
    pass: &Pass<'_, P>,
    attempt: u32,
    deletion: Result<(), PortError>,
) -> Result<bool, PortError> {
    match deletion {
        Err(error) if error.kind == ErrorKind::NotFound => Ok(true),
        Err(error) if error.kind == ErrorKind::InUse && attempt < MAX_TRIES => {
            pass.ports.context.sleep(pass.rules.removal_pause).await;
            Ok(false)
        }
        deletion => deletion.map(|()| true),
    }
}
