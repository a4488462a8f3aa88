//! What a resource is called once it is deployed: the values of `!Ref` and `!GetAtt`.

use serde_json::Value;

use super::scope::Scope;

/// The name of the stack, and the prefix of every name that the template leaves to CloudFormation.
pub(super) const STACK: &str = "local";

/// What `!Ref` of a resource gives.
///
/// # Errors
/// A name that cannot be resolved.
pub(super) fn reference(
    scope: &Scope,
    id: &str,
    resource: &Value,
    depth: usize,
) -> Result<String, String> {
    let name = deployed(scope, id, resource, depth)?;
    Ok(match kind(resource) {
        "AWS::SQS::Queue" => queue_url(scope, &name),
        "AWS::SNS::Topic" => scope.account.arn("sns", &name),
        _ => name,
    })
}

/// What `!GetAtt` of a resource gives.
///
/// # Errors
/// An attribute that local-cloud does not know, or a name that cannot be resolved.
pub(super) fn attribute(
    scope: &Scope,
    id: &str,
    resource: &Value,
    attribute: &str,
    depth: usize,
) -> Result<String, String> {
    let name = deployed(scope, id, resource, depth)?;
    let arn = |service: &str, resource: String| scope.account.arn(service, &resource);
    Ok(match (kind(resource), attribute) {
        ("AWS::Serverless::Function", "Arn") => arn("lambda", format!("function:{name}")),
        ("AWS::DynamoDB::Table", "Arn") => arn("dynamodb", format!("table/{name}")),
        ("AWS::DynamoDB::Table", "StreamArn") => {
            arn("dynamodb", format!("table/{name}/stream/local"))
        }
        ("AWS::SQS::Queue", "Arn") => arn("sqs", name),
        ("AWS::SQS::Queue", "QueueName") => name,
        ("AWS::SQS::Queue", "QueueUrl") => queue_url(scope, &name),
        ("AWS::Events::Rule", "Arn") => {
            arn("events", format!("rule/{}", rule_path(scope, resource, &name, depth)?))
        }
        ("AWS::Events::Archive", "Arn") => arn("events", format!("archive/{name}")),
        ("AWS::Events::EventBus", "Arn") => arn("events", format!("event-bus/{name}")),
        ("AWS::Events::EventBus", "Name") => name,
        ("AWS::Logs::LogGroup", "Arn") => arn("logs", format!("log-group:{name}:*")),
        ("AWS::IAM::Role", "Arn") => format!("arn:aws:iam::{}:role/{name}", scope.account.id),
        ("AWS::Serverless::HttpApi", "ApiEndpoint") => scope.base_url.clone(),
        ("AWS::SNS::Topic", "TopicArn") => arn("sns", name),
        ("AWS::SNS::Topic", "TopicName") => name,
        ("AWS::CloudWatch::Alarm", "Arn") => arn("cloudwatch", format!("alarm:{name}")),
        (kind, _) => return Err(format!("{id} ({kind}) has no attribute {attribute} here")),
    })
}

/// The deployed name: the name property, or what stands for CloudFormation's generated one.
pub(super) fn deployed(
    scope: &Scope,
    id: &str,
    resource: &Value,
    depth: usize,
) -> Result<String, String> {
    let property = match kind(resource) {
        "AWS::Serverless::Function" => "FunctionName",
        "AWS::DynamoDB::Table" => "TableName",
        "AWS::SQS::Queue" => "QueueName",
        "AWS::Events::Archive" => "ArchiveName",
        "AWS::Logs::LogGroup" => "LogGroupName",
        "AWS::IAM::Role" => "RoleName",
        "AWS::SNS::Topic" => "TopicName",
        "AWS::CloudWatch::Alarm" => "AlarmName",
        "AWS::Events::Rule" | "AWS::Events::EventBus" => "Name",
        // Ref of an API is its id, which is made by API Gateway and never named.
        _ => "",
    };
    match resource.get("Properties").and_then(|properties| properties.get(property)) {
        Some(name) => {
            scope.string(name, depth + 1).map_err(|reason| format!("{id}.{property}: {reason}"))
        }
        None => Ok(format!("{STACK}-{id}")),
    }
}

/// The URL of a queue on this cloud.
pub(super) fn queue_url(scope: &Scope, name: &str) -> String {
    format!("{}/{}/{name}", scope.base_url, scope.account.id)
}

/// A rule's name with its bus before it, unless it is on the default bus.
fn rule_path(scope: &Scope, resource: &Value, name: &str, depth: usize) -> Result<String, String> {
    let bus = match resource.pointer("/Properties/EventBusName") {
        Some(bus) => scope.string(bus, depth + 1)?,
        None => "default".to_owned(),
    };
    Ok(rule_resource(&bus, name))
}

/// `NAME`, or `BUS/NAME` on a bus of its own. `bus` may be an ARN.
pub(super) fn rule_resource(bus: &str, name: &str) -> String {
    match bus.rsplit('/').next().unwrap_or(bus) {
        "default" => name.to_owned(),
        bus => format!("{bus}/{name}"),
    }
}

pub(super) fn kind(resource: &Value) -> &str {
    resource.get("Type").and_then(Value::as_str).unwrap_or_default()
}
