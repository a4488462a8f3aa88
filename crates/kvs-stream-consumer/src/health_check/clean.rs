//! Removes what sessions leave in KVS: after their end, after a creation that broke off, and what no
//! record names.

use std::time::Duration;

use aws_adapters::kinesis_video::Resource;
use aws_adapters::sqs::DeadLetterScan;
use relay::Checkpoint;
use relay::lease::LeaseTable as _;
use relay::ports::millis;
use session::ports::Sessions as _;
use session::{PortError, Session, SessionStatus, StreamArn, StreamItem};

use super::dead_letters::{Can, Need, need};
use super::{Check, SETTLED, Summary, Turns, farewell, removal};

/// How long a claim keeps others away; a cleaner that dies is followed by the next after this.
const CLAIM: Duration = Duration::from_secs(10 * 60);
/// How long the record of a removed session stays, in seconds: two days longer than a processor
/// remembers a session (60 days), because an id that is drawn again meets that memory.
const REMEMBERED_SECONDS: u64 = 62 * DAY_SECONDS;
const DAY_SECONDS: u64 = 24 * 3600;
/// Most sessions cleaned in one run.
const MOST: u64 = 50;

pub(super) async fn run(check: &Check<'_>, summary: &mut Summary) -> Result<(), PortError> {
    let mut turns = Turns::default();
    let candidates = candidates(check, &mut turns).await?;
    let sweeps = check.sweeps();
    if candidates.is_empty() && !sweeps {
        return turns.result();
    }
    let letters = check.aws.dead_letters.scan().await?;
    for session in candidates {
        if summary.cleaned < MOST {
            turns.take(&session.session_id, one(check, summary, &session, &letters).await);
        }
    }
    if sweeps {
        sweep(check, summary, &letters, &mut turns).await?;
    }
    turns.result()
}

/// Three checks look whether the channel of a drained session is gone. Not all of them until its stream goes, too:
/// that may be a week of sessions.
const JUST_DRAINED: Duration = Duration::from_secs(15 * 60);

async fn candidates(check: &Check<'_>, turns: &mut Turns) -> Result<Vec<Session>, PortError> {
    let mut candidates = check.settled(SessionStatus::Creating).await?;
    let cleaning = check.settled(SessionStatus::Cleaning).await?;
    candidates.extend(
        cleaning.into_iter().filter(|s| s.claim_until.is_none_or(|until| until < check.now_ms)),
    );
    let kept = check.now_ms.saturating_sub(millis(check.aws.config.stream_keep));
    let seen_to = check.now_ms.saturating_sub(check.millis(JUST_DRAINED));
    for session in check.settled(SessionStatus::Ended).await? {
        match drained(check, &session).await {
            Ok(Some(at)) if at <= kept => candidates.push(session),
            Ok(Some(at)) if at <= seen_to => {}
            // A drain is over when nothing comes any more: nothing may flow in. And a channel that stays mapped
            // is one of the hundred that an account has.
            Ok(_) => turns.take(&session.session_id, unplug(check, &session).await),
            Err(error) => turns.take(&session.session_id, Err(error)),
        }
    }
    Ok(candidates)
}

/// Removes the channel of an ended session, unmapping it: whoever ended it may have died before, or
/// was this health check.
async fn unplug(check: &Check<'_>, session: &Session) -> Result<(), PortError> {
    match &session.kvs_channel_arn {
        Some(channel) => removal::channel(check, &session.session_id, channel).await,
        None => Ok(()),
    }
}

/// Since when everything of an ended session is delivered, Unix ms, if it is: its stream may still hold the only copy.
async fn drained(check: &Check<'_>, session: &Session) -> Result<Option<u64>, PortError> {
    if session.pending_event.is_some() {
        return Ok(None);
    }
    let item = check.aws.streams.load(&session.session_id).await?;
    Ok(match item {
        // The last holder's lease tells when, to within its length.
        Some(item) => {
            let over = item.ended || forgotten(check, session, &item);
            over.then_some(item.lease_expires_at.max(session.updated_at))
        }
        None => session.kvs_stream_arn.is_none().then_some(session.updated_at),
    })
}

/// Whether nobody can go on from this item's checkpoint, and KVS no longer has what it would go on with.
fn forgotten(check: &Check<'_>, session: &Session, item: &StreamItem) -> bool {
    let config = &check.aws.config.relay;
    let expired = check.now_ms >= session.updated_at + millis(config.retention);
    expired && Checkpoint::of(item, config).is_err()
}

