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

use crate::{
    Limits, Notice, PortError, SessionId,
    limits::persist,
    ports::{Heard, Listener, Listeners, Surroundings},
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
pub enum News {
    /// The session is ending; remaining speech is still being delivered.
    Ending,
    /// The session has ended; no more speech follows.
    Ended,
}

impl News {
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
pub struct Patience {
    /// For all listeners together.
    pub all: Duration,
    /// For one listener, including retries and the deletion of its item.
    pub each: Duration,
    /// Limits for retries.
    pub limits: Limits,
}

/// Result of notifying a session's listeners.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Listeners that were notified.
    pub told: usize,
    /// Listeners that had disconnected.
    pub gone: usize,
    /// Listeners whose items were deleted without a message.
    pub removed: usize,
    /// Listeners that could not be notified, or whose item could not be deleted. Does not include
    /// listeners on pages that could not be read.
    pub left: usize,
}

/// Notifies a session's listeners, and deletes their items after [`News::Ended`]. Never fails.
///
/// Without an endpoint no message is sent: items are only deleted.
pub async fn tell<L: Listeners, R: Surroundings>(
    listeners: &L,
    around: &R,
    session_id: &SessionId,
    news: News,
    patience: &Patience,
) -> Told {
    let can_tell = listeners.can_be_told();
    if !can_tell && news == News::Ending {
        return Told::default();
    }
    let message = can_tell.then(|| news.message(session_id, around.now_ms()));
    let call = Telling { listeners, around, session_id, news, message, patience };
    call.run(around.monotonic() + patience.all).await
}

/// Deletes the items of a session's listeners without sending a message. Used when no later run
/// would find these items.
pub async fn forget<L: Listeners, R: Surroundings>(
    listeners: &L,
    around: &R,
    session_id: &SessionId,
    patience: &Patience,
) -> Told {
    let (news, message) = (News::Ended, None);
    let call = Telling { listeners, around, session_id, news, message, patience };
    call.run(around.monotonic() + patience.all).await
}

struct Telling<'a, L, R> {
    listeners: &'a L,
    around: &'a R,
    session_id: &'a SessionId,
    news: News,
    message: Option<String>,
    patience: &'a Patience,
}

/// A page of listeners, the start of the next page, and the number of pages read so far.
type Page = (Vec<Listener>, (Option<Listener>, usize));

/// Outcome for one listener.
enum Became {
    Told,
    Gone,
    Removed,
    Left(PortError),
}

impl<L: Listeners, R: Surroundings> Telling<'_, L, R> {
    /// Processes all listeners until `end`.
    async fn run(&self, end: Duration) -> Told {
        // Boxed, because the compiler cannot prove that the nested futures are `Send`.
        let page = |(after, pages)| self.next(after, pages, end).boxed();
        let mut became = stream::unfold((None, 0), page)
            .flat_map(stream::iter)
            .map(|listener| self.one(listener, end).boxed())
            .buffer_unordered(AT_ONCE)
            .boxed();
        let (mut told, mut fault) = (Told::default(), None);
        while let Some(became) = became.next().await {
            match became {
                Became::Told => told.told += 1,
                Became::Gone => told.gone += 1,
                Became::Removed => told.removed += 1,
                Became::Left(why) => {
                    told.left += 1;
                    fault.get_or_insert(why);
                }
            }
        }
        if told != Told::default() {
            let (session_id, news) = (self.session_id, self.news);
            let fault = fault.as_ref();
            self.around.note(&Notice::ListenersTold { session_id, news, told, fault });
        }
        told
    }

    /// Reads the next page. Returns `None` after the last page, at the page limit or on failure.
    async fn next(&self, after: Option<Listener>, pages: usize, end: Duration) -> Option<Page> {
        if pages == PAGES {
            return None;
        }
        let listeners = self.page(after.as_ref(), end).await?;
        let last = listeners.last().cloned()?;
        Some((listeners, (Some(last), pages + 1)))
    }

    /// Returns the listeners after this one, or `None` if the query fails or times out.
    async fn page(&self, after: Option<&Listener>, end: Duration) -> Option<Vec<Listener>> {
        let session_id = self.session_id;
        let query = || self.listeners.page(session_id, after);
        let again = |kind: crate::ErrorKind| kind.is_retryable();
        let limits = &self.patience.limits;
        let page = persist(self.around, limits, end, "Query", again, query).await;
        page.inspect_err(|fault| self.around.note(&Notice::LeftBehind { session_id, fault })).ok()
    }

    /// Processes one listener, until `end` or the limit per listener.
    async fn one(&self, listener: Listener, end: Duration) -> Became {
        let end = end.min(self.around.monotonic() + self.patience.each);
        let limits = &self.patience.limits;
        // A duplicate message does less harm than a missing one.
        let again = |kind: crate::ErrorKind| kind.is_retryable();
        let mut became = Became::Removed;
        if let Some(message) = &self.message {
            let post = || self.listeners.post(&listener.connection_id, message);
            match persist(self.around, limits, end, "PostToConnection", again, post).await {
                Ok(Heard::Yes) => became = Became::Told,
                Ok(Heard::Gone) => became = Became::Gone,
                Err(fault) => return Became::Left(fault),
            }
        }
        if self.news == News::Ended {
            let remove = || self.listeners.remove(self.session_id, &listener.connection_id);
            let removed = persist(self.around, limits, end, "DeleteItem", again, remove).await;
            if let Err(fault) = removed {
                return Became::Left(fault);
            }
        }
        became
    }
}

#[cfg(test)]
mod tests;
