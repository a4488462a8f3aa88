//! SNS topics of the template: what was published, for `/_local/notifications`. Nothing is sent to
//! the subscribers, which are listed with each message.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use crate::aws_error::AwsError;
use crate::clock::rfc3339;
use sam_template::Topic;

/// The most messages that are kept; the oldest are dropped first.
const MAX_KEPT: usize = 1_000;

/// The service.
#[derive(Debug)]
pub struct Sns {
    topics: Vec<Topic>,
    published: Mutex<VecDeque<Value>>,
}

impl Sns {
    /// Creates the topics of the template.
    pub fn new(topics: &[Topic]) -> Arc<Self> {
        Arc::new(Self { topics: topics.to_vec(), published: Mutex::default() })
    }

    /// Publishes a message at `now`, ms since the epoch.
    ///
    /// # Errors
    /// `NotFound`: the template has no such topic.
    pub(crate) fn publish(
        &self,
        topic: &str,
        subject: &str,
        message: &str,
        now: i64,
    ) -> Result<(), AwsError> {
        let found = self.topics.iter().find(|it| it.arn == topic);
        let found = found.ok_or_else(|| {
            let status = http::StatusCode::NOT_FOUND;
            AwsError::new(status, "NotFound", format!("Topic does not exist: {topic}"))
        })?;
        let subscriptions = found.subscriptions.iter();
        let subscriptions =
            subscriptions.map(|it| json!({"protocol": it.protocol, "endpoint": it.endpoint}));
        let entry = json!({
            "at": rfc3339(now), "topicArn": topic, "subject": subject, "message": message,
            "subscriptions": subscriptions.collect::<Vec<_>>(),
        });
        let mut published = self.published.lock().unwrap_or_else(PoisonError::into_inner);
        published.push_back(entry);
        if published.len() > MAX_KEPT {
            published.pop_front();
        }
        Ok(())
    }

    /// Returns the latest messages, oldest first: `{"notifications": […]}`.
    pub fn published(&self) -> Value {
        let published = self.published.lock().unwrap_or_else(PoisonError::into_inner);
        json!({ "notifications": published.iter().collect::<Vec<_>>() })
    }
}