async fn one(
    check: &Check<'_>,
    summary: &mut Summary,
    session: &Session,
    letters: &DeadLetterScan,
) -> Result<(), PortError> {
    let (aws, id) = (check.aws, &session.session_id);
    // A creation that broke off may have made resources that its record does not name yet.
    let stream = match &session.kvs_stream_arn {
        Some(stream) => Some(stream.clone()),
        None => aws.kinesis_video.stream_named(&session.kvs_stream_name).await?,
    };
    let channel = match &session.kvs_channel_arn {
        Some(channel) => Some(channel.clone()),
        None => aws.kinesis_video.channel_named(&session.kvs_channel_name).await?,
    };
    if let Some(stream) = &stream
        && needed(check, session, stream, letters).await?
    {
        tracing::info!(sessionId = %id, "stream kept: a dead letter may need it");
        let ended = session.status == SessionStatus::Ended;
        return if ended { unplug(check, session).await } else { Ok(()) };
    }
    let until = check.now_ms + check.millis(CLAIM);
    if !aws.sessions.claim(session, until, check.now_ms).await? {
        return Ok(());
    }
    // Channel first: KVS deletes no stream while a channel is mapped to it.
    if let Some(channel) = channel {
        removal::channel(check, id, &channel).await?;
    }
    if let Some(stream) = stream {
        removal::stream(check, id, &stream).await?;
    }
    farewell::forget(check, id).await;
    let remove_at = check.now_ms / 1000 + REMEMBERED_SECONDS;
    // Before the session's own record: an id that can be drawn again finds nothing of the old one.
    aws.streams.expire(id, remove_at - DAY_SECONDS).await?;
    if was_open(session) {
        aws.sessions.mark_removed(id, until, remove_at).await?;
    } else {
        aws.sessions.delete_claimed(id, until).await?;
    }
    tracing::info!(sessionId = %id, "channel and stream removed");
    summary.cleaned += 1;
    Ok(())
}

/// Whether this was a session once: others are creations that broke off.
fn was_open(session: &Session) -> bool {
    session.ended_reason.is_some() || session.status == SessionStatus::Ended
}

/// Whether a dead letter needs the stream: for sure, or perhaps while KVS still holds its audio.
async fn needed(
    check: &Check<'_>,
    session: &Session,
    stream: &StreamArn,
    letters: &DeadLetterScan,
) -> Result<bool, PortError> {
    let id = &session.session_id;
    let config = &check.aws.config.relay;
    let item = check.aws.streams.load(id).await?;
    let delivered = item.as_ref().is_some_and(|item| item.ended);
    // A checkpoint that cannot be read says nothing, so it may have counted chunks.
    let unseen_chunk = item.is_some_and(|item| {
        let checkpoint = Checkpoint::of(&item, config);
        checkpoint.map_or(true, |checkpoint| checkpoint.totals.dead_lettered > 0)
    });
    // No true event names a session that was never opened.
    let event = was_open(session) && !delivered;
    Ok(match need(letters, stream, id.as_str(), Can { unseen_chunk, event }) {
        Need::Named => true,
        Need::Perhaps => check.now_ms < session.updated_at + millis(config.retention),
        Need::No => false,
    })
}

/// What KVS shows as ours although no session has it.
async fn sweep(
    check: &Check<'_>,
    summary: &mut Summary,
    letters: &DeadLetterScan,
    turns: &mut Turns,
) -> Result<(), PortError> {
    let aws = check.aws;
    let kept = millis(aws.config.stream_keep).max(check.millis(SETTLED));
    let before = i64::try_from(check.now_ms.saturating_sub(kept)).unwrap_or_default();
    for (id, resource) in aws.kinesis_video.created_before(before).await? {
        if summary.swept >= MOST || aws.sessions.get(&id).await?.is_some() {
            continue;
        }
        // A record may be lost; what somebody reads, or has not read to its end, is not rubbish.
        let item = aws.streams.load(&id).await?;
        if item.as_ref().is_some_and(|item| !item.ended) {
            continue;
        }
        let can = Can { unseen_chunk: true, event: item.is_none() };
        let removed = match resource {
            Resource::Stream(stream) if need(letters, &stream, id.as_str(), can) != Need::No => {
                continue;
            }
            Resource::Stream(stream) => removal::stream(check, &id, &stream).await,
            Resource::Channel(channel) => removal::channel(check, &id, &channel).await,
        };
        if removed.is_ok() {
            tracing::warn!(sessionId = %id, "removed what no session has");
            summary.swept += 1;
        }
        turns.take(&id, removed);
    }
    Ok(())
}
