//! Removes a session's channel and stream from KVS, if their tags name this environment and session.
//!
//! KVS refuses both deletions with `ResourceInUseException` while the two are mapped to each other,
//! so the mapping goes first, then the channel, then the stream.

use std::time::Duration;

use relay::{Clock, SystemClock};
use session::ports::MediaControl as _;
use session::{ChannelArn, ErrorKind, Ownership, PortError, SessionId, StreamArn};

use super::Check;

/// Tries of a deletion that KVS refuses because the resource is in use. That passes within seconds:
/// a mapping that was just disabled, or a resource that another health check is deleting. What
/// stays in use is left to the next health check.
const TRIES: u32 = 4;
/// Between two tries. One channel takes 5 calls a second, and mapping changes are 10 a second for
/// the whole account.
const PAUSE: Duration = Duration::from_secs(1);

/// Unmaps and deletes a channel.
pub(super) async fn channel(
    check: &Check<'_>,
    session: &SessionId,
    channel: &ChannelArn,
) -> Result<(), PortError> {
    let kinesis_video = &check.aws.kinesis_video;
    if !may_delete(kinesis_video.channel_owner(channel).await?, session, channel.as_str()) {
        return Ok(());
    }
    let mut unmapped = false;
    for attempt in 1.. {
        if !unmapped {
            let disabled = kinesis_video.disable_storage(channel).await;
            unmapped = disabled.is_ok();
            if let Err(error) = disabled {
                // It may have no mapping: the deletion shows whether it has.
                tracing::info!(channel = %channel, %error, "mapping not disabled");
            }
        }
        if is_done(check, attempt, kinesis_video.delete_channel(channel).await).await? {
            break;
        }
    }
    Ok(())
}

/// Deletes a stream whose channel was removed before.
pub(super) async fn stream(
    check: &Check<'_>,
    session: &SessionId,
    stream: &StreamArn,
) -> Result<(), PortError> {
    let kinesis_video = &check.aws.kinesis_video;
    if !may_delete(kinesis_video.stream_owner(stream).await?, session, stream.as_str()) {
        return Ok(());
    }
    for attempt in 1.. {
        if is_done(check, attempt, kinesis_video.delete_stream(stream).await).await? {
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

/// Whether a resource is gone, or on its way. While it is in use, waits for the next try; after the
/// last one, the error.
async fn is_done(
    check: &Check<'_>,
    attempt: u32,
    deletion: Result<(), PortError>,
) -> Result<bool, PortError> {
    match deletion {
        Err(error) if error.kind == ErrorKind::NotFound => Ok(true),
        Err(error) if error.kind == ErrorKind::InUse && attempt < TRIES => {
            SystemClock.sleep(check.aws.config.scale.wall(PAUSE)).await;
            Ok(false)
        }
        deletion => deletion.map(|()| true),
    }
}
