//! Checks, removes and fills the slots of warm pairs.
//!
//! A pass claims a slot before it creates or deletes anything for it, so of several passes at once
//! one works on a slot. If it crashes, another pass continues after the claim. Each is bounded in
//! time and changes at most one mapping a second of the ten that an account may change; the pairs
//! that are left follow in the next pass.

use tokio::time::Instant;

mod make;

use super::{FirstError, Inventory, Pass, Ports, Streams, Summary, WarmPairSlots, millis, removal};
use crate::{
    ErrorKind, PairMedia, PairState, PortError, SessionId, WarmPair,
    limits::CallBudget,
    ports::{Clock, MediaControl, ResourceState, SessionLookup, WarmPairs},
};

/// Removes the pairs that are not needed, are incomplete, or were not checked recently, and counts
/// the others that are ready.
pub(super) async fn check<P: Ports>(
    pass: &Pass<'_, P>,
    summary: &mut Summary,
) -> Result<(), PortError> {
    let mut errors = FirstError::default();
    let end = pass.ports.context.instant() + pass.rules.pairs_all;
    for pair in pairs(pass).await? {
        if pass.ports.context.instant() >= end {
            break;
        }
        match check_one(pass, &pair, end).await {
            Ok(is_ready) => summary.warm_pairs += u64::from(is_ready),
            Err(error) => errors.take(&pair.session_id, Err(error)),
        }
    }
    errors.result()
}

/// Fills free slots, and continues with pairs whose creation was interrupted.
pub(super) async fn fill<P: Ports>(
    pass: &Pass<'_, P>,
    summary: &mut Summary,
) -> Result<(), PortError> {
    let context = pass.ports.context;
    if pass.rules.pairs.count == 0 {
        return Ok(());
    }
    let end = context.instant() + pass.rules.pairs_all;
    let pairs = pairs(pass).await?;
    let mut first = None;
    for slot in 0..pass.rules.pairs.count {
        let found = pairs.iter().find(|pair| pair.slot == slot);
        let is_open = found.is_none_or(|pair| {
            pair.state == PairState::Filling
                && !is_claimed(pass, pair)
                && pass.rules.pairs.keep(pair)
        });
        if !is_open {
            continue;
        }
        if context.instant() >= end {
            break;
        }
        match make::pair(pass, slot, found, end).await {
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
        context.sleep(pass.rules.removal_pause).await;
    }
    first.map_or(Ok(()), Err)
}

const fn is_limit(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Throttled | ErrorKind::LimitExceeded)
}

/// Returns the pairs in all slots, also in those that are no longer in use.
async fn pairs<P: Ports>(pass: &Pass<'_, P>) -> Result<Vec<WarmPair>, PortError> {
    pass.ports.sessions.warm_pairs(&pass.rules.environment, WarmPair::MAX).await
}

/// Returns whether another pass works on the pair.
fn is_claimed<P: Ports>(pass: &Pass<'_, P>, pair: &WarmPair) -> bool {
    pair.claim_until > pass.ports.context.now_ms()
}

/// Returns the pair in a new state, claimed by this pass.
fn claimed<P: Ports>(pass: &Pass<'_, P>, pair: &WarmPair, state: PairState) -> WarmPair {
    let now = pass.ports.context.now_ms().max(pair.updated_at + 1);
    let claim_until = now + 2 * millis(pass.rules.pairs_all);
    WarmPair { state, updated_at: now, claim_until, ..pair.clone() }
}

/// Checks one pair. Returns whether it is ready.
async fn check_one<P: Ports>(
    pass: &Pass<'_, P>,
    pair: &WarmPair,
    end: Instant,
) -> Result<bool, PortError> {
    if is_claimed(pass, pair) {
        return Ok(false);
    }
    if is_used(pass, &pair.session_id).await? {
        // The resources belong to the session: a creation has drawn the same id, or the table was
        // restored to a time before the pair was taken.
        tracing::warn!(sessionId = %pair.session_id, "warm pair removed from its slot: a session has its id");
        pass.ports.sessions.delete_pair(pair).await?;
        return Ok(false);
    }
    let now = pass.ports.context.now_ms();
    let is_kept = pass.rules.pairs.keep(pair);
    match (pair.state, &pair.media) {
        (PairState::Filling, _) if is_kept => return Ok(false),
        (PairState::Ready, Some(media)) if is_kept && !pass.rules.pairs.has_lapsed(pair, now) => {
            if let Some(media) = whole(pass, media, end).await? {
                let updated_at = pass.ports.context.now_ms().max(pair.updated_at + 1);
                let checked = WarmPair { updated_at, media: Some(media), ..pair.clone() };
                return pass.ports.sessions.store_pair(&checked, Some(pair)).await;
            }
        }
        _ => {}
    }
    pass.repair("remove pair", &pair.session_id, remove(pass, pair)).await?;
    pass.ports.context.sleep(pass.rules.removal_pause).await;
    Ok(false)
}

/// Returns whether the id of a pair belongs to a session, or did.
async fn is_used<P: Ports>(pass: &Pass<'_, P>, id: &SessionId) -> Result<bool, PortError> {
    let has_record = pass.ports.sessions.get(id).await?.is_some();
    Ok(has_record || pass.ports.streams.load(id).await?.is_some())
}

/// Reads the endpoints of a pair's channel, which has all of them only while it is mapped, and the
/// state of its stream. Returns `None` if the channel, the mapping or the stream is gone.
async fn whole<P: Ports>(
    pass: &Pass<'_, P>,
    media: &PairMedia,
    end: Instant,
) -> Result<Option<PairMedia>, PortError> {
    let (control, limits) = (pass.ports.media, &pass.rules.limits);
    let budget = CallBudget::until(pass.ports.context, limits, end);
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
async fn remove<P: Ports>(pass: &Pass<'_, P>, pair: &WarmPair) -> Result<(), PortError> {
    let (ports, id) = (pass.ports, &pair.session_id);
    let removing = claimed(pass, pair, PairState::Removing);
    if !ports.sessions.store_pair(&removing, Some(pair)).await? {
        return Ok(());
    }
    // By name: an interrupted creation has no ARN.
    if let Some(channel) = ports.media.channel_named(&id.channel_name()).await? {
        removal::channel(pass, id, &channel).await?;
    }
    if let Some(stream) = ports.media.stream_named(&id.stream_name()).await? {
        removal::stream(pass, id, &stream).await?;
    }
    tracing::info!(sessionId = %id, slot = pair.slot, "warm pair removed");
    ports.sessions.delete_pair(&removing).await
}

#[cfg(test)]
mod tests;
