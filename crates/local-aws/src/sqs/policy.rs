//! Whether a queue's policy allows a service to send: the part of IAM's evaluation that applies to
//! dead letters. A Deny overrides every Allow, and an unknown condition is not met.

use serde_json::Value;

/// Returns whether `service` may send to `queue_arn` on behalf of `source_arn`.
pub(super) fn may_send(
    policies: &[Value],
    service: &str,
    source_arn: &str,
    queue_arn: &str,
) -> bool {
    let statements = policies.iter().flat_map(|policy| list(&policy["Statement"]));
    let mut allowed = false;
    for statement in statements {
        let applies = principal(&statement["Principal"], service)
            && list(&statement["Action"]).any(action_matches)
            && list(&statement["Resource"]).any(|resource| matches(resource, queue_arn))
            && conditions(&statement["Condition"], source_arn);
        match statement["Effect"].as_str() {
            Some("Deny") if applies => return false,
            Some("Allow") if applies => allowed = true,
            _ => {}
        }
    }
    allowed
}

/// Returns a value, or each value of a list.
fn list(value: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
    match value {
        Value::Array(values) => Box::new(values.iter()),
        Value::Null => Box::new(std::iter::empty()),
        value => Box::new(std::iter::once(value)),
    }
}

fn principal(principal: &Value, service: &str) -> bool {
    principal == "*" || list(&principal["Service"]).any(|name| name == service)
}

fn action_matches(action: &Value) -> bool {
    let action = action.as_str().unwrap_or_default().to_ascii_lowercase();
    ["sqs:sendmessage", "sqs:send*", "sqs:*", "*"].contains(&action.as_str())
}

fn conditions(condition: &Value, source_arn: &str) -> bool {
    let Some(operators) = condition.as_object() else { return condition.is_null() };
    operators.iter().all(|(operator, keys)| {
        let Some(keys) = keys.as_object() else { return false };
        keys.iter().all(|(key, wanted)| {
            let actual = match key.to_ascii_lowercase().as_str() {
                "aws:sourcearn" => source_arn,
                "aws:sourceaccount" => source_arn.split(':').nth(4).unwrap_or_default(),
                _ => return false,
            };
            match operator.as_str() {
                "ArnEquals" | "ArnLike" | "StringLike" => {
                    list(wanted).any(|wanted| matches(wanted, actual))
                }
                "StringEquals" => list(wanted).any(|wanted| wanted == actual),
                _ => false,
            }
        })
    })
}

fn matches(pattern: &Value, text: &str) -> bool {
    pattern.as_str().is_some_and(|pattern| crate::wildcard::matches(pattern, text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const QUEUE: &str = "arn:aws:sqs:us-east-1:1:session-events-dlq-dev";
    const RULE: &str = "arn:aws:events:us-east-1:1:rule/session-lifecycle-dev";

    fn check(change: impl FnOnce(&mut Value)) -> bool {
        let mut statement = json!({
            "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage", "Resource": QUEUE,
            "Condition": {"ArnEquals": {"aws:SourceArn": ["arn:aws:events:x:1:rule/a", RULE]}},
        });
        change(&mut statement);
        let policy = json!({"Statement": [statement]});
        may_send(&[policy], "events.amazonaws.com", RULE, QUEUE)
    }

    #[test]
    fn only_what_a_statement_allows_is_allowed() {
        assert!(check(|_| {}));
        assert!(!check(|it| it["Principal"] = json!({"Service": "sns.amazonaws.com"})));
        assert!(!check(|it| it["Action"] = json!("sqs:ReceiveMessage")));
        assert!(!check(|it| it["Resource"] = json!("arn:aws:sqs:us-east-1:1:other")));
        assert!(!check(|it| it["Condition"] = json!({"ArnEquals": {"aws:SourceArn": "arn:x"}})));
        assert!(!check(|it| it["Condition"] = json!({"Bool": {"aws:SecureTransport": "true"}})));
        assert!(!check(|it| it["Effect"] = json!("Deny")));
        assert!(check(|it| it["Condition"] =
            json!({"ArnLike": {"aws:SourceArn": "arn:aws:events:*:rule/session-*"}})));
        assert!(check(|it| it["Condition"] = json!({"StringEquals": {"aws:SourceAccount": "1"}})));
        assert!(!may_send(&[], "events.amazonaws.com", RULE, QUEUE));
    }
}
