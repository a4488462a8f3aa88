//! `AWS::CloudWatch::Alarm`, `CompositeAlarm` and `Dashboard`, and the topics that alarms notify.

use serde_json::Value;

use super::reader::{Properties, at};
use super::scope::Scope;
use super::{Alarm, Dashboard, Subscription, Template, TemplateError, Topic};

/// Adds an alarm of either kind.
///
/// # Errors
/// It has no name.
pub(super) fn read(
    template: &mut Template,
    scope: &Scope,
    id: &str,
    name: String,
    kind: &str,
    mut properties: Properties,
) -> Result<(), TemplateError> {
    for without_effect in ["AlarmName", "Tags"] {
        properties.take(without_effect);
    }
    let mut properties = properties.rest();
    // The value of a parameter is text, which CloudFormation converts to the property's type.
    let threshold = properties.get("Threshold").and_then(Value::as_str);
    if let Some(number) = threshold.and_then(|text| text.parse::<f64>().ok()) {
        properties.insert("Threshold".to_owned(), number.into());
    }
    template.alarms.push(Alarm {
        logical_id: id.to_owned(),
        arn: scope.account.arn("cloudwatch", &format!("alarm:{name}")),
        name,
        is_composite: kind.ends_with("CompositeAlarm"),
        properties,
    });
    Ok(())
}

/// Adds a dashboard.
///
/// # Errors
/// Its body is not JSON, or a property is unknown.
pub(super) fn read_dashboard(
    template: &mut Template,
    name: String,
    mut properties: Properties,
) -> Result<(), TemplateError> {
    let body = properties.needed("DashboardBody")?;
    if let Err(error) = serde_json::from_str::<Value>(&body) {
        return Err(properties.wrong("DashboardBody", format!("not JSON: {error}")));
    }
    template.dashboards.push(Dashboard { name, body });
    properties.finish(&["DashboardName", "Tags"])
}

/// Adds a topic.
///
/// # Errors
/// A property is wrong or unknown.
pub(super) fn read_topic(
    template: &mut Template,
    scope: &Scope,
    id: &str,
    name: String,
    mut properties: Properties,
) -> Result<(), TemplateError> {
    let subscriptions = properties.parts("Subscription")?.into_iter().map(subscription);
    template.topics.push(Topic {
        logical_id: id.to_owned(),
        arn: scope.account.arn("sns", &name),
        subscriptions: subscriptions.collect::<Result<_, _>>()?,
    });
    properties.finish(&["TopicName", "DisplayName", "KmsMasterKeyId", "Tags"])
}

/// Adds a subscription to its topic.
///
/// # Errors
/// The template has no such topic, or a property is wrong or unknown.
pub(super) fn read_subscription(
    template: &mut Template,
    mut properties: Properties,
) -> Result<(), TemplateError> {
    let arn = properties.needed("TopicArn")?;
    let place = properties.place().to_owned();
    let subscription = subscription(properties)?;
    let topic = template.topics.iter_mut().find(|topic| topic.arn == arn);
    let topic = topic.ok_or_else(|| at(&place, format!("there is no topic {arn} here")))?;
    topic.subscriptions.push(subscription);
    Ok(())
}

fn subscription(mut properties: Properties) -> Result<Subscription, TemplateError> {
    let protocol = properties.needed("Protocol")?;
    let endpoint = properties.needed("Endpoint")?;
    properties.finish(&[])?;
    Ok(Subscription { protocol, endpoint })
}
