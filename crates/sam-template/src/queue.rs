//! `AWS::SQS::Queue` and `AWS::SQS::QueuePolicy`.

use std::time::Duration;

use serde_json::Value;

use super::reader::{Properties, at};
use super::scope::Scope;
use super::{Queue, Template, TemplateError, names};

/// Deployment properties that have no effect here.
const WITHOUT_EFFECT: [&str; 7] = [
    "KmsDataKeyReusePeriodSeconds",
    "KmsMasterKeyId",
    "MaximumMessageSize",
    "QueueName",
    "RedriveAllowPolicy",
    "SqsManagedSseEnabled",
    "Tags",
];

/// Adds a queue. The defaults are those of SQS.
///
/// # Errors
/// A property that is wrong or unknown.
pub(super) fn read(
    template: &mut Template,
    scope: &Scope,
    id: &str,
    name: String,
    mut properties: Properties,
) -> Result<(), TemplateError> {
    if properties.boolean("FifoQueue")?.unwrap_or_default() {
        return Err(properties.wrong("FifoQueue", "FIFO queues are not supported"));
    }
    let days = |days: u64| Duration::from_secs(days * 86_400);
    template.queues.push(Queue {
        logical_id: id.to_owned(),
        arn: scope.account.arn("sqs", &name),
        url: names::queue_url(&scope.base_url, &scope.account, &name),
        name,
        visibility_timeout: properties
            .seconds("VisibilityTimeout", 0..=43_200)?
            .unwrap_or(Duration::from_secs(30)),
        retention: properties.seconds("MessageRetentionPeriod", 60..=1_209_600)?.unwrap_or(days(4)),
        receive_wait: properties
            .seconds("ReceiveMessageWaitTimeSeconds", 0..=20)?
            .unwrap_or_default(),
        delay: properties.seconds("DelaySeconds", 0..=900)?.unwrap_or_default(),
        redrive_policy: properties.take("RedrivePolicy"),
        policies: Vec::new(),
    });
    properties.finish(&WITHOUT_EFFECT)
}

/// Adds a policy to the queues that it names.
///
/// # Errors
/// A queue does not exist in the template, or the document is missing.
pub(super) fn read_policy(
    template: &mut Template,
    mut properties: Properties,
) -> Result<(), TemplateError> {
    let document = properties
        .take("PolicyDocument")
        .filter(Value::is_object)
        .ok_or_else(|| properties.wrong("PolicyDocument", "missing"))?;
    for url in properties.texts("Queues")? {
        let queue = template.queues.iter_mut().find(|queue| queue.url == url);
        let place = properties.place();
        let queue = queue.ok_or_else(|| at(place, format!("there is no queue {url} here")))?;
        queue.policies.push(document.clone());
    }
    properties.finish(&[])
}
