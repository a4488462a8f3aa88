//! Converts the text of a template to the model: sections, then each resource by its type.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::draft::Draft;
use super::options::LoadOptions;
use super::reader::{Properties, at};
use super::scope::Scope;
use super::{
    Template, TemplateError, alarms, capacity, events, function, http_api, include, names,
    parameters, queue, role, rules, table, task, yaml,
};

/// Resource types that are accepted and not run. They have no effect on one machine, except that
/// roles hold the permissions of functions.
pub const NOT_RUN: [&str; 16] = [
    "AWS::ApplicationAutoScaling::ScalableTarget",
    "AWS::ApplicationAutoScaling::ScalingPolicy",
    "AWS::CloudFormation::Stack",
    "AWS::Cognito::UserPool",
    "AWS::Cognito::UserPoolClient",
    "AWS::ECS::Cluster",
    "AWS::ECS::Service",
    "AWS::Events::EventBusPolicy",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Policy",
    "AWS::IAM::Role",
    "AWS::KMS::Key",
    "AWS::Lambda::Permission",
    "AWS::Logs::LogGroup",
    "AWS::Logs::MetricFilter",
    "AWS::Serverless::Application",
];

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// The template is malformed or uses something that is not supported; the error has the place.
    pub fn load(text: &str, options: &LoadOptions) -> Result<Self, TemplateError> {
        let root = yaml::read(text).map_err(TemplateError::Malformed)?;
        let mut root = Properties::new("template", root)
            .map_err(|error| TemplateError::Malformed(error.to_string()))?;
        let mut section = |name: &str| match root.take(name) {
            None => Ok(Map::new()),
            Some(Value::Object(map)) => Ok(map),
            Some(_) => Err(TemplateError::Malformed(format!("{name} is not a map"))),
        };
        let declared = section("Parameters")?;
        let conditions = section("Conditions")?;
        let mappings = section("Mappings")?;
        let rules = section("Rules")?;
        let globals = section("Globals")?;
        let outputs = section("Outputs")?;
        let mut resources = section("Resources")?;
        if resources.is_empty() {
            let reason = "at least one member of Resources must be defined";
            return Err(TemplateError::Malformed(reason.to_owned()));
        }
        include::insert(&mut resources, options.folder.as_deref())?;
        root.finish(&["AWSTemplateFormatVersion", "Transform", "Description", "Metadata"])?;

        let scope = Scope {
            account: options.account.clone(),
            base_url: options.base_url.clone(),
            parameters: parameters::values(declared, options)?,
            conditions,
            mappings,
            resources,
        };
        rules::check(&scope, rules)?;
        let mut draft = Draft::default();
        let globals = Globals::read(&scope, globals)?;
        for (id, resource) in &scope.resources {
            draft.add(&scope, &globals, id, resource)?;
        }
        draft.connect(&scope)?;
        draft.template.roles = role::read(&scope, &draft.template)?;
        Ok(Self {
            account: scope.account.clone(),
            parameters: shown(&scope.parameters),
            outputs: read_outputs(&scope, &outputs)?,
            ..draft.template
        })
    }
}

impl Draft {
    fn add(
        &mut self,
        scope: &Scope,
        globals: &Globals,
        id: &str,
        resource: &Value,
    ) -> Result<(), TemplateError> {
        let kind = names::kind(resource);
        if !scope.is_made(resource).map_err(|reason| at(id, reason))? || NOT_RUN.contains(&kind) {
            return Ok(());
        }
        let properties = resource.get("Properties").cloned().unwrap_or_default();
        let resolved = scope.resolve(&properties).map_err(|reason| at(id, reason))?;
        let properties = Properties::new(id, resolved.unwrap_or_default())?;
        let name = scope.deployed_name(id, resource).map_err(|reason| at(id, reason))?;
        match kind {
            "AWS::Serverless::Function" => {
                let properties = globals.function.under(properties)?;
                function::read(self, scope, id, name, properties)
            }
            "AWS::Serverless::HttpApi" => {
                let properties = globals.http_api.under(properties)?;
                http_api::read(self, id, name, properties)
            }
            "AWS::DynamoDB::Table" => table::read(&mut self.template, id, name, properties),
            "AWS::Events::Rule" => {
                events::read_rule(&mut self.template, scope, id, name, properties)
            }
            "AWS::Events::Archive" => {
                events::read_archive(&mut self.template, scope, id, name, properties)
            }
            names::CAPACITY_PROVIDER => capacity::read(properties),
            "AWS::Events::EventBus" => properties.finish(&["Name", "Description", "Tags"]),
            "AWS::ECS::TaskDefinition" => task::read(&mut self.template, id, name, properties),
            "AWS::SQS::Queue" => queue::read(&mut self.template, scope, id, name, properties),
            "AWS::CloudWatch::Alarm" | "AWS::CloudWatch::CompositeAlarm" => {
                alarms::read(&mut self.template, scope, id, name, kind, properties)
            }
            "AWS::CloudWatch::Dashboard" => {
                alarms::read_dashboard(&mut self.template, name, properties)
            }
            "AWS::SNS::Topic" => {
                alarms::read_topic(&mut self.template, scope, id, name, properties)
            }
            // Read in `connect`, after every queue, function and topic.
            "AWS::SQS::QueuePolicy"
            | "AWS::Lambda::EventInvokeConfig"
            | "AWS::SNS::Subscription" => Ok(()),
            other => Err(at(id, format!("local-cloud does not know the type {other:?}"))),
        }
    }

