//! GetRolePolicy and ListRolePolicies, for the roles of the template's functions (IAM API
//! reference; the query protocol with XML answers).

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sam_template::{Role, Template};

use crate::wire::query_pairs;

const NAMESPACE: &str = "https://iam.amazonaws.com/doc/2010-05-08/";
/// No request needs more, in bytes.
const MAX_REQUEST: usize = 16 * 1024;

/// The error of a request: status, code and message.
type Refused = (StatusCode, &'static str, String);

/// Answers one request of the `iam` scope.
pub(crate) async fn handle(template: &Template, request: Request) -> Response {
    let body = axum::body::to_bytes(request.into_body(), MAX_REQUEST).await.unwrap_or_default();
    let form = query_pairs(&String::from_utf8_lossy(&body));
    let (status, body) = match answer(&template.roles, &form) {
        Ok((action, result)) => (
            StatusCode::OK,
            format!(
                "<{action}Response xmlns=\"{NAMESPACE}\"><{action}Result>{result}</{action}Result>\
                 <ResponseMetadata><RequestId>local</RequestId></ResponseMetadata></{action}Response>"
            ),
        ),
        Err((status, code, message)) => (
            status,
            format!(
                "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>Sender</Type><Code>{code}</Code>\
                 <Message>{}</Message></Error><RequestId>local</RequestId></ErrorResponse>",
                escaped(&message)
            ),
        ),
    };
    (status, [(header::CONTENT_TYPE, "text/xml")], body).into_response()
}

/// Returns the action, and the content of its result.
fn answer(roles: &[Role], form: &[(String, String)]) -> Result<(&'static str, String), Refused> {
    let value = |name: &str| {
        let found = form.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    };
    let no_such = |what: &str, name: &str| {
        let message = format!("The {what} with name {name} cannot be found.");
        (StatusCode::NOT_FOUND, "NoSuchEntity", message)
    };
    let name = value("RoleName");
    let role = || roles.iter().find(|role| role.name == name).ok_or_else(|| no_such("role", name));
    match value("Action") {
        "GetRolePolicy" => {
            let (role, policy) = (role()?, value("PolicyName"));
            let document = role.policies.get(policy);
            let document = document.ok_or_else(|| no_such("role policy", policy))?.to_string();
            let document = utf8_percent_encode(&document, NON_ALPHANUMERIC);
            let result = format!(
                "<RoleName>{name}</RoleName><PolicyName>{policy}</PolicyName>\
                 <PolicyDocument>{document}</PolicyDocument>"
            );
            Ok(("GetRolePolicy", result))
        }
        "ListRolePolicies" => {
            let names = role()?.policies.keys().map(|name| format!("<member>{name}</member>"));
            let names: String = names.collect();
            let result =
                format!("<PolicyNames>{names}</PolicyNames><IsTruncated>false</IsTruncated>");
            Ok(("ListRolePolicies", result))
        }
        other => {
            let message = format!("local-cloud does not run iam:{other}");
            Err((StatusCode::NOT_IMPLEMENTED, "NotImplemented", message))
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use sam_template::LoadOptions;

    use super::*;

    async fn call(form: &'static str) -> (StatusCode, String) {
        let text = r#"Resources:
  F: { Type: AWS::Serverless::Function, Properties: { CodeUri: f, Role: !GetAtt R.Arn } }
  R: { Type: AWS::IAM::Role, Properties: { RoleName: r-dev, AssumeRolePolicyDocument: {}, Policies: [
      { PolicyName: Read, PolicyDocument: { Statement: [ { Effect: Allow, Action: "a:B", Resource: "*" } ] } },
      { PolicyName: All, PolicyDocument: { Statement: [ { Effect: Allow, Action: "a:*", Resource: "*" } ] } } ] } }"#;
        let template = Template::load(text, &LoadOptions::default()).unwrap();
        let answer = handle(&template, Request::new(Body::from(form))).await;
        let status = answer.status();
        let body = to_bytes(answer.into_body(), 9999).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn the_inline_policies_of_a_role_are_shown() {
        let (status, body) = call("Action=ListRolePolicies&RoleName=r-dev").await;
        assert_eq!(status, StatusCode::OK);
        assert!(body.contains("<member>All</member><member>Read</member>"), "{body}");
        let (_, body) = call("Action=GetRolePolicy&RoleName=r-dev&PolicyName=Read").await;
        let (_, document) = body.split_once("<PolicyDocument>").unwrap();
        let document = document.split_once('<').unwrap().0;
        let document = crate::wire::percent_decoded(document).unwrap();
        let document: serde_json::Value = serde_json::from_str(&document).unwrap();
        assert_eq!(document["Statement"][0]["Action"], "a:B");
    }

    #[tokio::test]
    async fn a_missing_role_or_policy_is_no_such_entity() {
        for (form, message) in [
            ("Action=GetRolePolicy&RoleName=x&PolicyName=Read", "The role with name x "),
            (
                "Action=GetRolePolicy&RoleName=r-dev&PolicyName=%3C",
                "The role policy with name &lt; ",
            ),
        ] {
            let (status, body) = call(form).await;
            assert_eq!(status, StatusCode::NOT_FOUND);
            assert!(body.contains("<Code>NoSuchEntity</Code>") && body.contains(message), "{body}");
        }
        assert_eq!(call("Action=GetRole&RoleName=r-dev").await.0, StatusCode::NOT_IMPLEMENTED);
    }
}
