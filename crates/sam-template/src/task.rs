//! `AWS::ECS::TaskDefinition` with one container.

use std::time::Duration;

use serde_json::Value;

use super::reader::Properties;
use super::{Task, Template, TemplateError};

/// Properties that have no effect on one machine.
const WITHOUT_EFFECT: [&str; 8] = [
    "Cpu",
    "ExecutionRoleArn",
    "Family",
    "Memory",
    "NetworkMode",
    "RequiresCompatibilities",
    "RuntimePlatform",
    "Tags",
];
/// As above, of a container.
const CONTAINER_WITHOUT_EFFECT: [&str; 5] =
    ["Essential", "HealthCheck", "Image", "ReadonlyRootFilesystem", "User"];

/// StopTimeout of a container that has none (ECS developer guide, "Task definition parameters").
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// Adds a task.
///
/// # Errors
/// A property that is missing, wrong or unknown, or more than one container.
pub(super) fn read(
    template: &mut Template,
    id: &str,
    name: String,
    mut properties: Properties,
) -> Result<(), TemplateError> {
    let mut containers = properties.parts("ContainerDefinitions")?;
    let (Some(mut container), true) = (containers.pop(), containers.is_empty()) else {
        return Err(properties.wrong("ContainerDefinitions", "local-cloud runs one container"));
    };
    let mut task = Task {
        logical_id: id.to_owned(),
        name,
        package: container.needed("Name")?,
        role: properties.text("TaskRoleArn")?,
        environment: Default::default(),
        log_group: container
            .take("LogConfiguration")
            .and_then(|logging| Some(logging["Options"]["awslogs-group"].as_str()?.to_owned())),
        // The range is Fargate's.
        stop_timeout: container.seconds("StopTimeout", 0..=120)?.unwrap_or(STOP_TIMEOUT),
    };
    for mut variable in container.parts("Environment")? {
        let name = variable.needed("Name")?;
        let value = match variable.take("Value") {
            Some(Value::String(text)) => text,
            Some(Value::Number(number)) => number.to_string(),
            _ => return Err(variable.wrong("Value", "neither a text nor a number")),
        };
        task.environment.insert(name, value);
        variable.finish(&[])?;
    }
    container.finish(&CONTAINER_WITHOUT_EFFECT)?;
    template.tasks.push(task);
    properties.finish(&WITHOUT_EFFECT)
}

#[cfg(test)]
mod tests {
    use crate::{LoadOptions, Template};

    const TEXT: &str = r#"Resources:
  Role: { Type: AWS::IAM::Role, Properties: { RoleName: worker-role, AssumeRolePolicyDocument: {}, Policies: [] } }
  Task:
    Type: AWS::ECS::TaskDefinition
    Properties:
      Family: worker-dev
      TaskRoleArn: !GetAtt Role.Arn
      ContainerDefinitions:
        - Name: worker
          Image: worker:1
          LogConfiguration: { LogDriver: awslogs, Options: { awslogs-group: /ecs/worker } }
          Environment: [ { Name: A, Value: b }, { Name: N, Value: 7 }, { Name: EMPTY, Value: "" } ]
"#;

    #[test]
    fn a_task_has_its_role_and_its_environment() {
        let template = Template::load(TEXT, &LoadOptions::default()).unwrap();
        let [task] = &template.tasks[..] else { panic!("{:?}", template.tasks) };
        assert_eq!((task.name.as_str(), task.package.as_str()), ("worker-dev", "worker"));
        assert_eq!(task.role.as_ref(), Some(&template.roles[0].arn));
        assert_eq!(task.log_group.as_deref(), Some("/ecs/worker"));
        let environment: Vec<_> =
            task.environment.iter().map(|(n, v)| format!("{n}={v}")).collect();
        assert_eq!(environment, ["A=b", "EMPTY=", "N=7"]);
    }

    #[test]
    fn a_stop_takes_30_s_or_what_the_container_says() {
        let stop_timeout = |text: &str| {
            let template = Template::load(text, &LoadOptions::default());
            template.map(|template| template.tasks[0].stop_timeout.as_secs())
        };
        let with =
            |seconds: &str| TEXT.replace("worker:1", &format!("worker:1\n          {seconds}"));
        assert_eq!(stop_timeout(TEXT), Ok(30));
        assert_eq!(stop_timeout(&with("StopTimeout: 120")), Ok(120));
        let error = stop_timeout(&with("StopTimeout: 121")).unwrap_err().to_string();
        assert!(error.contains("StopTimeout"), "{error}");
    }

    #[test]
    fn a_second_container_is_refused() {
        let text = format!("{TEXT}        - Name: sidecar\n          Image: sidecar:1\n");
        let error = Template::load(&text, &LoadOptions::default()).unwrap_err().to_string();
        assert!(error.contains("ContainerDefinitions"), "{error}");
    }
}
