//! The dead-letter queues.

use std::collections::HashMap;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, MessageSystemAttributeName, QueueAttributeName,
};

use super::{Aws, failed};
use crate::error::Error;

/// Visibility timeout of received letters, s: longer than the delivery of ten letters takes, short
/// enough that those of a redrive that was killed are soon visible again.
const HIDDEN_SECONDS: i32 = 120;
/// How long a receive waits for letters, s. Long polling queries all servers of the queue.
const WAIT_SECONDS: i32 = 2;
/// The most letters of one receive or batch.
pub(crate) const BATCH: usize = 10;

/// A message of a dead-letter queue.
#[derive(Debug, Clone)]
pub(crate) struct Letter {
    /// Its id.
    pub(crate) id: String,
    /// By which it is deleted or put back.
    pub(crate) receipt: String,
    /// Its body.
    pub(crate) body: String,
    /// Its message attributes that are texts.
    pub(crate) attributes: HashMap<String, String>,
    /// When it was sent, Unix ms; 0 if the queue did not say.
    pub(crate) sent: i64,
}

/// How many letters a queue has, approximately.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Those that can be received.
    pub(crate) visible: usize,
    /// Those that a reader has received and neither deleted nor put back.
    pub(crate) hidden: usize,
}

/// A queue.
#[derive(Debug)]
pub(crate) struct Queue<'a> {
    aws: &'a Aws,
    client: Client,
    url: String,
}

impl Aws {
    /// Finds a queue by its name.
    pub(crate) async fn queue_named(&self, name: &str) -> Result<Queue<'_>, Error> {
        let operation = "sqs get-queue-url";
        self.show(operation, &[("--queue-name", name)], None);
        let client = Client::new(&self.config);
        let output = client.get_queue_url().queue_name(name).send().await;
        let url = output.map_err(failed(operation))?.queue_url.unwrap_or_default();
        Ok(Queue { aws: self, client, url })
    }
}

