//! `AWS::IAM::Role`: the inline policies of the roles of functions and tasks.

use std::collections::BTreeMap;

use serde_json::Value;

use super::reader::{Properties, at};
use super::scope::Scope;
use super::{Effect, Role, Statement, Template, TemplateError, names};

/// Properties of a role that do not affect its permissions.
const WITHOUT_EFFECT: [&str; 6] =
    ["AssumeRolePolicyDocument", "Description", "MaxSessionDuration", "Path", "RoleName", "Tags"];

/// Resources that would add permissions to a role.
const ATTACHED: [&str; 3] = ["AWS::IAM::ManagedPolicy", "AWS::IAM::Policy", "AWS::IAM::RolePolicy"];

/// Returns the roles of the functions and tasks of `template`. Other roles have no effect on one
/// machine.
///
/// # Errors
/// A statement is wrong or has a part that local-cloud does not evaluate, or a policy is attached
/// from outside the role: with an incomplete set of permissions, calls would be refused that AWS
/// allows.
pub(super) fn read(scope: &Scope, template: &Template) -> Result<Vec<Role>, TemplateError> {
    let functions = template.functions.iter().map(|function| function.role.as_ref());
    let used: Vec<_> = functions.chain(template.tasks.iter().map(|it| it.role.as_ref())).collect();
    let mut roles = Vec::new();
    for (id, resource) in &scope.resources {
        let wrong = |reason: String| at(id, reason);
        let is_role = names::kind(resource) == "AWS::IAM::Role";
        if !is_role || !scope.is_made(resource).map_err(wrong)? {
            continue;
        }
        let arn = scope.arn(id, resource).map_err(wrong)?;
        if used.contains(&Some(&arn)) {
            let name = scope.deployed_name(id, resource).map_err(wrong)?;
            let (policies, statements) = policies(properties(scope, id, resource)?)?;
            roles.push(Role { logical_id: id.clone(), name, arn, policies, statements });
        }
    }
    refuse_attached(scope, &roles)?;
    Ok(roles)
}

fn properties(scope: &Scope, id: &str, resource: &Value) -> Result<Properties, TemplateError> {
    let properties = resource.get("Properties").cloned().unwrap_or_default();
    let resolved = scope.resolve(&properties).map_err(|reason| at(id, reason))?;
    Properties::new(id, resolved.unwrap_or_default())
}

/// Returns the inline policies as written, and their statements as they are evaluated.
fn policies(
    mut role: Properties,
) -> Result<(BTreeMap<String, Value>, Vec<Statement>), TemplateError> {
    let (mut policies, mut statements) = (BTreeMap::new(), Vec::new());
    for mut policy in role.parts("Policies")? {
        let name = policy.needed("PolicyName")?;
        let Some(document) = policy.take("PolicyDocument") else {
            return Err(policy.wrong("PolicyDocument", "missing"));
        };
        policies.insert(name.clone(), document.clone());
        let place = format!("{}.PolicyDocument", policy.place());
        let mut document = Properties::new(place, document)?;
        for statement in document.parts("Statement")? {
            statements.push(read_statement(&name, statement)?);
        }
        document.finish(&["Version", "Id"])?;
        policy.finish(&[])?;
    }
    role.finish(&WITHOUT_EFFECT)?;
    Ok((policies, statements))
}

fn read_statement(policy: &str, mut statement: Properties) -> Result<Statement, TemplateError> {
    let effect = match statement.needed("Effect")?.as_str() {
        "Allow" => Effect::Allow,
        "Deny" => Effect::Deny,
        other => {
            return Err(statement.wrong("Effect", format!("{other} is neither Allow nor Deny")));
        }
    };
    let read = Statement {
        // The default Sid is the name of the policy.
        sid: statement.text("Sid")?.unwrap_or_else(|| policy.to_owned()),
        effect,
        actions: statement.texts("Action")?,
        resources: statement.texts("Resource")?,
        conditional: statement.take("Condition").is_some(),
    };
    if read.actions.is_empty() || read.resources.is_empty() {
        return Err(statement.wrong("Action", "Action and Resource must not be empty"));
    }
    statement.finish(&[])?;
    Ok(read)
}

fn refuse_attached(scope: &Scope, roles: &[Role]) -> Result<(), TemplateError> {
    for (id, resource) in &scope.resources {
        let is_made = scope.is_made(resource).map_err(|reason| at(id, reason))?;
        if !is_made || !ATTACHED.contains(&names::kind(resource)) {
            continue;
        }
        let mut policy = properties(scope, id, resource)?;
        let mut attached_to = policy.texts("Roles")?;
        attached_to.extend(policy.text("RoleName")?);
        if let Some(role) = roles.iter().find(|role| attached_to.contains(&role.name)) {
            let role = &role.logical_id;
            return Err(at(
                id,
                format!("local-cloud reads what {role} allows from its own Policies"),
            ));
        }
    }
    Ok(())
}
