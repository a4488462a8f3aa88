//! Checks, removes and fills the slots of warm pairs.
//!
//! A run claims a slot before it creates or deletes anything for it, so of several runs at once one
//! works on a slot. If it dies, another run continues after the claim. Each pass is bounded in time
//! and changes at most one mapping a second of the ten that an account may change; the pairs that
//! are left follow in the next run.

use tokio::time::Instant;

mod make;

use super::{FirstError, Inventory, Ports, Run, Streams, Summary, WarmPairSlots, millis, removal};
use crate::{
    ErrorKind, PairMedia, PairState, PortError, SessionId, WarmPair,
    limits::CallBudget,
    ports::{Clock, MediaControl, ResourceState, SessionLookup, WarmPairs},
};

/// Checks the pairs: removes those that are not needed, whole or recently checked, and counts the
/// others that are ready.
pub(super) async fn check<P: Ports>(
    run: &Run<'_, P>,
    summary: &mut Summary,
) -> Result<(), PortError> {
    let mut errors = FirstError::default();
    let end = run.ports.context.instant() + run.rules.pairs_all;
    for pair in pairs(run).await? {
        if run.ports.context.instant() >= end {
            break;
        }
        match check_one(run, &pair, end).await {
            Ok(is_ready) => summary.warm_pairs += u64::from(is_ready),
            Err(error) => errors.take(&pair.session_id, Err(error)),
        }
    }
    errors.result()
}

/// Fills free slots, and continues with pairs whose creation was interrupted.
pub(super) async fn fill<P: Ports>(
    run: &Run<'_, P>,
    summary: &mut Summary,
) -> Result<(), PortError> {
    let context = run.ports.context;
    if run.rules.pairs.count == 0 {
        return Ok(());
    }
    let end = context.instant() + run.rules.pairs_all;
    let pairs = pairs(run).await?;
    let mut first = None;
    for slot in 0..run.rules.pairs.count {
        let found = pairs.iter().find(|pair| pair.slot == slot);
        let is_open = found.is_none_or(|pair| {
            pair.state == PairState::Filling && !is_claimed(run, pair) && run.rules.pairs.keep(pair)
        });
        if !is_open {
            continue;
        }
        if context.instant() >= end {
            break;
        }
        match make::pair(run, slot, found, end).await {
            Ok(is_ready) => summary.warm_pairs += u64::from(is_ready),
            // The limits of the account are left to its sessions.
            Err(error) if is_limit(error.kind) => {
                tracing::info!(%error, "warm pairs not filled: a limit of the account is reached");
                break;
            }
            Err(error) => {
                tracing::error!(slot, %error, "health check: this warm pair was not made");
                first.get_or_insert(error);
            }
        }
        context.sleep(run.rules.removal_pause).await;
    }
    first.map_or(Ok(()), Err)
}

const fn is_limit(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Throttled | ErrorKind::LimitExceeded)
}

/// Returns the pairs in all slots, also in those that are no longer in use.
async fn pairs<P: Ports>(run: &Run<'_, P>) -> Result<Vec<WarmPair>, PortError> {
    run.ports.sessions.warm_pairs(&run.rules.environment, WarmPair::MAX).await
}

/// Returns whether another run works on the pair.
fn is_claimed<P: Ports>(run: &Run<'_, P>, pair: &WarmPair) -> bool {
    pair.claim_until > run.ports.context.now_ms()
}

/// Returns the pair in a new state, claimed by this run.
fn claimed<P: Ports>(run: &Run<'_, P>, pair: &WarmPair, state: PairState) -> WarmPair {
    let now = run.ports.context.now_ms().max(pair.updated_at + 1);
    let claim_until = now + 2 * millis(run.rules.pairs_all);
    WarmPair { state, updated_at: now, claim_until, ..pair.clone() }
}

