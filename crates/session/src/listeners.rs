//! Telling a session's listeners that it ends, and that it has ended.
//!
//! Each listener gets a WebSocket message twice, as JSON text:
//!
//! | `type` | when | and then |
//! |---|---|---|
//! | `sessionEnding` | the session was ended; what was spoken is still being delivered | – |
//! | `sessionEnded` | the final chunk was accepted, or [`GRACE`] has passed since the end | the connection's item is removed |
//!
//! Beside `type` stand `sessionId` and `timestamp`, which is when it was said, Unix ms.
//!
//! A listener may leave at any moment, be slow or be unreachable, and none of that may cost anybody else anything: so many
//! are told at a time, so much time is spent on each and on all together. `sessionEnding` is said as far as that goes.
//! `sessionEnded` is said until it is heard: an item is removed only after that, and whatever is left the health check
//! finds.

use std::time::Duration;

use futures_util::{FutureExt, StreamExt, stream};
use serde_json::json;

use crate::{
    Limits, Notice, PortError, SessionId,
    limits::persist,
    ports::{Heard, Listener, Listeners, Surroundings},
};

/// After so long since its end listeners are told that a session has ended, whether or not all of it is delivered.
pub const GRACE: Duration = Duration::from_secs(60);

/// Listeners that are told at the same time: some hundred a second at the usual 50 ms each, and few enough for one small
/// function beside its other work.
const AT_ONCE: usize = 16;

/// Pages of listeners that are looked at in one go, of [`PAGE`] each. The rest wait for the health check.
const PAGES: usize = 20;

/// Listeners of one page.
pub const PAGE: usize = 500;

/// What listeners are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// The session ends; what was spoken is still on its way.
    Ending,
    /// The session has ended; nothing follows.
    Ended,
}

impl News {
    /// The message's `type`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ending => "sessionEnding",
            Self::Ended => "sessionEnded",
        }
    }

    /// The message itself.
    #[must_use]
    pub fn message(self, session_id: &SessionId, now_ms: u64) -> String {
        json!({ "type": self.as_str(), "sessionId": session_id, "timestamp": now_ms }).to_string()
    }
}

/// How long telling may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// With all listeners together.
    pub all: Duration,
    /// With one of them, its repeats and the removal of its item included.
    pub each: Duration,
    /// What else the use cases wait by.
    pub limits: Limits,
}

/// What became of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Listeners who were told.
    pub told: usize,
    /// Listeners who had gone.
    pub gone: usize,
    /// Listeners whose items were removed without a word.
    pub removed: usize,
    /// Listeners who could not be told, or whose item could not be removed. Those of pages that could not be read are
    /// not among them.
    pub left: usize,
}

/// Tells a session's listeners, and removes their items when that was the last they had to be told. Never fails.
///
/// Without an endpoint nobody is told: items are only removed.
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

/// Removes the items of a session's listeners, told or not: nothing is left that would look for them later.
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

/// Some listeners; after which of them the next page begins, and how many pages that makes.
type Page = (Vec<Listener>, (Option<Listener>, usize));

/// What became of one listener.
enum Became {
    Told,
    Gone,
    Removed,
    Left(PortError),
}

impl<L: Listeners, R: Surroundings> Telling<'_, L, R> {
    /// All of them, until `end`.
    async fn run(&self, end: Duration) -> Told {
        // Boxed, because the compiler cannot tell of nested futures that they may go from thread to thread.
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

    /// A page, and where the one after it begins.
    async fn next(&self, after: Option<Listener>, pages: usize, end: Duration) -> Option<Page> {
        if pages == PAGES {
            return None;
        }
        let listeners = self.page(after.as_ref(), end).await?;
        let last = listeners.last().cloned()?;
        Some((listeners, (Some(last), pages + 1)))
    }

    /// The listeners after this one; `None` when there are none, or they cannot be had in time.
    async fn page(&self, after: Option<&Listener>, end: Duration) -> Option<Vec<Listener>> {
        let session_id = self.session_id;
        let query = || self.listeners.page(session_id, after);
        let again = |kind: crate::ErrorKind| kind.is_retryable();
        let limits = &self.patience.limits;
        let page = persist(self.around, limits, end, "Query", again, query).await;
        page.inspect_err(|fault| self.around.note(&Notice::LeftBehind { session_id, fault })).ok()
    }

    /// One listener, until `end` or for as long as one may take.
    async fn one(&self, listener: Listener, end: Duration) -> Became {
        let end = end.min(self.around.monotonic() + self.patience.each);
        let limits = &self.patience.limits;
        // A message that came twice does less harm than one that did not come.
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
