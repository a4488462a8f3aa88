//! The figures, the audio and the words of one session for one client.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::response::sse::Event;
use serde_json::json;

use super::levels::Levels;
use super::{Feed, LastSent, event};
use crate::delivery_stats::DeliveryStats;
use crate::recogniser::Words;
use crate::services::Services;

pub(super) struct SessionFeed {
    services: Arc<Services>,
    session: String,
    /// When the last delivery that was sent was answered.
    latest: LastSent,
    levels: Levels,
    /// The version of the words that were sent.
    words: Option<u64>,
}

impl SessionFeed {
    pub(super) fn new(services: Arc<Services>, session: String) -> Self {
        let levels = Levels::new(&services.audio, &session);
        Self { services, session, latest: LastSent::default(), levels, words: None }
    }

    /// Returns the words with the lines that have changed.
    fn words(&mut self) -> Option<Event> {
        let (version, words) = match &self.services.recogniser {
            Some(recogniser) => recogniser.changes(&self.session, self.words)?,
            None if self.words.is_none() => (0, Words::absent()),
            None => return None,
        };
        self.words = Some(version);
        Some(event("words", &json!(words)))
    }

    /// Returns the statistics if there is another delivery: they are computed from all of them.
    fn figures(&mut self) -> Option<Event> {
        let deliveries = self.services.lambda.deliveries();
        let latest = deliveries.latest(&self.session).0.map(|latest| latest.answered_us);
        if !self.latest.is_other(&json!(latest)) {
            return None;
        }
        let sent = self.services.kvs.sent(&format!("session-{}", self.session));
        let stats = DeliveryStats::of(&self.session, &deliveries.of(&self.session), &sent);
        Some(event("figures", &json!(stats)))
    }
}

impl Feed for SessionFeed {
    async fn read(&mut self) -> VecDeque<Event> {
        let mut ready: VecDeque<Event> = self.figures().into_iter().collect();
        ready.extend(self.words());
        ready.extend(self.levels.read().await.map(|levels| event("levels", &levels)));
        ready
    }
}
