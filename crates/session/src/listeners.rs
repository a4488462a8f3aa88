//! Notifies a session's listeners that it is ending, and that it has ended.
//!
//! Each listener receives two WebSocket messages, as JSON text:
//!
//! | `type` | sent when | then |
//! |---|---|---|
//! | `sessionEnding` | the session was ended; remaining speech is still being delivered | – |
//! | `sessionEnded` | final chunk accepted, or [`GRACE`] after the end | the item is deleted |
//!
//! The other fields are `sessionId` and `timestamp`, the time of sending in Unix ms.
//!
//! A listener can disconnect at any time, be slow or be unreachable. Concurrency, the time per
//! listener and the total time are bounded, so that one listener cannot delay the others.
//!
//! `sessionEnding` is best effort. `sessionEnded` is retried: an item is deleted only after its
//! message was sent, and the health check processes the remaining items.

use std::time::Duration;

use futures_util::{FutureExt, StreamExt, stream};
use serde_json::json;
use tokio::time::Instant;

use crate::{
    DomainEvent, Limits, PortError, SessionId,
    limits::CallBudget,
    ports::{Context, Listener, Listeners, PostOutcome},
};

/// Time after the end of a session at which listeners receive `sessionEnded`, even if delivery is
/// incomplete.
pub const GRACE: Duration = Duration::from_secs(60);

/// Number of concurrent sends: about a hundred messages per second at a typical latency of 50 ms,
/// and few enough for a small function beside its other work.
const AT_ONCE: usize = 16;

/// Maximum number of pages read per call, of [`PAGE`] listeners each. The health check processes
/// the rest.
const PAGES: usize = 20;

/// Listeners per page.
pub const PAGE: usize = 500;

/// A message to listeners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notification {
    /// The session is ending; remaining speech is still being delivered.
    Ending,
    /// The session has ended; no more speech follows.
    Ended,
}

impl Notification {
    /// Returns the message's `type`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ending => "sessionEnding",
            Self::Ended => "sessionEnded",
        }
    }

    /// Returns the message as JSON text.
    #[must_use]
    pub fn message(self, session_id: &SessionId, now_ms: u64) -> String {
        json!({ "type": self.as_str(), "sessionId": session_id, "timestamp": now_ms }).to_string()
    }
}

/// Time limits for notifying listeners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotifyBudget {
    /// For all listeners together.
    pub total: Duration,
    /// For one listener, including retries and the deletion of its item.
    pub per_listener: Duration,
    /// Limits for retries.
    pub limits: Limits,
}

/// Result of notifying a session's listeners.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NotifySummary {
    /// Listeners that were notified.
    pub notified: usize,
    /// Listeners that had disconnected.
    pub gone: usize,
    /// Listeners whose items were deleted without a message.
    pub removed: usize,
    /// Listeners that could not be notified, or whose item could not be deleted. Does not include
    /// listeners on pages that could not be read.
    pub failed: usize,
}

/// Notifies a session's listeners, and deletes their items after [`Notification::Ended`]. Never
/// fails.
///
/// Without an endpoint no message is sent: items are only deleted.
pub async fn notify<L: Listeners, R: Context>(
    listeners: &L,
    ctx: &R,
    session_id: &SessionId,
    notification: Notification,
    budget: &NotifyBudget,
) -> NotifySummary {
    let can_notify = listeners.can_notify();
    if !can_notify && notification == Notification::Ending {
        return NotifySummary::default();
    }
    let message = can_notify.then(|| notification.message(session_id, ctx.now_ms()));
    let notifier = Notifier { listeners, ctx, session_id, notification, message, budget };
    notifier.run(&CallBudget::new(ctx, &budget.limits, budget.total)).await
}

/// Deletes the items of a session's listeners without sending a message. Used when no later run
/// would find these items.
pub async fn delete_all<L: Listeners, R: Context>(
    listeners: &L,
    ctx: &R,
    session_id: &SessionId,
    budget: &NotifyBudget,
) -> NotifySummary {
    let (notification, message) = (Notification::Ended, None);
    let notifier = Notifier { listeners, ctx, session_id, notification, message, budget };
    notifier.run(&CallBudget::new(ctx, &budget.limits, budget.total)).await
}

