//! `AWS::Events::Rule`, `AWS::Events::Archive`, and the rules of functions' events.

use serde_json::Value;

use super::reader::Properties;
use super::scope::Scope;
use super::{Archive, RetryPolicy, Rule, Target, Template, TemplateError, names};

/// Adds a rule.
///
/// # Errors
/// A property that is missing, wrong or unknown.
pub(super) fn read_rule(
    template: &mut Template,
    scope: &Scope,
    id: &str,
    name: String,
    mut properties: Properties,
) -> Result<(), TemplateError> {
    let mut rule = rule(scope, id, name, &mut properties)?;
    rule.pattern = pattern(&mut properties, "EventPattern")?;
    rule.schedule = properties.text("ScheduleExpression")?;
    if rule.pattern.is_none() && rule.schedule.is_none() {
        return Err(properties.wrong("EventPattern", "neither a pattern nor a schedule"));
    }
    for mut part in properties.parts("Targets")? {
        let (id, arn) = (part.needed("Id")?, part.needed("Arn")?);
        let target = target(id, arn, &mut part)?;
        part.finish(&["RoleArn"])?;
        rule.targets.push(target);
    }
    template.rules.push(rule);
    properties.finish(&["Name", "RoleArn", "Tags"])
}

/// Adds the rule of a function's `EventBridgeRule` event.
///
/// # Errors
/// A property that is missing, wrong or unknown.
pub(super) fn read_pattern_event(
    template: &mut Template,
    scope: &Scope,
    id: &str,
    function_arn: &str,
    mut properties: Properties,
) -> Result<(), TemplateError> {
    let name = properties.text("RuleName")?;
    let name = name.unwrap_or_else(|| format!("{}-{id}", names::STACK));
    let mut rule = rule(scope, id, name, &mut properties)?;
    rule.pattern = pattern(&mut properties, "Pattern")?;
    if rule.pattern.is_none() {
        return Err(properties.wrong("Pattern", "missing"));
    }
    rule.targets.push(function_target(id, function_arn, &mut properties)?);
    template.rules.push(rule);
    properties.finish(&[])
}

/// Adds the rule of a function's `Schedule` event.
///
/// # Errors
/// A property that is missing, wrong or unknown.
pub(super) fn read_schedule_event(
    template: &mut Template,
    scope: &Scope,
    id: &str,
    function_arn: &str,
    mut properties: Properties,
) -> Result<(), TemplateError> {
    let name = properties.text("Name")?;
    let name = name.unwrap_or_else(|| format!("{}-{id}", names::STACK));
    let enabled = properties.boolean("Enabled")?;
    let mut rule = rule(scope, id, name, &mut properties)?;
    rule.enabled = enabled.unwrap_or(rule.enabled);
    rule.schedule = Some(properties.needed("Schedule")?);
    rule.targets.push(function_target(id, function_arn, &mut properties)?);
    template.rules.push(rule);
    properties.finish(&[])
}

/// Adds an archive.
///
/// # Errors
/// A property that is missing, wrong or unknown.
pub(super) fn read_archive(
    template: &mut Template,
    scope: &Scope,
    id: &str,
    name: String,
    mut properties: Properties,
) -> Result<(), TemplateError> {
    template.archives.push(Archive {
        logical_id: id.to_owned(),
        arn: scope.account.arn("events", &format!("archive/{name}")),
        name,
        source_arn: properties.needed("SourceArn")?,
        description: properties.text("Description")?,
        pattern: pattern(&mut properties, "EventPattern")?,
        retention_days: properties
            .number("RetentionDays", 0..=u64::from(u32::MAX))?
            .and_then(|days| u32::try_from(days).ok())
            .unwrap_or(0),
    });
    properties.finish(&["ArchiveName", "KmsKeyIdentifier"])
}

/// Reads the properties that all kinds of rules share.
fn rule(
    scope: &Scope,
    id: &str,
    name: String,
    properties: &mut Properties,
) -> Result<Rule, TemplateError> {
    let bus = properties.text("EventBusName")?.unwrap_or_else(|| "default".to_owned());
    let path = names::rule_resource(&bus, &name);
    let enabled = match properties.text("State")?.as_deref() {
        None | Some("ENABLED" | "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS") => true,
        Some("DISABLED") => false,
        Some(other) => return Err(properties.wrong("State", format!("unknown: {other}"))),
    };
    Ok(Rule {
        logical_id: id.to_owned(),
        arn: scope.account.arn("events", &format!("rule/{path}")),
        name,
        bus: bus.rsplit('/').next().unwrap_or(&bus).to_owned(),
        description: properties.text("Description")?,
        enabled,
        pattern: None,
        schedule: None,
        targets: Vec::new(),
    })
}

fn function_target(
    id: &str,
    function_arn: &str,
    properties: &mut Properties,
) -> Result<Target, TemplateError> {
    let mut target_id = format!("{id}LambdaTarget");
    if let Some(mut part) = properties.part("Target")? {
        target_id = part.needed("Id")?;
        part.finish(&[])?;
    }
    target(target_id, function_arn.to_owned(), properties)
}

fn target(id: String, arn: String, properties: &mut Properties) -> Result<Target, TemplateError> {
    let mut retry = RetryPolicy::default();
    if let Some(mut part) = properties.part("RetryPolicy")? {
        if let Some(attempts) = part.number("MaximumRetryAttempts", 0..=185)? {
            retry.maximum_retry_attempts = u32::try_from(attempts).unwrap_or(185);
        }
        if let Some(age) = part.seconds("MaximumEventAgeInSeconds", 60..=86_400)? {
            retry.maximum_event_age = age;
        }
        part.finish(&[])?;
    }
    let mut dead_letter_arn = None;
    if let Some(mut part) = properties.part("DeadLetterConfig")? {
        dead_letter_arn = Some(part.needed("Arn")?);
        part.finish(&[])?;
    }
    let input = match properties.take("Input") {
        None => None,
        Some(Value::String(text)) => match serde_json::from_str::<Value>(&text) {
            Ok(_) => Some(text),
            Err(error) => return Err(properties.wrong("Input", format!("not JSON: {error}"))),
        },
        Some(_) => return Err(properties.wrong("Input", "not JSON text")),
    };
    Ok(Target {
        id,
        arn,
        input,
        input_path: properties.text("InputPath")?,
        input_transformer: properties.take("InputTransformer"),
        retry,
        dead_letter_arn,
    })
}

/// Reads a pattern: a map, or JSON text, which CloudFormation accepts too.
fn pattern(properties: &mut Properties, name: &str) -> Result<Option<Value>, TemplateError> {
    let value = match properties.take(name) {
        None => return Ok(None),
        Some(Value::String(text)) => serde_json::from_str(&text)
            .map_err(|error| properties.wrong(name, format!("not JSON: {error}")))?,
        Some(value) => value,
    };
    match value {
        Value::Object(_) => Ok(Some(value)),
        other => Err(properties.wrong(name, format!("not a map: {other}"))),
    }
}
