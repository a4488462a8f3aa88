//! The IAM actions that a call to AWS requires, each with the resource that it is checked on.
//!
//! Facts: AWS's Service Authorization Reference. Actions beyond the operation's own name are in the
//! file of each service.

use http::Method;
use http::request::Parts;
use serde_json::Value;

use crate::connections::Connections;
use crate::kvs::Kvs;
use crate::wire;
use sam_template::Account;

use super::action::RequiredAction;

mod dynamodb;
mod kinesis_video;

/// Returns whether the body names the resources of a call. Any other body is not read.
pub(super) fn are_in_body(service: &str, path: &str) -> bool {
    match service {
        "dynamodb" | "events" | "sqs" => true,
        // The body of PutMedia is endless.
        "kinesisvideo" => Kvs::operation(path) != Some("PutMedia"),
        _ => false,
    }
}

/// Returns the actions that a call requires; none when the service checks none or has no such
/// operation.
pub(super) fn of(
    account: &Account,
    service: &str,
    head: &Parts,
    body: &Value,
) -> Vec<RequiredAction> {
    let operation = wire::operation(&head.headers);
    match service {
        "dynamodb" => dynamodb::required_actions(account, &operation, body),
        "kinesisvideo" => kinesis_video::required_actions(account, head, body),
        "events" => events(account, &operation, body),
        "sqs" => vec![sqs(account, &operation, body)],
        "lambda" => lambda(account, head),
        // Lambda itself writes the logs; no function reads them.
        "logs" => vec![RequiredAction::new("logs", &operation, "*")],
        "execute-api" => connections(account, head),
        _ => Vec::new(),
    }
}

/// Each entry of PutEvents is checked on its bus. Any other operation is checked on `*`.
fn events(account: &Account, operation: &str, body: &Value) -> Vec<RequiredAction> {
    if operation != "PutEvents" {
        return vec![RequiredAction::new("events", operation, "*")];
    }
    let entries = body["Entries"].as_array().map(Vec::as_slice).unwrap_or_default();
    let bus = |entry: &Value| match entry["EventBusName"].as_str().unwrap_or("default") {
        arn if arn.starts_with("arn:") => arn.to_owned(),
        name => account.arn("events", &format!("event-bus/{name}")),
    };
    entries.iter().map(|entry| RequiredAction::new("events", operation, bus(entry))).collect()
}

/// A batch requires the action of the single call.
fn sqs(account: &Account, operation: &str, body: &Value) -> RequiredAction {
    let action = operation.strip_suffix("Batch").unwrap_or(operation);
    let queue = crate::sqs::queue_of(body).map(|name| account.arn("sqs", name));
    RequiredAction::new("sqs", action, queue.unwrap_or_else(|| "*".to_owned()))
}

fn lambda(account: &Account, head: &Parts) -> Vec<RequiredAction> {
    let parts: Vec<&str> = head.uri.path().trim_matches('/').split('/').collect();
    let (action, name) = match (&head.method, parts.as_slice()) {
        (&Method::POST, ["2015-03-31", "functions", name, "invocations"]) => {
            ("InvokeFunction", name)
        }
        (&Method::GET, ["2015-03-31", "functions", name]) => ("GetFunction", name),
        (&Method::GET, ["2015-03-31", "functions", name, "configuration"]) => {
            ("GetFunctionConfiguration", name)
        }
        (&Method::PUT, [_, "functions", name, "concurrency"]) => ("PutFunctionConcurrency", name),
        (&Method::DELETE, [_, "functions", name, "concurrency"]) => {
            ("DeleteFunctionConcurrency", name)
        }
        (&Method::GET, [_, "functions", name, "concurrency"]) => ("GetFunctionConcurrency", name),
        (&Method::GET, ["2015-03-31", "functions"]) => {
            return vec![RequiredAction::new("lambda", "ListFunctions", "*")];
        }
        _ => return Vec::new(),
    };
    let name = wire::percent_decoded(name).unwrap_or_default();
    let function = match name.split_once("function:") {
        _ if name.starts_with("arn:") => name,
        Some((_, name)) => account.arn("lambda", &format!("function:{name}")),
        None => account.arn("lambda", &format!("function:{name}")),
    };
    vec![RequiredAction::new("lambda", action, function)]
}