/// Checks one pair. Returns whether it is ready.
async fn check_one<P: Ports>(
    run: &Run<'_, P>,
    pair: &WarmPair,
    end: Instant,
) -> Result<bool, PortError> {
    if is_claimed(run, pair) {
        return Ok(false);
    }
    if is_used(run, &pair.session_id).await? {
        // The resources belong to the session: a creation has drawn the same id, or the table was
        // restored to a time before the pair was taken.
        tracing::warn!(sessionId = %pair.session_id, "warm pair forgotten: a session has its id");
        run.ports.sessions.delete_pair(pair).await?;
        return Ok(false);
    }
    let now = run.ports.context.now_ms();
    let is_kept = run.rules.pairs.keep(pair);
    match (pair.state, &pair.media) {
        (PairState::Filling, _) if is_kept => return Ok(false),
        (PairState::Ready, Some(media)) if is_kept && !run.rules.pairs.has_lapsed(pair, now) => {
            if let Some(media) = whole(run, media, end).await? {
                let updated_at = run.ports.context.now_ms().max(pair.updated_at + 1);
                let checked = WarmPair { updated_at, media: Some(media), ..pair.clone() };
                return run.ports.sessions.store_pair(&checked, Some(pair)).await;
            }
        }
        _ => {}
    }
    run.repair("remove pair", &pair.session_id, remove(run, pair)).await?;
    run.ports.context.sleep(run.rules.removal_pause).await;
    Ok(false)
}

/// Returns whether the id of a pair belongs to a session, or did.
async fn is_used<P: Ports>(run: &Run<'_, P>, id: &SessionId) -> Result<bool, PortError> {
    let has_record = run.ports.sessions.get(id).await?.is_some();
    Ok(has_record || run.ports.streams.load(id).await?.is_some())
}

/// Reads the endpoints of a pair's channel, which has all of them only while it is mapped, and the
/// state of its stream. Returns `None` if the channel, the mapping or the stream is gone.
async fn whole<P: Ports>(
    run: &Run<'_, P>,
    media: &PairMedia,
    end: Instant,
) -> Result<Option<PairMedia>, PortError> {
    let (control, limits) = (run.ports.media, &run.rules.limits);
    let budget = CallBudget::until(run.ports.context, limits, end);
    let ask = || control.endpoints(&media.kvs_channel_arn);
    let endpoints = budget.idempotent("GetSignalingChannelEndpoint", ask).await;
    let look = || control.stream_state(&media.kvs_stream_arn);
    let stream = budget.idempotent("DescribeStream", look).await;
    match (endpoints, stream) {
        (Ok(kvs_signaling_endpoints), Ok(ResourceState::Active)) => {
            Ok(Some(PairMedia { kvs_signaling_endpoints, ..media.clone() }))
        }
        (Ok(_), Ok(_)) => Ok(None),
        (Err(error), _) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::Invalid) => {
            Ok(None)
        }
        (_, Err(error)) if error.kind == ErrorKind::NotFound => Ok(None),
        (Err(error), _) | (_, Err(error)) => Err(error),
    }
}

/// Removes a pair that no session has taken, unless a session takes it now.
async fn remove<P: Ports>(run: &Run<'_, P>, pair: &WarmPair) -> Result<(), PortError> {
    let (ports, id) = (run.ports, &pair.session_id);
    let removing = claimed(run, pair, PairState::Removing);
    if !ports.sessions.store_pair(&removing, Some(pair)).await? {
        return Ok(());
    }
    // By name: an interrupted creation knows no ARN.
    if let Some(channel) = ports.media.channel_named(&id.channel_name()).await? {
        removal::channel(run, id, &channel).await?;
    }
    if let Some(stream) = ports.media.stream_named(&id.stream_name()).await? {
        removal::stream(run, id, &stream).await?;
    }
    tracing::info!(sessionId = %id, slot = pair.slot, "warm pair removed");
    ports.sessions.delete_pair(&removing).await
}

#[cfg(test)]
mod tests;