impl Queue<'_> {
    /// Receives up to ten letters, and hides them from other readers.
    pub(crate) async fn receive(&self) -> Result<Vec<Letter>, Error> {
        let operation = "sqs receive-message";
        let (hidden, wait) = (HIDDEN_SECONDS.to_string(), WAIT_SECONDS.to_string());
        let arguments = [
            ("--queue-url", self.url.as_str()),
            ("--max-number-of-messages", "10"),
            ("--visibility-timeout", &hidden),
            ("--wait-time-seconds", &wait),
            ("--message-attribute-names", "All"),
            ("--attribute-names", "SentTimestamp"),
        ];
        self.aws.show(operation, &arguments, None);
        let receive = self.client.receive_message().queue_url(&self.url);
        let receive = receive.max_number_of_messages(10).wait_time_seconds(WAIT_SECONDS);
        let receive = receive.visibility_timeout(HIDDEN_SECONDS).message_attribute_names("All");
        let receive =
            receive.message_system_attribute_names(MessageSystemAttributeName::SentTimestamp);
        let output = receive.send().await.map_err(failed(operation))?;
        Ok(output.messages.unwrap_or_default().into_iter().map(letter).collect())
    }

    /// Prints the deletion of a letter that is accepted. As a comment: the letter is lost if it is
    /// deleted and was not accepted.
    pub(crate) fn show_deletion_once_accepted(&self, letter: &Letter) {
        let arguments = self.deletion(letter);
        self.aws.show_conditional("if it was accepted", "sqs delete-message", &arguments);
    }

    /// Prints a deletion as it would be made.
    pub(crate) fn show_deletion(&self, letter: &Letter) {
        self.aws.show("sqs delete-message", &self.deletion(letter), None);
    }

    fn deletion<'a>(&'a self, letter: &'a Letter) -> [(&'static str, &'a str); 2] {
        [("--queue-url", &self.url), ("--receipt-handle", &letter.receipt)]
    }

    /// Deletes a letter.
    pub(crate) async fn delete(&self, letter: &Letter) -> Result<(), Error> {
        self.show_deletion(letter);
        let delete = self.client.delete_message().queue_url(&self.url);
        let output = delete.receipt_handle(&letter.receipt).send().await;
        output.map(drop).map_err(failed("sqs delete-message"))
    }

    /// Makes received letters visible again. One that is visible already stays so.
    pub(crate) async fn put_back(&self, receipts: &[String]) -> Result<(), Error> {
        let operation = "sqs change-message-visibility";
        let mut failure = None;
        for batch in receipts.chunks(BATCH) {
            let mut change = self.client.change_message_visibility_batch().queue_url(&self.url);
            for (number, receipt) in batch.iter().enumerate() {
                let arguments = [
                    ("--queue-url", self.url.as_str()),
                    ("--receipt-handle", receipt),
                    ("--visibility-timeout", "0"),
                ];
                self.aws.show(operation, &arguments, None);
                let entry = ChangeMessageVisibilityBatchRequestEntry::builder()
                    .id(number.to_string())
                    .receipt_handle(receipt)
                    .visibility_timeout(0);
                let entry = entry.build().map_err(|error| Error::Malformed {
                    what: "a receipt".to_owned(),
                    reason: error.to_string(),
                })?;
                change = change.entries(entry);
            }
            // A letter that is in flight no more is refused as the sender's fault.
            let refused = match change.send().await {
                Ok(output) => output.failed.into_iter().find(|it| !it.sender_fault).map(|it| {
                    let message = format!("{}: {}", it.code, it.message.unwrap_or_default());
                    Error::Aws { operation: operation.to_owned(), message }
                }),
                Err(error) => Some(failed(operation)(error)),
            };
            failure = failure.or(refused);
        }
        match failure {
            Some(Error::Aws { operation, message }) => Err(Error::Aws {
                operation,
                message: format!("{message}; the letters are visible again in two minutes"),
            }),
            Some(other) => Err(other),
            None => Ok(()),
        }
    }

    /// Counts the letters.
    pub(crate) async fn counts(&self) -> Result<Counts, Error> {
        let operation = "sqs get-queue-attributes";
        let arguments = [
            ("--queue-url", self.url.as_str()),
            ("--attribute-names", "ApproximateNumberOfMessages"),
            ("", "ApproximateNumberOfMessagesNotVisible"),
        ];
        self.aws.show(operation, &arguments, None);
        let visible = QueueAttributeName::ApproximateNumberOfMessages;
        let hidden = QueueAttributeName::ApproximateNumberOfMessagesNotVisible;
        let ask = self.client.get_queue_attributes().queue_url(&self.url);
        let ask = ask.attribute_names(visible.clone()).attribute_names(hidden.clone());
        let output = ask.send().await.map_err(failed(operation))?;
        let count = |name: &QueueAttributeName| {
            let value = output.attributes.as_ref().and_then(|attributes| attributes.get(name));
            value.and_then(|value| value.parse().ok()).ok_or_else(|| Error::Malformed {
                what: self.url.clone(),
                reason: format!("no {name}"),
            })
        };
        Ok(Counts { visible: count(&visible)?, hidden: count(&hidden)? })
    }
}

fn letter(message: aws_sdk_sqs::types::Message) -> Letter {
    let sent = message.attributes.as_ref().and_then(|attributes| {
        attributes.get(&MessageSystemAttributeName::SentTimestamp)?.parse().ok()
    });
    let attributes = message.message_attributes.unwrap_or_default();
    let attributes = attributes.into_iter().filter_map(|(name, it)| Some((name, it.string_value?)));
    Letter {
        id: message.message_id.unwrap_or_default(),
        receipt: message.receipt_handle.unwrap_or_default(),
        body: message.body.unwrap_or_default(),
        attributes: attributes.collect(),
        sent: sent.unwrap_or_default(),
    }
}
