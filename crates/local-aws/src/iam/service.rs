//! The IAM service: which function made a call, and whether its role allows it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};

use crate::aws_error::AwsError;
use crate::error::Error;
use sam_template::{Account, Function, Role, Template};

use super::action::RequiredAction;
use super::calls::{Call, Calls};
use super::denied::Denied;
use super::policy::{self, Permission};
use super::required_actions;

/// The prefix of the functions' access keys.
const KEY_PREFIX: &str = "ASIALOCAL";
/// The largest request of any service, in bytes.
const MAX_REQUEST: usize = 16 * 1024 * 1024;

/// The secret key of every function.
pub(crate) const FUNCTION_SECRET: &str = "local";
/// The access key, and the secret key, of the documents' examples.
const EXAMPLE_KEY: &str = "test";

/// Returns the secret key of an access key. `None`: it is not known, because any other key may make
/// every call with any secret.
pub(crate) fn secret_of(access_key: &str) -> Option<&'static str> {
    match access_key {
        EXAMPLE_KEY => Some(EXAMPLE_KEY),
        key if key.starts_with(KEY_PREFIX) => Some(FUNCTION_SECRET),
        _ => None,
    }
}

/// The access key with which a function signs.
pub fn access_key(function: &Function) -> String {
    access_key_of(&function.logical_id)
}

/// The access key of a function or a task with this logical id.
pub(crate) fn access_key_of(logical_id: &str) -> String {
    format!("{KEY_PREFIX}{logical_id}")
}

/// The roles of the functions and tasks.
#[derive(Debug)]
pub struct Iam {
    account: Account,
    /// The functions and tasks with a role, by access key.
    callers: RwLock<BTreeMap<String, Arc<Caller>>>,
    calls: Calls,
    /// How many calls each function has made, by action.
    counts: Mutex<BTreeMap<String, BTreeMap<String, u64>>>,
}

/// A function or a task, and its role.
#[derive(Debug)]
struct Caller {
    /// Its logical id.
    function: String,
    role: Role,
    /// The role's ARN as the function assumes it.
    user: String,
}

impl Iam {
    /// Creates the callers of a template. Their calls are recorded in the folder `record`, if
    /// given.
    ///
    /// A function whose role is not in the template may make every call.
    ///
    /// # Errors
    /// The record cannot be created.
    pub fn new(template: &Template, record: Option<&Path>) -> Result<Self, Error> {
        let (account, callers) = (template.account.clone(), RwLock::new(callers(template)));
        let (calls, counts) = (Calls::into_folder(record)?, Mutex::default());
        Ok(Self { account, callers, calls, counts })
    }

    /// Takes the roles of another version of the template. A worker that it no longer has keeps its
    /// role, because it may still be stopping.
    pub(crate) fn deploy(&self, template: &Template) {
        let mut known = self.callers.write().unwrap_or_else(PoisonError::into_inner);
        known.extend(callers(template));
    }