    /// Resolves the references to resources read later: queue policies, event-invoke settings,
    /// subscriptions, routes.
    fn connect(&mut self, scope: &Scope) -> Result<(), TemplateError> {
        for (id, resource) in &scope.resources {
            let kind = names::kind(resource);
            let is_late = matches!(
                kind,
                "AWS::SQS::QueuePolicy"
                    | "AWS::Lambda::EventInvokeConfig"
                    | "AWS::SNS::Subscription"
            );
            if !is_late || !scope.is_made(resource).map_err(|reason| at(id, reason))? {
                continue;
            }
            let properties = resource.get("Properties").cloned().unwrap_or_default();
            let resolved = scope.resolve(&properties).map_err(|reason| at(id, reason))?;
            let properties = Properties::new(id, resolved.unwrap_or_default())?;
            match kind {
                "AWS::SQS::QueuePolicy" => queue::read_policy(&mut self.template, properties)?,
                "AWS::SNS::Subscription" => {
                    alarms::read_subscription(&mut self.template, properties)?;
                }
                _ => function::read_event_invoke_config(&mut self.template, properties)?,
            }
        }
        http_api::connect(self)
    }
}

/// The `Globals` section: the defaults of every function and API.
#[derive(Debug, Default)]
struct Globals {
    function: Defaults,
    http_api: Defaults,
}

impl Globals {
    fn read(scope: &Scope, section: Map<String, Value>) -> Result<Self, TemplateError> {
        let resolved =
            scope.resolve(&Value::Object(section)).map_err(|reason| at("Globals", reason))?;
        let mut section = Properties::new("Globals", resolved.unwrap_or_default())?;
        let mut defaults = |name: &str| -> Result<Defaults, TemplateError> {
            Ok(Defaults(section.part(name)?.map(Properties::rest).unwrap_or_default()))
        };
        let globals = Self { function: defaults("Function")?, http_api: defaults("HttpApi")? };
        section.finish(&[])?;
        Ok(globals)
    }
}

/// The default properties of one kind of resource.
#[derive(Debug, Default)]
struct Defaults(Map<String, Value>);

impl Defaults {
    /// Returns these defaults, overridden by a resource's own properties: maps are merged, lists
    /// are joined, anything else is replaced (SAM's rule for Globals).
    fn under(&self, own: Properties) -> Result<Properties, TemplateError> {
        let place = own.place().to_owned();
        let mut merged = Value::Object(self.0.clone());
        merge(&mut merged, Value::Object(own.rest()));
        Properties::new(place, merged)
    }
}

fn merge(base: &mut Value, over: Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                merge(base.entry(key).or_insert(Value::Null), value);
            }
        }
        (Value::Array(base), Value::Array(over)) => base.extend(over),
        (base, over) => *base = over,
    }
}

fn shown(parameters: &BTreeMap<String, Value>) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    parameters.iter().map(|(name, value)| (name.clone(), text(value))).collect()
}

fn read_outputs(
    scope: &Scope,
    section: &Map<String, Value>,
) -> Result<BTreeMap<String, Value>, TemplateError> {
    let mut outputs = BTreeMap::new();
    for (name, output) in section {
        let wrong = |reason: String| at(&format!("Outputs.{name}"), reason);
        if !scope.is_made(output).map_err(wrong)? {
            continue;
        }
        let value = output.get("Value").ok_or_else(|| wrong("no Value".to_owned()))?;
        if let Some(value) = scope.resolve(value).map_err(wrong)? {
            outputs.insert(name.clone(), value);
        }
    }
    Ok(outputs)
}
