//! The error for a call that the caller's role does not allow, in the form of each service.

use axum::response::Response;
use http::StatusCode;

use super::action::RequiredAction;
use super::policy::Refusal;
use crate::aws_error::AwsError;
use crate::sqs;

/// A denied call, with the text of AWS's error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("User: {user} is not authorized to perform: {action} on resource: {resource} {reason}")]
pub struct Denied {
    /// The ARN of the role as the function assumes it.
    pub user: String,
    /// The action that is missing.
    pub action: String,
    /// The resource.
    pub resource: String,
    reason: String,
}

impl Denied {
    pub(super) fn new(user: &str, need: &RequiredAction, refusal: Refusal) -> Self {
        let action = &need.action;
        let reason = match refusal {
            Refusal::Implicit => {
                format!("because no identity-based policy allows the {action} action")
            }
            Refusal::Explicit => "with an explicit deny in an identity-based policy".to_owned(),
        };
        let (user, action) = (user.to_owned(), action.clone());
        Self { user, action, resource: need.resource.clone(), reason }
    }

    /// Returns the answer of a service: 400 for DynamoDB and EventBridge, 403 for the others; SQS
    /// has its own error code.
    pub(super) fn answer(&self, service: &str) -> Response {
        let error = |status, code: &'static str| AwsError::new(status, code, self.to_string());
        match service {
            "dynamodb" => error(StatusCode::BAD_REQUEST, "AccessDeniedException")
                .json("application/x-amz-json-1.0"),
            "events" | "logs" => error(StatusCode::BAD_REQUEST, "AccessDeniedException")
                .json("application/x-amz-json-1.1"),
            "sqs" => sqs::error_response(error(StatusCode::FORBIDDEN, "AccessDenied")),
            _ => error(StatusCode::FORBIDDEN, "AccessDeniedException").rest_json(),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use serde_json::Value;

    use super::*;

    #[tokio::test]
    async fn each_service_refuses_in_its_own_form() {
        let need = RequiredAction::new("kinesisvideo", "GetMedia", "arn:stream");
        let denied = Denied::new("arn:role", &need, Refusal::Implicit);
        let text = "User: arn:role is not authorized to perform: kinesisvideo:GetMedia on resource: \
                    arn:stream because no identity-based policy allows the kinesisvideo:GetMedia action";
        for (service, status, code, message) in [
            ("dynamodb", 400, "AccessDeniedException", "message"),
            ("events", 400, "AccessDeniedException", "message"),
            ("logs", 400, "AccessDeniedException", "message"),
            ("sqs", 403, "com.amazonaws.sqs#AccessDenied", "message"),
            ("kinesisvideo", 403, "AccessDeniedException", "Message"),
            ("lambda", 403, "AccessDeniedException", "Message"),
            ("execute-api", 403, "AccessDeniedException", "Message"),
        ] {
            let answer = denied.answer(service);
            assert_eq!(answer.status(), status, "{service}");
            let header = answer.headers().get("x-amzn-errortype").cloned();
            let body = to_bytes(answer.into_body(), 4096).await.unwrap();
            let body: Value = serde_json::from_slice(&body).unwrap();
            let named = header.map(|code| code.to_str().unwrap().to_owned());
            let named = named.or_else(|| body["__type"].as_str().map(str::to_owned));
            assert_eq!(named.as_deref(), Some(code), "{service}");
            assert_eq!(body[message], text, "{service}");
        }
    }

    #[test]
    fn a_deny_is_told_apart_from_a_missing_allow() {
        let denied =
            Denied::new("arn:role", &RequiredAction::new("a", "B", "r"), Refusal::Explicit);
        let text = denied.to_string();
        assert!(text.ends_with("on resource: r with an explicit deny in an identity-based policy"));
    }
}
