//! The names and ARNs of deployed resources: the values of `!Ref` and `!GetAtt`.

use serde_json::Value;

use crate::account::Account;

/// The name of the stack, and the prefix of names that CloudFormation generates.
pub(super) const STACK: &str = "local";

/// The type of what managed instances belong to.
pub(super) const CAPACITY_PROVIDER: &str = "AWS::Serverless::CapacityProvider";

/// Derives the names and ARNs of deployed resources.
pub(super) struct Names<'a> {
    pub(super) account: &'a Account,
    pub(super) base_url: &'a str,
    /// Resolves the intrinsic functions of a name property to text.
    pub(super) resolve: &'a dyn Fn(&Value) -> Result<String, String>,
}

impl Names<'_> {
    /// Returns the value of `!Ref` for a resource.
    ///
    /// # Errors
    /// The resource's name cannot be resolved.
    pub(super) fn reference(&self, id: &str, resource: &Value) -> Result<String, String> {
        let name = self.deployed(id, resource)?;
        Ok(match kind(resource) {
            "AWS::SQS::Queue" => queue_url(self.base_url, self.account, &name),
            "AWS::SNS::Topic" => self.account.arn("sns", &name),
            _ => name,
        })
    }

    /// Returns the value of `!Ref` for a resource that SAM makes of a function: the ARN of its
    /// alias for `FUNCTION.Alias`.
    ///
    /// # Errors
    /// The function has no alias, or SAM makes no such resource.
    pub(super) fn made_of(&self, id: &str, resource: &Value, part: &str) -> Result<String, String> {
        let alias = resource.pointer("/Properties/AutoPublishAlias");
        match (kind(resource), part, alias) {
            ("AWS::Serverless::Function", "Alias", Some(alias)) => {
                let alias = (self.resolve)(alias)?;
                Ok(format!("{}:{alias}", self.attribute(id, resource, "Arn")?))
            }
            _ => Err(format!("{id}.{part} is no resource: only FUNCTION.Alias, with an alias")),
        }
    }

    /// Returns the value of `!GetAtt` for a resource.
    ///
    /// # Errors
    /// The attribute is not supported, or the resource's name cannot be resolved.
    pub(super) fn attribute(
        &self,
        id: &str,
        resource: &Value,
        attribute: &str,
    ) -> Result<String, String> {
        let name = self.deployed(id, resource)?;
        let arn = |service: &str, resource: String| self.account.arn(service, &resource);
        Ok(match (kind(resource), attribute) {
            ("AWS::Serverless::Function", "Arn") => arn("lambda", format!("function:{name}")),
            (CAPACITY_PROVIDER, "Arn") => arn("lambda", format!("capacity-provider:{name}")),
            ("AWS::DynamoDB::Table", "Arn") => arn("dynamodb", format!("table/{name}")),
            ("AWS::DynamoDB::Table", "StreamArn") => {
                arn("dynamodb", format!("table/{name}/stream/local"))
            }
            ("AWS::SQS::Queue", "Arn") => arn("sqs", name),
            ("AWS::SQS::Queue", "QueueName") => name,
            ("AWS::SQS::Queue", "QueueUrl") => queue_url(self.base_url, self.account, &name),
            ("AWS::Events::Rule", "Arn") => {
                arn("events", format!("rule/{}", self.rule_path(resource, &name)?))
            }
            ("AWS::Events::Archive", "Arn") => arn("events", format!("archive/{name}")),
            ("AWS::Events::EventBus", "Arn") => arn("events", format!("event-bus/{name}")),
            ("AWS::Events::EventBus", "Name") => name,
            ("AWS::Logs::LogGroup", "Arn") => arn("logs", format!("log-group:{name}:*")),
            ("AWS::IAM::Role", "Arn") => format!("arn:aws:iam::{}:role/{name}", self.account.id),
            ("AWS::Serverless::HttpApi", "ApiEndpoint") => self.base_url.to_owned(),
            ("AWS::SNS::Topic", "TopicArn") => arn("sns", name),
            ("AWS::SNS::Topic", "TopicName") => name,
            ("AWS::CloudWatch::Alarm" | "AWS::CloudWatch::CompositeAlarm", "Arn") => {
                arn("cloudwatch", format!("alarm:{name}"))
            }
            (kind, _) => return Err(format!("{id} ({kind}) has no attribute {attribute} here")),
        })
    }

    /// Returns the deployed name: the name property, or `STACK-ID` in place of the name that
    /// CloudFormation generates.
    ///
    /// # Errors
    /// The name property cannot be resolved.
    pub(super) fn deployed(&self, id: &str, resource: &Value) -> Result<String, String> {
        let property = match kind(resource) {
            "AWS::Serverless::Function" => "FunctionName",
            CAPACITY_PROVIDER => "CapacityProviderName",
            "AWS::DynamoDB::Table" => "TableName",
            "AWS::SQS::Queue" => "QueueName",
            "AWS::Events::Archive" => "ArchiveName",
            "AWS::Logs::LogGroup" => "LogGroupName",
            "AWS::IAM::Role" => "RoleName",
            "AWS::SNS::Topic" => "TopicName",
            "AWS::ECS::TaskDefinition" => "Family",
            "AWS::CloudWatch::Alarm" | "AWS::CloudWatch::CompositeAlarm" => "AlarmName",
            "AWS::CloudWatch::Dashboard" => "DashboardName",
            "AWS::Events::Rule" | "AWS::Events::EventBus" => "Name",
            // Ref of an API is its id, which API Gateway generates and no property sets.
            _ => "",
        };
        match resource.get("Properties").and_then(|properties| properties.get(property)) {
            Some(name) => {
                (self.resolve)(name).map_err(|reason| format!("{id}.{property}: {reason}"))
            }
            None => Ok(format!("{STACK}-{id}")),
        }
    }

    /// Returns a rule's name, after its bus unless it is on the default bus.
    fn rule_path(&self, resource: &Value, name: &str) -> Result<String, String> {
        let bus = match resource.pointer("/Properties/EventBusName") {
            Some(bus) => (self.resolve)(bus)?,
            None => "default".to_owned(),
        };
        Ok(rule_resource(&bus, name))
    }
}

/// Returns the URL of a queue.
pub(super) fn queue_url(base_url: &str, account: &Account, name: &str) -> String {
    format!("{base_url}/{}/{name}", account.id)
}

/// Returns `NAME`, or `BUS/NAME` on a bus other than the default one. `bus` may be an ARN.
pub(super) fn rule_resource(bus: &str, name: &str) -> String {
    match bus.rsplit('/').next().unwrap_or(bus) {
        "default" => name.to_owned(),
        bus => format!("{bus}/{name}"),
    }
}

pub(super) fn kind(resource: &Value) -> &str {
    resource.get("Type").and_then(Value::as_str).unwrap_or_default()
}
