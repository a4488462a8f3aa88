//! Makes one warm pair. Every step can be repeated: an interrupted creation is continued with the
//! same id, and finds by their names what it has created.

use futures_util::future::join;
use tokio::time::Instant;

use super::super::{Inventory, Pass, Ports, WarmPairSlots};
use super::{claimed, is_used, remove};
use crate::{
    ChannelArn, ErrorKind, PairMedia, PairState, PortError, SessionId, StreamArn, Tags, WarmPair,
    limits::CallBudget,
    ports::{Clock, MediaControl},
};

/// Maximum number of ids drawn for a pair; the first one is almost always free.
const ID_ATTEMPTS: u32 = 8;

/// Makes the pair of a slot, or continues with `found`. Returns whether the pair is ready.
pub(super) async fn pair<P: Ports>(
    pass: &Pass<'_, P>,
    slot: u32,
    found: Option<&WarmPair>,
    end: Instant,
) -> Result<bool, PortError> {
    let new = match found {
        Some(pair) => pair.clone(),
        None => new_pair(pass, slot).await?,
    };
    let pair = claimed(pass, &new, PairState::Filling);
    if !pass.ports.sessions.store_pair(&pair, found).await? {
        return Ok(false);
    }
    let Some(media) = pass.repair("make pair", &pair.session_id, media(pass, &pair, end)).await?
    else {
        tracing::warn!(sessionId = %pair.session_id, "warm pair not made: its name is taken");
        remove(pass, &pair).await?;
        return Ok(false);
    };
    let updated_at = pass.ports.context.now_ms().max(pair.updated_at + 1);
    let state = PairState::Ready;
    let ready = WarmPair { state, updated_at, claim_until: 0, media: Some(media), ..pair.clone() };
    let is_ready = pass.ports.sessions.store_pair(&ready, Some(&pair)).await?;
    tracing::info!(sessionId = %pair.session_id, slot, is_ready, "warm pair made");
    Ok(is_ready)
}

/// Returns a pair with a new id.
async fn new_pair<P: Ports>(pass: &Pass<'_, P>, slot: u32) -> Result<WarmPair, PortError> {
    for attempt in 0..ID_ATTEMPTS {
        let session_id = SessionId::generate(pass.ports.context, attempt);
        if !is_used(pass, &session_id).await? {
            return Ok(WarmPair {
                env: pass.rules.environment.clone(),
                slot,
                session_id,
                state: PairState::Filling,
                updated_at: 0,
                claim_until: 0,
                retention_hours: pass.rules.pairs.retention_hours,
                kms_key_id: pass.rules.pairs.kms_key_id.clone(),
                media: None,
            });
        }
    }
    Err(PortError::new("GetItem", ErrorKind::InUse, "no free id for a warm pair"))
}

/// Creates and maps channel and stream. Returns `None` if one of their names is another owner's.
async fn media<P: Ports>(
    pass: &Pass<'_, P>,
    pair: &WarmPair,
    end: Instant,
) -> Result<Option<PairMedia>, PortError> {
    let control = pass.ports.media;
    let budget = CallBudget::until(pass.ports.context, &pass.rules.limits, end);
    // Waits for both, also if one fails, so that nothing is created after this call.
    let (channel, stream) = join(channel(pass, pair, &budget), stream(pass, pair, &budget)).await;
    let (Some(channel), Some(stream)) = (channel?, stream?) else { return Ok(None) };
    // Not repeated when it is throttled: the mappings that the account may have, and may change in
    // a second, are left to sessions.
    let map = || control.enable_storage(&channel, &stream);
    let in_use = |kind: ErrorKind| kind == ErrorKind::InUse;
    budget.retry("UpdateMediaStorageConfiguration", in_use, map).await?;
    let ask = || control.endpoints(&channel);
    let endpoints = budget.idempotent("GetSignalingChannelEndpoint", ask).await?;
    Ok(Some(PairMedia {
        kvs_channel_arn: channel,
        kvs_stream_arn: stream,
        kvs_signaling_endpoints: endpoints,
    }))
}

/// Creates the channel, or finds the one that an interrupted pass has created for the same id, and
/// waits until it is ACTIVE.
async fn channel<P: Ports>(
    pass: &Pass<'_, P>,
    pair: &WarmPair,
    budget: &CallBudget<'_, P::Context>,
) -> Result<Option<ChannelArn>, PortError> {
    let (control, id, name) = (pass.ports.media, &pair.session_id, pair.session_id.channel_name());
    let tags = tags(pair);
    let create = || control.create_channel(&name, &tags);
    let arn = match budget.at_most_once("CreateSignalingChannel", create).await {
        Err(error) if error.kind == ErrorKind::InUse => {
            let Some(arn) = control.channel_named(&name).await? else { return Err(error) };
            if !control.channel_owner(&arn).await?.is_of(id) {
                return Ok(None);
            }
            arn
        }
        created => created?,
    };
    let look = || control.channel_state(&arn);
    budget.until_active("DescribeSignalingChannel", look).await.map(|()| Some(arn))
}

/// As [`channel`], for the stream.
async fn stream<P: Ports>(
    pass: &Pass<'_, P>,
    pair: &WarmPair,
    budget: &CallBudget<'_, P::Context>,
) -> Result<Option<StreamArn>, PortError> {
    let (control, id, name) = (pass.ports.media, &pair.session_id, pair.session_id.stream_name());
    let tags = tags(pair);
    let create = || control.create_stream(&name, &tags, pair.retention_hours);
    let arn = match budget.at_most_once("CreateStream", create).await {
        Err(error) if error.kind == ErrorKind::InUse => {
            let Some(arn) = control.stream_named(&name).await? else { return Err(error) };
            if !control.stream_owner(&arn).await?.is_of(id) {
                return Ok(None);
            }
            arn
        }
        created => created?,
    };
    let look = || control.stream_state(&arn);
    budget.until_active("DescribeStream", look).await.map(|()| Some(arn))
}

fn tags(pair: &WarmPair) -> Tags {
    Tags { env: pair.env.clone(), session_id: pair.session_id.clone() }
}
