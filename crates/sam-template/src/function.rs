//! `AWS::Serverless::Function` and its events.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::draft::Draft;
use super::reader::{Properties, at};
use super::scope::Scope;
use super::{EventInvoke, Function, Template, TemplateError, capacity, events, http_api};

/// Deployment properties that have no effect here.
const WITHOUT_EFFECT: [&str; 10] = [
    "Architectures",
    "AutoPublishAliasAllProperties",
    "DeploymentPreference",
    "Description",
    "EphemeralStorage",
    "FunctionName",
    "Handler",
    "Policies",
    "Runtime",
    "Tags",
];

/// Lambda's defaults and limits (API model of CreateFunction).
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(3);
const DEFAULT_MEMORY_MB: u64 = 128;
const MAX_TIMEOUT_SECONDS: u64 = 900;
const MEMORY_MB: RangeInclusive<u64> = 128..=10_240;

/// Adds a function, its routes, rules and schedules.
///
/// # Errors
/// A property that is missing, wrong or unknown.
pub(super) fn read(
    draft: &mut Draft,
    scope: &Scope,
    id: &str,
    name: String,
    mut properties: Properties,
) -> Result<(), TemplateError> {
    let mut environment = environment(&mut properties)?;
    if let Some(mut logging) = properties.part("LoggingConfig")? {
        // Sets the log level. Functions always log JSON here.
        if let Some(level) = logging.text("ApplicationLogLevel")? {
            environment.insert("AWS_LAMBDA_LOG_LEVEL".to_owned(), level);
        }
        logging.finish(&["LogFormat", "LogGroup", "SystemLogLevel"])?;
    }
    let arn = scope.account.arn("lambda", &format!("function:{name}"));
    let code = properties.needed("CodeUri")?;
    let package = code.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned();
    if package.is_empty() || package == "." {
        return Err(properties.wrong("CodeUri", "its last part must be the package's folder"));
    }
    let instances = capacity::instances(scope, &mut properties)?;
    let (max_timeout, memory) = match instances {
        Some(_) => (capacity::MAX_TIMEOUT_SECONDS, capacity::MEMORY_MB),
        None => (MAX_TIMEOUT_SECONDS, MEMORY_MB),
    };
    let is_second = draft.template.functions.iter().any(|it| it.package == package);
    let function = Function {
        logical_id: id.to_owned(),
        log: if is_second { name.clone() } else { package.clone() },
        package,
        name,
        arn: arn.clone(),
        alias: properties.text("AutoPublishAlias")?,
        instances,
        timeout: properties.seconds("Timeout", 1..=max_timeout)?.unwrap_or(DEFAULT_TIMEOUT),
        memory_mb: small(properties.number("MemorySize", memory)?, DEFAULT_MEMORY_MB),
        role: properties.text("Role")?,
        environment,
        reserved_concurrency: properties
            .number("ReservedConcurrentExecutions", 0..=1_000)?
            .map(|limit| small(Some(limit), 0)),
        event_invoke: match properties.part("EventInvokeConfig")? {
            Some(part) => event_invoke(part)?,
            None => EventInvoke::default(),
        },
        tracing_active: match properties.text("Tracing")?.as_deref() {
            None | Some("PassThrough" | "Disabled") => false,
            Some("Active") => true,
            Some(other) => {
                let reason = format!("{other} is none of Active, PassThrough, Disabled");
                return Err(properties.wrong("Tracing", reason));
            }
        },
        recursive_loop_allowed: match properties.text("RecursiveLoop")?.as_deref() {
            None | Some("Terminate") => false,
            Some("Allow") => true,
            Some(other) => {
                let reason = format!("{other} is neither Allow nor Terminate");
                return Err(properties.wrong("RecursiveLoop", reason));
            }
        },
    };
    for (event, mut part) in properties.named_parts("Events")? {
        let kind = part.needed("Type")?;
        let body = part.part("Properties")?;
        let body = body.map_or_else(
            || Properties::new(part.place(), serde_json::Value::Null),
            Ok::<_, TemplateError>,
        )?;
        match kind.as_str() {
            "HttpApi" => http_api::read_event(draft, id, body)?,
            "EventBridgeRule" | "CloudWatchEvent" => {
                events::read_pattern_event(
                    &mut draft.template,
                    scope,
                    &format!("{id}{event}"),
                    &arn,
                    body,
                )?;
            }
            "Schedule" => {
                events::read_schedule_event(
                    &mut draft.template,
                    scope,
                    &format!("{id}{event}"),
                    &arn,
                    body,
                )?;
            }
            other => {
                return Err(part.wrong("Type", format!("local-cloud does not support {other}")));
            }
        }
        part.finish(&[])?;
    }
    draft.template.functions.push(function);
    // Build settings are in the resource's Metadata, not here.
    properties.finish(&WITHOUT_EFFECT)
}

/// `AWS::Lambda::EventInvokeConfig` as a separate resource.
///
/// # Errors
/// The function does not exist in the template, or a property is wrong.
pub(super) fn read_event_invoke_config(
    template: &mut Template,
    mut properties: Properties,
) -> Result<(), TemplateError> {
    let name = properties.needed("FunctionName")?;
    properties.take("Qualifier");
    let place = properties.place().to_owned();
    let settings = event_invoke(properties)?;
    let function = template.functions.iter_mut().find(|it| it.name == name || it.arn == name);
    let function = function.ok_or_else(|| at(&place, format!("no function {name} here")))?;
    function.event_invoke = settings;
    Ok(())
}

fn environment(
    properties: &mut Properties,
) -> Result<std::collections::BTreeMap<String, String>, TemplateError> {
    let Some(mut part) = properties.part("Environment")? else { return Ok(Default::default()) };
    let Some(mut variables) = part.part("Variables")? else {
        part.finish(&[])?;
        return Ok(Default::default());
    };
    part.finish(&[])?;
    let names: Vec<String> = variables.names();
    names
        .into_iter()
        .map(|name| variables.needed(&name).map(|value| (name, value)))
        .collect::<Result<_, _>>()
}

fn event_invoke(mut properties: Properties) -> Result<EventInvoke, TemplateError> {
    let mut settings = EventInvoke::default();
    if let Some(attempts) = properties.number("MaximumRetryAttempts", 0..=2)? {
        settings.maximum_retry_attempts = small(Some(attempts), 2);
    }
    if let Some(age) = properties.seconds("MaximumEventAgeInSeconds", 60..=21_600)? {
        settings.maximum_event_age = age;
    }
    if let Some(mut destinations) = properties.part("DestinationConfig")? {
        settings.on_failure = destination(&mut destinations, "OnFailure")?;
        settings.on_success = destination(&mut destinations, "OnSuccess")?;
        destinations.finish(&[])?;
    }
    properties.finish(&[])?;
    Ok(settings)
}

fn destination(destinations: &mut Properties, name: &str) -> Result<Option<String>, TemplateError> {
    let Some(mut part) = destinations.part(name)? else { return Ok(None) };
    let kind = part.text("Type")?;
    let arn = part.needed("Destination")?;
    if kind.as_deref().is_some_and(|kind| kind != "SQS") || !arn.contains(":sqs:") {
        return Err(part.wrong("Destination", format!("not an SQS queue: {arn}")));
    }
    part.finish(&[])?;
    Ok(Some(arn))
}

/// Converts a number whose range is already checked.
pub(super) fn small(number: Option<u64>, default: u64) -> u32 {
    u32::try_from(number.unwrap_or(default)).unwrap_or(u32::MAX)
}