/// Calls on WebSocket connections. The HTTP API requires a token instead.
fn connections(account: &Account, head: &Parts) -> Vec<RequiredAction> {
    let path = head.uri.path();
    if !Connections::takes(path) {
        return Vec::new();
    }
    let (api, stage) = (Connections::API_ID, Connections::STAGE);
    let resource = account.arn("execute-api", &format!("{api}/{stage}/{}{path}", head.method));
    vec![RequiredAction::new("execute-api", "ManageConnections", resource)]
}

#[cfg(test)]
mod tests {
    use axum::extract::Request;
    use serde_json::json;

    use super::*;

    /// Returns `action resource` of each required action, without the account's part of ARNs.
    pub(super) fn shown(service: &str, request: Request, body: &Value) -> Vec<String> {
        let (head, _) = request.into_parts();
        let needs = of(&Account::default(), service, &head, body);
        let short = |arn: &str| arn.replace(":us-east-1:000000000000:", "::");
        needs.iter().map(|need| format!("{} {}", need.action, short(&need.resource))).collect()
    }

    pub(super) fn request(method: &str, path: &str, target: &str) -> Request {
        let request = Request::builder().method(method).uri(path);
        request.header("x-amz-target", target).body(axum::body::Body::empty()).unwrap()
    }

    #[test]
    fn an_event_is_put_on_its_bus() {
        let put = |body: Value| shown("events", request("POST", "/", "AWSEvents.PutEvents"), &body);
        let default = "events:PutEvents arn:aws:events::event-bus/default";
        assert_eq!(put(json!({"Entries": [{}, {"EventBusName": "default"}]})), [default, default]);
        let other = json!({"Entries": [{"EventBusName": "arn:aws:events:x:1:event-bus/other"}]});
        assert_eq!(put(other), ["events:PutEvents arn:aws:events:x:1:event-bus/other"]);
        let rules = shown("events", request("POST", "/", "AWSEvents.ListRules"), &json!({}));
        assert_eq!(rules, ["events:ListRules *"]);
        let logs = request("POST", "/", "Logs_20140328.FilterLogEvents");
        assert_eq!(shown("logs", logs, &Value::Null), ["logs:FilterLogEvents *"]);
    }

    #[test]
    fn a_batch_needs_what_its_single_call_needs() {
        let body = json!({"QueueUrl": "http://127.0.0.1:1/000000000000/dead"});
        for (operation, action) in [
            ("SendMessage", "SendMessage"),
            ("SendMessageBatch", "SendMessage"),
            ("ReceiveMessage", "ReceiveMessage"),
            ("ChangeMessageVisibilityBatch", "ChangeMessageVisibility"),
        ] {
            let needs =
                shown("sqs", request("POST", "/", &format!("AmazonSQS.{operation}")), &body);
            assert_eq!(needs, [format!("sqs:{action} arn:aws:sqs::dead")]);
        }
        let list = shown("sqs", request("POST", "/", "AmazonSQS.ListQueues"), &json!({}));
        assert_eq!(list, ["sqs:ListQueues *"]);
    }

    #[test]
    fn an_invocation_needs_the_function_in_every_form_of_its_name() {
        let invoke = |name: &str| {
            let path = format!("/2015-03-31/functions/{name}/invocations");
            shown("lambda", request("POST", &path, ""), &Value::Null)
        };
        let plain = "lambda:InvokeFunction arn:aws:lambda::function:f-dev";
        for name in [
            "f-dev",
            "000000000000:function:f-dev",
            "arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Af-dev",
        ] {
            assert_eq!(invoke(name), [plain]);
        }
        assert_eq!(invoke("f-dev:live"), [format!("{plain}:live")]);
        let reserve = request("PUT", "/2017-10-31/functions/f-dev/concurrency", "");
        let reserved = "lambda:PutFunctionConcurrency arn:aws:lambda::function:f-dev";
        assert_eq!(shown("lambda", reserve, &Value::Null), [reserved]);
        let list = shown("lambda", request("GET", "/2015-03-31/functions", ""), &Value::Null);
        assert_eq!(list, ["lambda:ListFunctions *"]);
    }

    #[test]
    fn a_message_to_a_listener_needs_its_api_and_nothing_else_of_api_gateway_needs_any() {
        let post = shown("execute-api", request("POST", "/@connections/abc", ""), &Value::Null);
        let wanted =
            "execute-api:ManageConnections arn:aws:execute-api::local/local/POST/@connections/abc";
        assert_eq!(post, [wanted]);
        assert!(shown("execute-api", request("POST", "/sessions", ""), &Value::Null).is_empty());
        assert!(shown("sts", request("POST", "/", ""), &Value::Null).is_empty());
    }
}
