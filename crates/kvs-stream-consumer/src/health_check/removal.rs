//! Removes a session's channel and stream from KVS, if they are of this environment.
//!
//! KVS refuses both deletions with `ResourceInUseException` while the two are mapped to each other,
//! so the mapping goes first, then the channel, then the stream.

use std::time::Duration;

use relay::{Clock, StoreError, SystemClock};
use session::{ChannelArn, StreamArn};

use super::Check;
use crate::kinesis_video::Deletion;

/// Tries of a deletion that KVS refuses because the resource is in use. That passes within seconds:
/// a mapping that was just disabled, or a resource that another health check is deleting. What
/// stays in use is left to the next health check.
const TRIES: u32 = 4;
/// Between two tries. One channel takes 5 calls a second, and mapping changes are 10 a second for
/// the whole account.
const PAUSE: Duration = Duration::from_secs(1);

/// Unmaps and deletes a channel.
pub(super) async fn channel(check: &Check<'_>, channel: &ChannelArn) -> Result<(), StoreError> {
    let kinesis_video = &check.aws.kinesis_video;
    if !kinesis_video.owns_channel(channel).await? {
        return Ok(());
    }
    let mut unmapped = false;
    for attempt in 1.. {
        if !unmapped {
            let disabled = kinesis_video.unmap(channel).await;
            unmapped = disabled.is_ok();
            if let Err(error) = disabled {
                // It may have no mapping: the deletion shows whether it has.
                tracing::info!(channel = %channel, %error, "mapping not disabled");
            }
        }
        let Deletion::InUse(error) = kinesis_video.delete_channel(channel).await? else { break };
        pause(check, attempt, error).await?;
    }
    Ok(())
}

/// Deletes a stream whose channel was removed before.
pub(super) async fn stream(check: &Check<'_>, stream: &StreamArn) -> Result<(), StoreError> {
    let kinesis_video = &check.aws.kinesis_video;
    if !kinesis_video.owns_stream(stream).await? {
        return Ok(());
    }
    for attempt in 1.. {
        let Deletion::InUse(error) = kinesis_video.delete_stream(stream).await? else { break };
        pause(check, attempt, error).await?;
    }
    Ok(())
}

/// Waits before the next try; after the last one, the error.
async fn pause(check: &Check<'_>, attempt: u32, error: StoreError) -> Result<(), StoreError> {
    if attempt >= TRIES {
        return Err(error);
    }
    SystemClock.sleep(check.aws.config.scale.wall(PAUSE)).await;
    Ok(())
}
