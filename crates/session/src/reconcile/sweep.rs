//! Deletes channels and streams with this environment's tags that belong to no session.

use super::dead_letters::{DeadLetterScan, Eligible, Retention, retention};
use super::{FirstError, Inventory, Ports, Resource, Run, Streams, Summary, removal};
use crate::{PortError, ports::SessionLookup};

/// Maximum number of resources deleted per run.
const MAX_SWEPT: u64 = 50;

pub(super) async fn run<P: Ports>(
    run: &Run<'_, P>,
    summary: &mut Summary,
    letters: &DeadLetterScan,
    errors: &mut FirstError,
) -> Result<(), PortError> {
    let ports = run.ports;
    let before = run.ago(run.rules.stream_keep.max(run.rules.min_age));
    for (id, resource) in ports.media.created_before(before).await? {
        if summary.swept >= MAX_SWEPT || ports.sessions.get(&id).await?.is_some() {
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
            Resource::Stream(stream) => removal::stream(run, &id, &stream).await,
            Resource::Channel(channel) => removal::channel(run, &id, &channel).await,
        };
        if removed.is_ok() {
            tracing::warn!(sessionId = %id, "deleted orphaned KVS resource");
            summary.swept += 1;
        }
        errors.take(&id, removed);
    }
    Ok(())
}
