//! The event of payload format 2.0 that a function gets for a request.

use std::collections::BTreeMap;

use base64::Engine;
use bytes::Bytes;
use http::{header, request::Parts};
use serde_json::{Map, Value, json};

use super::jwt::Token;
use super::mount::raw_path;
use super::routing::Found;
use crate::clock::real_now_ms;
use crate::wire::percent_decoded;
use sam_template::{Account, HttpApi as Api};

/// A request with its route, accepted by its authorizer.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) account: &'a Account,
    pub(super) api: &'a Api,
    pub(super) found: &'a Found,
    pub(super) custom_domain: Option<&'static str>,
    pub(super) head: &'a Parts,
    pub(super) body: &'a Bytes,
    pub(super) token: Option<&'a Token>,
    pub(super) request_id: &'a str,
    pub(super) now_ms: i64,
}

impl Call<'_> {
    /// Returns the event, and the trace that begins with this request.
    pub(super) fn event(&self) -> (Value, String) {
        let root = uuid::Uuid::new_v4().simple().to_string();
        let trace = format!("Root=1-{:08x}-{}", real_now_ms() / 1000, &root[..24]);
        let (headers, cookies) = self.headers(&trace);
        let mut event = json!({
            "version": "2.0",
            "routeKey": self.found.route.key(),
            "rawPath": raw_path(self.head.uri.path()),
            "rawQueryString": self.head.uri.query().unwrap_or_default(),
            "headers": headers,
            "requestContext": self.context(&headers),
            "isBase64Encoded": false,
        });
        if !cookies.is_empty() {
            event["cookies"] = cookies.into();
        }
        if let Some(query) = self.head.uri.query().filter(|query| !query.is_empty()) {
            event["queryStringParameters"] = json!(query_parameters(query));
        }
        if !self.found.parameters.is_empty() {
            event["pathParameters"] = json!(self.found.parameters);
        }
        if !self.body.is_empty() {
            let (body, encoded) = self.text_body();
            event["body"] = body.into();
            event["isBase64Encoded"] = encoded.into();
        }
        (event, trace)
    }

    /// Returns header names in lower case, with repeated headers joined by commas, and cookies
    /// separately.
    fn headers(&self, trace: &str) -> (BTreeMap<String, String>, Vec<String>) {
        let (mut headers, mut cookies) = (BTreeMap::<String, String>::new(), Vec::new());
        for (name, value) in &self.head.headers {
            let value = String::from_utf8_lossy(value.as_bytes());
            if name == header::COOKIE {
                cookies.extend(value.split("; ").map(str::to_owned));
                continue;
            }
            headers
                .entry(name.as_str().to_owned())
                .and_modify(|joined| {
                    joined.push(',');
                    joined.push_str(&value);
                })
                .or_insert_with(|| value.into_owned());
        }
        let mut set = |name: &str, value: &str| headers.insert(name.to_owned(), value.to_owned());
        set("x-amzn-trace-id", trace);
        set("x-forwarded-for", "127.0.0.1");
        set("x-forwarded-proto", "http");
        set("content-length", &self.body.len().to_string());
        (headers, cookies)
    }

    fn context(&self, headers: &BTreeMap<String, String>) -> Value {
        let own = format!(
            "{}.execute-api.{}.amazonaws.com",
            self.api.id.to_lowercase(),
            self.account.region
        );
        let domain_name = self.custom_domain.unwrap_or(&own);
        let mut context = json!({
            "accountId": self.account.id,
            "apiId": self.api.id,
            "domainName": domain_name,
            "domainPrefix": domain_name.split('.').next(),
            "http": {
                "method": self.head.method.as_str(),
                "path": raw_path(self.head.uri.path()),
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": headers.get("user-agent").map_or("", String::as_str),
            },
            "requestId": self.request_id,
            "routeKey": self.found.route.key(),
            "stage": self.api.stage,
            "time": log_time(self.now_ms),
            "timeEpoch": self.now_ms,
        });
        if let Some(token) = self.token {
            context["authorizer"] =
                json!({ "jwt": { "claims": token.claims, "scopes": token.scopes } });
        }
        context
    }

    /// Returns the body as text, or in base64 if its type or its bytes are not text.
    fn text_body(&self) -> (String, bool) {
        let kind = self.head.headers.get(header::CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or("text/plain");
        let kind = kind.split(';').next().unwrap_or(kind).trim().to_lowercase();
        let is_text = kind.starts_with("text/")
            || kind.ends_with("json")
            || kind.ends_with("xml")
            || kind.ends_with("javascript");
        match std::str::from_utf8(self.body) {
            Ok(text) if is_text => (text.to_owned(), false),
            _ => (base64::engine::general_purpose::STANDARD.encode(self.body), true),
        }
    }
}

/// Returns decoded parameters, with repeated ones joined by commas.
fn query_parameters(query: &str) -> Map<String, Value> {
    let mut joined = BTreeMap::<String, String>::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decoded = |text: &str| percent_decoded(&text.replace('+', " ")).unwrap_or_default();
        let value = decoded(value);
        joined
            .entry(decoded(name))
            .and_modify(|joined| {
                joined.push(',');
                joined.push_str(&value);
            })
            .or_insert(value);
    }
    joined.into_iter().map(|(name, value)| (name, value.into())).collect()
}

/// Formats a time as API Gateway does: `12/Mar/2020:19:03:58 +0000`.
fn log_time(ms: i64) -> String {
    let at = time::OffsetDateTime::from_unix_timestamp(ms / 1000)
        .unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
    let (date, clock) = (at.date(), at.time());
    format!(
        "{:02}/{}/{:04}:{:02}:{:02}:{:02} +0000",
        date.day(),
        &date.month().to_string()[..3],
        date.year(),
        clock.hour(),
        clock.minute(),
        clock.second()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_in_a_log() {
        assert_eq!(log_time(1_583_348_638_390), "04/Mar/2020:19:03:58 +0000");
    }

    #[test]
    fn repeated_parameters_are_joined() {
        let parameters = query_parameters("a=1&b=x%20y&a=2&c");
        assert_eq!(json!(parameters), json!({"a": "1,2", "b": "x y", "c": ""}));
    }
}
