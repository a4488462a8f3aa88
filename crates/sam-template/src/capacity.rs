//! `AWS::Serverless::CapacityProvider`, and the part of a function that runs on its instances.

use std::ops::RangeInclusive;

use super::function::small;
use super::reader::Properties;
use super::scope::Scope;
use super::{ManagedInstances, TemplateError, names};

/// Limits of functions on managed instances (API model of CreateFunction).
pub(super) const MAX_TIMEOUT_SECONDS: u64 = 5_400;
pub(super) const MEMORY_MB: RangeInclusive<u64> = 2_048..=32_768;
const MAX_CONCURRENCY: RangeInclusive<u64> = 1..=1_600;
/// Default of Rust, for each vCPU.
const DEFAULT_CONCURRENCY: u64 = 8;

/// Limits of a capacity provider (API model of CreateCapacityProvider).
const MAX_VCPUS: RangeInclusive<u64> = 2..=15_000;
const MAX_SUBNETS: usize = 16;
const MAX_SECURITY_GROUPS: usize = 5;

/// Properties that have no effect on one machine.
const WITHOUT_EFFECT: [&str; 7] = [
    "CapacityProviderName",
    "InstanceRequirements",
    "KmsKeyArn",
    "LoggingConfig",
    "OperatorRole",
    "PropagateTags",
    "Tags",
];

/// Checks a capacity provider. It has no effect on one machine: the functions refer to it.
///
/// # Errors
/// A property that is missing, wrong or unknown.
pub(super) fn read(mut properties: Properties) -> Result<(), TemplateError> {
    let Some(mut network) = properties.part("VpcConfig")? else {
        return Err(properties.wrong("VpcConfig", "missing"));
    };
    let subnets = network.texts("SubnetIds")?.len();
    if subnets == 0 || subnets > MAX_SUBNETS {
        return Err(network.wrong("SubnetIds", format!("1 to {MAX_SUBNETS} are needed")));
    }
    let groups = network.texts("SecurityGroupIds")?.len();
    if groups == 0 || groups > MAX_SECURITY_GROUPS {
        let reason = format!("1 to {MAX_SECURITY_GROUPS} are needed");
        return Err(network.wrong("SecurityGroupIds", reason));
    }
    network.finish(&[])?;
    if let Some(mut scaling) = properties.part("ScalingConfig")? {
        scaling.number("MaxVCpuCount", MAX_VCPUS)?;
        scaling.finish(&["AverageCPUUtilization"])?;
    }
    properties.finish(&WITHOUT_EFFECT)
}

/// Takes how a function runs on managed instances; `None` if it does not.
///
/// # Errors
/// A property is wrong or unknown, the provider is not in the template, or the function has no
/// alias: without a published version, managed instances run nothing.
pub(super) fn instances(
    scope: &Scope,
    properties: &mut Properties,
) -> Result<Option<ManagedInstances>, TemplateError> {
    let Some(mut part) = properties.part("CapacityProviderConfig")? else { return Ok(None) };
    let arn = part.needed("Arn")?;
    let providers = scope.resources.iter().filter(|(_, resource)| {
        names::kind(resource) == names::CAPACITY_PROVIDER && scope.is_made(resource) == Ok(true)
    });
    if !providers.into_iter().any(|(id, it)| scope.arn(id, it).as_ref() == Ok(&arn)) {
        return Err(part.wrong("Arn", format!("no capacity provider {arn} here")));
    }
    let per_vcpu = part.number("ExecutionEnvironmentMemoryGiBPerVCpu", 2..=8)?.unwrap_or(2);
    if ![2, 4, 8].contains(&per_vcpu) {
        let reason = format!("{per_vcpu} is none of 2, 4, 8");
        return Err(part.wrong("ExecutionEnvironmentMemoryGiBPerVCpu", reason));
    }
    let concurrency = part.number("PerExecutionEnvironmentMaxConcurrency", MAX_CONCURRENCY)?;
    part.finish(&[])?;
    for excluded in ["VpcConfig", "ProvisionedConcurrencyConfig"] {
        if properties.names().iter().any(|name| name == excluded) {
            return Err(properties.wrong(excluded, "not with a CapacityProviderConfig"));
        }
    }
    if !properties.names().iter().any(|name| name == "AutoPublishAlias") {
        return Err(properties.wrong("AutoPublishAlias", "managed instances run a version"));
    }
    Ok(Some(ManagedInstances { max_concurrency: small(concurrency, DEFAULT_CONCURRENCY) }))
}

