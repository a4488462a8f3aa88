//! Sessions that lost their stream: a data folder keeps tables, but neither streams nor their
//! media.
//!
//! They are not changed here. The health check ends them by its own rules, as on AWS when a stream
//! is deleted: it restarts the consumer, which finds no stream, and then ends the session with the
//! reason `lost`.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::error::Error;
use crate::inspect::cloud::Cloud;
use local_aws::LocalAws;

/// Returns a line for each session whose stream does not exist, and that is open or whose delivery
/// has not ended.
///
/// # Errors
/// A table cannot be read.
pub(crate) async fn of(running: &LocalAws) -> Result<Vec<String>, Error> {
    let has_stream = |id: &str| running.services().kvs.has_stream(&format!("session-{id}"));
    let cloud = Cloud::at(running.url()).await?;
    let state = cloud.json("/_local/state").await?;
    let open = ids(&cloud, &state, "Sessions", &["active", "paused"]).await?;
    let undelivered = ids(&cloud, &state, "Streams", &["RUNNING"]).await?;
    let ended = undelivered.difference(&open).filter(|id| !has_stream(id)).map(|id| {
        format!(
            "session {id} lost its stream before all of it was delivered: a data folder does not keep \
             streams"
        )
    });
    let lost = open.iter().filter(|id| !has_stream(id)).map(|id| {
        format!(
            "session {id} lost its stream, which a data folder does not keep: one of the next health \
             checks ends it"
        )
    });
    Ok(lost.chain(ended).collect())
}

/// Returns the sessions with one of these statuses in the table `PREFIX-`; none if there is no such
/// table.
async fn ids(
    cloud: &Cloud,
    state: &Value,
    prefix: &str,
    statuses: &[&str],
) -> Result<BTreeSet<String>, Error> {
    if cloud.table(state, prefix).is_err() {
        return Ok(BTreeSet::new());
    }
    let items = cloud.scan(state, prefix).await?;
    let items = items
        .iter()
        .filter(|item| item["status"].as_str().is_some_and(|status| statuses.contains(&status)));
    Ok(items.filter_map(|item| item["sessionId"].as_str()).map(str::to_owned).collect())
}