    fn caller(&self, key: &str) -> Option<Arc<Caller>> {
        self.callers.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    /// Returns the request unchanged if the role of `key` allows it.
    ///
    /// # Errors
    /// The answer of the service to a call that its caller's role does not allow.
    pub async fn admit(
        &self,
        key: &str,
        service: &str,
        request: Request,
    ) -> Result<Request, Response> {
        let Some(caller) = self.caller(key) else { return Ok(request) };
        let (head, mut body) = request.into_parts();
        let mut said = Value::Null;
        if required_actions::are_in_body(service, head.uri.path()) {
            let bytes = to_bytes(body, MAX_REQUEST).await.map_err(|_| too_large())?;
            // A body that is not JSON names no resource; the service rejects it.
            said = serde_json::from_slice(&bytes).unwrap_or_default();
            body = Body::from(bytes);
        }
        for need in required_actions::of(&self.account, service, &head, &said) {
            self.count(&caller, &need);
            self.decide(&caller, &need).map_err(|denied| denied.answer(service))?;
        }
        Ok(Request::from_parts(head, body))
    }

    /// Returns how many actions the functions' calls needed, by function and action: a call that
    /// needs several, as a transaction does, counts for each.
    pub fn counts(&self) -> Value {
        json!(*self.counts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn count(&self, caller: &Caller, need: &RequiredAction) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let actions = counts.entry(caller.function.clone()).or_default();
        *actions.entry(need.action.clone()).or_default() += 1;
    }

    /// Checks whether Lambda may send a message to a queue on behalf of a function.
    ///
    /// # Errors
    /// Its role does not allow it.
    pub fn may_send(&self, function: &Function, queue_arn: &str) -> Result<(), Denied> {
        match self.caller(&access_key(function)) {
            Some(caller) => {
                self.decide(&caller, &RequiredAction::new("sqs", "SendMessage", queue_arn))
            }
            None => Ok(()),
        }
    }

    /// Checks whether the X-Ray daemon may send the documents of a function.
    ///
    /// # Errors
    /// Its role does not allow it.
    pub(crate) fn may_trace(&self, function: &Function) -> Result<(), Denied> {
        match self.caller(&access_key(function)) {
            Some(caller) => {
                self.decide(&caller, &RequiredAction::new("xray", "PutTraceSegments", "*"))
            }
            None => Ok(()),
        }
    }

    fn decide(&self, caller: &Caller, need: &RequiredAction) -> Result<(), Denied> {
        let function = caller.function.clone();
        match policy::decide(&caller.role, need) {
            Ok(permission) => {
                self.calls.note(Call::Allowed { function, permission });
                Ok(())
            }
            Err(refusal) => {
                let (role, action, resource) =
                    (caller.role.logical_id.clone(), need.action.clone(), need.resource.clone());
                tracing::warn!(
                    "{function} may not {action} on {resource}: no statement of {role} in the \
                     template allows it"
                );
                self.calls.note(Call::Denied { function, role, action, resource });
                Err(Denied::new(&caller.user, need, refusal))
            }
        }
    }
}

/// Returns the functions and tasks of a template that have a role, by access key.
fn callers(template: &Template) -> BTreeMap<String, Arc<Caller>> {
    let functions = template.functions.iter().map(|it| (&it.logical_id, &it.name, &it.role));
    let tasks = template.tasks.iter().map(|it| (&it.logical_id, &it.name, &it.role));
    let callers = functions.chain(tasks).filter_map(|(id, name, role)| {
        let role = template.roles.iter().find(|known| Some(&known.arn) == role.as_ref())?;
        let (account, partition) = (&template.account.id, Account::PARTITION);
        let user = format!("arn:{partition}:sts::{account}:assumed-role/{}/{name}", role.name);
        let caller = Caller { function: id.clone(), role: role.clone(), user };
        Some((access_key_of(id), Arc::new(caller)))
    });
    callers.collect()
}

/// Returns every permission of the roles of a template's functions.
pub fn permissions(template: &Template) -> Vec<Permission> {
    template.roles.iter().flat_map(policy::permissions).collect()
}

fn too_large() -> Response {
    let message = format!("the request is longer than {MAX_REQUEST} bytes");
    let status = StatusCode::PAYLOAD_TOO_LARGE;
    AwsError::new(status, "RequestEntityTooLargeException", message).rest_json()
}

#[cfg(test)]
mod tests {
    use sam_template::LoadOptions;

    use super::*;

    fn template(action: &str, more: &str) -> Template {
        let text = format!(
            r#"Resources:
  F: {{ Type: AWS::Serverless::Function, Properties: {{ CodeUri: f, Role: !GetAtt R.Arn }} }}
  R: {{ Type: AWS::IAM::Role, Properties: {{ AssumeRolePolicyDocument: {{}}, Policies: [ {{ PolicyName: All,
      PolicyDocument: {{ Statement: [ {{ Effect: Allow, Action: "{action}", Resource: "*" }} ] }} }} ] }} }}
{more}"#
        );
        Template::load(&text, &LoadOptions::default()).unwrap()
    }

    async fn call(iam: &Iam, key: &str, operation: &str) -> bool {
        let request = Request::builder().header("x-amz-target", format!("AmazonSQS.{operation}"));
        iam.admit(key, "sqs", request.body(Body::from("{}")).unwrap()).await.is_ok()
    }

    #[tokio::test]
    async fn a_deployment_changes_what_a_role_allows_and_leaves_removed_workers_theirs() {
        let worker = "  W: { Type: AWS::ECS::TaskDefinition, Properties: { Family: w, TaskRoleArn: !GetAtt R.Arn, \
                      ContainerDefinitions: [ { Name: w } ] } }";
        let before = template("sqs:SendMessage", worker);
        let iam = Iam::new(&before, None).unwrap();
        let (function, task) = (access_key(&before.functions[0]), access_key_of("W"));
        assert!(
            call(&iam, &function, "SendMessage").await && call(&iam, &task, "SendMessage").await
        );
        assert!(!call(&iam, &function, "DeleteMessage").await);
        iam.deploy(&template("sqs:DeleteMessage", ""));
        assert!(!call(&iam, &function, "SendMessage").await);
        assert!(call(&iam, &function, "DeleteMessage").await);
        assert!(
            call(&iam, &task, "SendMessage").await && !call(&iam, &task, "DeleteMessage").await
        );
    }

    #[tokio::test]
    async fn the_calls_of_a_function_are_counted_by_action_and_those_of_others_are_not() {
        let template = template("sqs:*", "");
        let iam = Iam::new(&template, None).unwrap();
        for (key, operation) in [
            (access_key(&template.functions[0]), "ReceiveMessage"),
            (access_key(&template.functions[0]), "ReceiveMessage"),
            (access_key(&template.functions[0]), "DeleteMessage"),
            ("test".to_owned(), "DeleteMessage"),
        ] {
            assert!(call(&iam, &key, operation).await);
        }
        let counted = json!({"F": {"sqs:ReceiveMessage": 2, "sqs:DeleteMessage": 1}});
        assert_eq!(iam.counts(), counted);
    }
}
