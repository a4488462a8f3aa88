//! One port for everything: each request goes to the service whose signing scope it carries, if
//! the signing principal is allowed to make it.
//!
//! The scope `execute-api` has two: `/@connections/…` is a WebSocket API's, anything else the
//! HTTP API's. `/_local/…` is the machine's own; an unsigned `/2015-03-31/functions/…` is `cargo
//! lambda invoke`; whatever else is unsigned knocks at the HTTP API's front door.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, header};
use tokio::net::TcpListener;

use crate::aws_error::AwsError;
use crate::cloud::Cloud;
use crate::connections::Connections;
use crate::local;

/// Serves until it is dropped.
pub async fn serve(listener: TcpListener, cloud: Arc<Cloud>) {
    let router = Router::new()
        .nest("/_local", local::router())
        .fallback(dispatch)
        .with_state(Arc::clone(&cloud));
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!("{} serves no more: {error}", cloud.base_url);
    }
}

async fn dispatch(State(cloud): State<Arc<Cloud>>, request: Request) -> Response {
    let Credential { key, service } = match credential(request.headers(), request.uri().query()) {
        Some(credential) => credential,
        None if request.uri().path().starts_with("/2015-03-31/functions") => {
            Credential { key: String::new(), service: "lambda".to_owned() }
        }
        None if Connections::takes(request.uri().path()) => return Connections::unsigned(),
        None => return cloud.front_door.clone().handle(request).await,
    };
    let mut response = match cloud.iam.admit(&key, &service, request).await {
        Ok(request) => serve_by(&cloud, &service, request).await,
        Err(refused) => refused,
    };
    if !response.headers().contains_key("x-amzn-requestid")
        && let Ok(id) = HeaderValue::from_str(&uuid::Uuid::new_v4().to_string())
    {
        response.headers_mut().insert("x-amzn-requestid", id);
    }
    response
}

async fn serve_by(cloud: &Cloud, service: &str, request: Request) -> Response {
    match service {
        "lambda" => cloud.lambda.clone().handle(request).await,
        "dynamodb" => cloud.dynamodb.clone().handle(request).await,
        "events" => cloud.events.clone().handle(request).await,
        "kinesisvideo" => cloud.kvs.clone().handle(request).await,
        "sqs" => cloud.sqs.clone().handle(request).await,
        "execute-api" if Connections::takes(request.uri().path()) => {
            cloud.connections.clone().handle(request).await
        }
        "execute-api" => cloud.front_door.clone().handle(request).await,
        "sts" => caller_identity(cloud),
        other => AwsError::not_implemented(other, request.uri().path()).rest_json(),
    }
}

/// Who signed a request, and for which service.
#[derive(Debug, PartialEq, Eq)]
struct Credential {
    key: String,
    service: String,
}

/// Key and service in `Credential=KEY/DATE/REGION/SERVICE/aws4_request`, of the header or of a
/// presigned query.
fn credential(headers: &HeaderMap, query: Option<&str>) -> Option<Credential> {
    let header = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let credential = match header {
        Some(header) if header.starts_with("AWS4-") => {
            header.split_once("Credential=")?.1.split([',', ' ']).next()?.to_owned()
        }
        Some(_) => return None,
        None => {
            let mut pairs = query?.split('&');
            let credential = pairs.find_map(|pair| pair.strip_prefix("X-Amz-Credential="))?;
            percent_decoded(credential)?
        }
    };
    let mut parts = credential.rsplit('/');
    let service = (parts.next()? == "aws4_request").then(|| parts.next()).flatten()?.to_owned();
    let key = credential.split('/').next()?.to_owned();
    Some(Credential { key, service })
}

/// The operation of a json-1.x request: the last part of X-Amz-Target, for example `PutEvents`.
/// Empty when the header is missing.
pub fn operation(headers: &HeaderMap) -> String {
    headers
        .get("x-amz-target")
        .and_then(|target| target.to_str().ok())
        .and_then(|target| target.rsplit('.').next())
        .unwrap_or_default()
        .to_owned()
}

/// Percent-decodes one part of a path. `None` when the result is not UTF-8.
pub fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        match (first, after) {
            (b'%', [high, low, left @ ..]) if let Some(byte) = hex_pair(*high, *low) => {
                bytes.push(byte);
                rest = left;
            }
            _ => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).ok()
}

fn hex_pair(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

/// STS GetCallerIdentity, which AWS's tools ask first.
fn caller_identity(cloud: &Cloud) -> Response {
    let account = &cloud.template.account.id;
    let body = format!(
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
         <GetCallerIdentityResult><Arn>arn:aws:iam::{account}:user/local</Arn>\
         <UserId>local</UserId><Account>{account}</Account></GetCallerIdentityResult>\
         <ResponseMetadata><RequestId>local</RequestId></ResponseMetadata>\
         </GetCallerIdentityResponse>"
    );
    ([(header::CONTENT_TYPE, "text/xml")], body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(authorization: &'static str, query: Option<&str>) -> Option<(String, String)> {
        let mut headers = HeaderMap::new();
        if !authorization.is_empty() {
            headers.insert(header::AUTHORIZATION, HeaderValue::from_static(authorization));
        }
        credential(&headers, query).map(|it| (it.key, it.service))
    }

    #[test]
    fn a_signature_names_its_key_and_its_service() {
        let header = "AWS4-HMAC-SHA256 Credential=AK/20260101/us-east-1/events/aws4_request, \
                      SignedHeaders=host, Signature=x";
        let pair = |service: &str| Some(("AK".to_owned(), service.to_owned()));
        assert_eq!(signed(header, None), pair("events"));
        let query = "a=1&X-Amz-Credential=AK%2F20260101%2Fus-east-1%2Fsqs%2Faws4_request";
        assert_eq!(signed("", Some(query)), pair("sqs"));
        assert_eq!(signed("Bearer x.y.z", Some(query)), None);
        assert_eq!(signed("", Some("a=1")), None);
    }

    #[test]
    fn percents_are_decoded_and_odd_ones_left() {
        assert_eq!(percent_decoded("a%3Ab%2").as_deref(), Some("a:b%2"));
        assert_eq!(percent_decoded("%zz").as_deref(), Some("%zz"));
        assert_eq!(percent_decoded("%ff"), None);
    }
}
