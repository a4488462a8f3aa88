//! Whether a role's statements allow an action on a resource: IAM's evaluation for identity-based
//! policies. A Deny overrides every Allow; a call without an Allow is denied.

use serde::Serialize;

use super::action::RequiredAction;
use crate::wildcard::matches;
use sam_template::{Effect, Role, Statement};

/// One action on one resource, as a statement of a role allows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Permission {
    /// The role's logical id.
    pub role: String,
    /// The statement's Sid.
    pub sid: String,
    /// The action as written.
    pub action: String,
    /// The resource as written, its intrinsic functions resolved.
    pub resource: String,
}

/// Why something is not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No statement allows it.
    Implicit,
    /// A statement denies it.
    Explicit,
}

/// Returns the first permission of a role that allows an action.
///
/// # Errors
/// The role does not allow the action.
pub(super) fn decide(role: &Role, need: &RequiredAction) -> Result<Permission, Refusal> {
    let denies = |statement: &&Statement| statement.effect == Effect::Deny;
    if role.statements.iter().filter(denies).any(|statement| permits(statement, need).is_some()) {
        return Err(Refusal::Explicit);
    }
    // Conditions are not evaluated, so an Allow under a condition does not count.
    let allows =
        |statement: &&Statement| statement.effect == Effect::Allow && !statement.conditional;
    let found = role.statements.iter().filter(allows).find_map(|statement| {
        let (action, resource) = permits(statement, need)?;
        Some(permission(role, statement, action, resource))
    });
    found.ok_or(Refusal::Implicit)
}

/// Returns every permission of a role.
pub(super) fn permissions(role: &Role) -> impl Iterator<Item = Permission> + '_ {
    let allows = role.statements.iter().filter(|statement| statement.effect == Effect::Allow);
    allows.flat_map(move |statement| {
        statement.actions.iter().flat_map(move |action| {
            let resources = statement.resources.iter();
            resources.map(move |resource| permission(role, statement, action, resource))
        })
    })
}

/// Returns the action and resource of a statement that match the required action.
fn permits<'a>(statement: &'a Statement, need: &RequiredAction) -> Option<(&'a str, &'a str)> {
    // Actions are case-insensitive, resources are not.
    let wanted = need.action.to_ascii_lowercase();
    let action = |action: &&String| matches(&action.to_ascii_lowercase(), &wanted);
    let action = statement.actions.iter().find(action)?;
    let resource = |resource: &&String| matches(resource, &need.resource);
    let resource = statement.resources.iter().find(resource)?;
    Some((action, resource))
}

fn permission(role: &Role, statement: &Statement, action: &str, resource: &str) -> Permission {
    Permission {
        role: role.logical_id.clone(),
        sid: statement.sid.clone(),
        action: action.to_owned(),
        resource: resource.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(sid: &str, effect: Effect, actions: &[&str], resources: &[&str]) -> Statement {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Statement {
            sid: sid.to_owned(),
            effect,
            actions: texts(actions),
            resources: texts(resources),
            conditional: false,
        }
    }

    fn role(statements: Vec<Statement>) -> Role {
        let (name, policies) = ("role-dev".into(), std::collections::BTreeMap::new());
        Role { logical_id: "Role".into(), name, arn: "arn:r".into(), policies, statements }
    }

    fn sid(role: &Role, action: &str, resource: &str) -> Result<String, Refusal> {
        let need = RequiredAction { action: action.to_owned(), resource: resource.to_owned() };
        decide(role, &need).map(|permission| permission.sid)
    }

    #[test]
    fn an_allow_is_needed_and_a_deny_wins() {
        let role = role(vec![
            statement("Read", Effect::Allow, &["dynamodb:GetItem"], &["table/A", "table/B"]),
            statement("Any", Effect::Allow, &["sqs:*"], &["*"]),
            statement("Not", Effect::Deny, &["SQS:Purge*"], &["queue"]),
        ]);
        assert_eq!(sid(&role, "dynamodb:GetItem", "table/B"), Ok("Read".to_owned()));
        assert_eq!(sid(&role, "dynamodb:getitem", "table/A"), Ok("Read".to_owned()));
        assert_eq!(sid(&role, "dynamodb:GetItem", "table/a"), Err(Refusal::Implicit));
        assert_eq!(sid(&role, "dynamodb:PutItem", "table/A"), Err(Refusal::Implicit));
        assert_eq!(sid(&role, "sqs:SendMessage", "queue"), Ok("Any".to_owned()));
        assert_eq!(sid(&role, "sqs:PurgeQueue", "queue"), Err(Refusal::Explicit));
        assert_eq!(sid(&role, "sqs:PurgeQueue", "other"), Ok("Any".to_owned()));
        assert_eq!(permissions(&role).count(), 3);
    }

    #[test]
    fn what_stands_under_a_condition_allows_nothing_and_denies_all() {
        let mut allow = statement("Allow", Effect::Allow, &["a:B"], &["*"]);
        let deny = Statement { effect: Effect::Deny, conditional: true, ..allow.clone() };
        assert_eq!(sid(&role(vec![allow.clone(), deny]), "a:B", "r"), Err(Refusal::Explicit));
        allow.conditional = true;
        assert_eq!(sid(&role(vec![allow]), "a:B", "r"), Err(Refusal::Implicit));
    }
}