#[cfg(test)]
mod tests {
    use crate::{LoadOptions, Template, TemplateError};

    const TEXT: &str = r#"Resources:
  Provider:
    Type: AWS::Serverless::CapacityProvider
    Properties:
      CapacityProviderName: many-dev
      VpcConfig: { SubnetIds: [subnet-1], SecurityGroupIds: [sg-1] }
      ScalingConfig: { MaxVCpuCount: "8" }
  F:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: f-dev
      CodeUri: f
      Timeout: 5400
      MemorySize: 2048
      AutoPublishAlias: live
      CapacityProviderConfig: { Arn: !GetAtt Provider.Arn, PerExecutionEnvironmentMaxConcurrency: 64 }
Outputs:
  Alias: { Value: !Ref F.Alias }
"#;

    fn load(text: &str) -> Result<Template, TemplateError> {
        Template::load(text, &LoadOptions::default())
    }

    #[test]
    fn a_function_on_managed_instances_has_an_alias_and_longer_invocations() {
        let template = load(TEXT).unwrap();
        let function = &template.functions[0];
        assert_eq!(function.instances.map(|it| it.max_concurrency), Some(64));
        assert_eq!((function.alias.as_deref(), function.timeout.as_secs()), (Some("live"), 5_400));
        let alias = "arn:aws:lambda:us-east-1:000000000000:function:f-dev:live";
        assert_eq!(template.outputs["Alias"], alias);
    }

    #[test]
    fn what_aws_refuses_is_refused() {
        for (from, to, place) in [
            ("SubnetIds: [subnet-1]", "SubnetIds: []", "Provider.VpcConfig.SubnetIds"),
            (", SecurityGroupIds: [sg-1]", "", "Provider.VpcConfig.SecurityGroupIds"),
            ("\"8\"", "\"1\"", "Provider.ScalingConfig.MaxVCpuCount"),
            ("5400", "5401", "F.Timeout"),
            ("2048", "1024", "F.MemorySize"),
            ("Concurrency: 64", "Concurrency: 1601", "PerExecutionEnvironmentMaxConcurrency"),
            ("!GetAtt Provider.Arn", "arn:other", "F.CapacityProviderConfig.Arn"),
            ("AutoPublishAlias: live", "VpcConfig: {}", "F.VpcConfig"),
            ("      AutoPublishAlias: live\n", "", "F.AutoPublishAlias"),
            ("!Ref F.Alias", "!Ref F.Other", "Outputs.Alias"),
        ] {
            assert_eq!(TEXT.matches(from).count(), 1, "{from}");
            let refusal = load(&TEXT.replace(from, to)).unwrap_err().to_string();
            assert!(refusal.contains(place), "{to}: {refusal}");
        }
        let plain = TEXT.lines().filter(|line| !line.contains("CapacityProviderConfig"));
        let plain = plain.map(|line| format!("{line}\n")).collect::<String>();
        assert!(load(&plain).unwrap_err().to_string().contains("F.Timeout"));
    }

    #[test]
    fn the_second_function_of_a_package_has_a_log_of_its_own() {
        let second = "  G: { Type: AWS::Serverless::Function, Properties: { FunctionName: g-dev, CodeUri: f } }\nOutputs:";
        let template = load(&TEXT.replace("Outputs:", second)).unwrap();
        let logs: Vec<_> = template.functions.iter().map(|it| it.log.as_str()).collect();
        assert_eq!(logs, ["f", "g-dev"]);
    }
}