struct Notifier<'a, L, R> {
    listeners: &'a L,
    ctx: &'a R,
    session_id: &'a SessionId,
    notification: Notification,
    message: Option<String>,
    budget: &'a NotifyBudget,
}

/// A page of listeners, the start of the next page, and the number of pages read so far.
type Page = (Vec<Listener>, (Option<Listener>, usize));

/// Outcome for one listener.
enum ListenerOutcome {
    Notified,
    Gone,
    Removed,
    Failed(PortError),
}

impl<L: Listeners, R: Context> Notifier<'_, L, R> {
    /// Processes all listeners until `end`.
    async fn run(&self, time: &CallBudget<'_, R>) -> NotifySummary {
        // Boxed, because the compiler cannot prove that the nested futures are `Send`.
        let page = |(after, pages)| self.next(after, pages, time).boxed();
        let mut outcomes = stream::unfold((None, 0), page)
            .flat_map(stream::iter)
            .map(|listener| self.one(listener, time.deadline).boxed())
            .buffer_unordered(AT_ONCE)
            .boxed();
        let (mut summary, mut cause) = (NotifySummary::default(), None);
        while let Some(outcome) = outcomes.next().await {
            match outcome {
                ListenerOutcome::Notified => summary.notified += 1,
                ListenerOutcome::Gone => summary.gone += 1,
                ListenerOutcome::Removed => summary.removed += 1,
                ListenerOutcome::Failed(error) => {
                    summary.failed += 1;
                    cause.get_or_insert(error);
                }
            }
        }
        if summary != NotifySummary::default() {
            self.ctx.record(&DomainEvent::ListenersNotified {
                session_id: self.session_id,
                notification: self.notification,
                summary,
                cause: cause.as_ref(),
            });
        }
        summary
    }

    /// Reads the next page. Returns `None` after the last page, at the page limit or on failure.
    async fn next(
        &self,
        after: Option<Listener>,
        pages: usize,
        time: &CallBudget<'_, R>,
    ) -> Option<Page> {
        if pages == PAGES {
            return None;
        }
        let listeners = self.page(after.as_ref(), time).await?;
        let last = listeners.last().cloned()?;
        Some((listeners, (Some(last), pages + 1)))
    }

    /// Returns the listeners after this one, or `None` if the query fails or times out.
    async fn page(
        &self,
        after: Option<&Listener>,
        time: &CallBudget<'_, R>,
    ) -> Option<Vec<Listener>> {
        let session_id = self.session_id;
        let query = || self.listeners.page(session_id, after);
        time.idempotent("Query", query)
            .await
            .inspect_err(|cause| {
                self.ctx.record(&DomainEvent::CleanupDeferred { session_id, cause })
            })
            .ok()
    }

    /// Processes one listener, until `end` or the limit per listener.
    async fn one(&self, listener: Listener, end: Instant) -> ListenerOutcome {
        let end = end.min(self.ctx.instant() + self.budget.per_listener);
        let time = CallBudget::until(self.ctx, &self.budget.limits, end);
        // A duplicate message does less harm than a missing one.
        let mut outcome = ListenerOutcome::Removed;
        if let Some(message) = &self.message {
            let post = || self.listeners.post(&listener.connection_id, message);
            match time.idempotent("PostToConnection", post).await {
                Ok(PostOutcome::Sent) => outcome = ListenerOutcome::Notified,
                Ok(PostOutcome::Gone) => outcome = ListenerOutcome::Gone,
                Err(cause) => return ListenerOutcome::Failed(cause),
            }
        }
        if self.notification == Notification::Ended {
            let remove = || self.listeners.remove(self.session_id, &listener.connection_id);
            if let Err(cause) = time.idempotent("DeleteItem", remove).await {
                return ListenerOutcome::Failed(cause);
            }
        }
        outcome
    }
}

#[cfg(test)]
mod tests;
