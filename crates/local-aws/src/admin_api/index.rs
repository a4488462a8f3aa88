//! The index of what runs here: `/_local` as JSON, `/` as text for clients that are no browsers.

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, header};
use serde_json::{Value, json};

use super::page;
use crate::services::Services;

/// The name by which a client recognises this emulator at a URL.
pub const NAME: &str = "local-cloud";

/// The endpoints below `/_local`: methods, path, and effect.
pub(super) const ENDPOINTS: [(&str, &str, &str); 22] = [
    ("GET", "/state", "functions, routes, tables, rules, queues, streams, faults, parameters"),
    ("GET", "/page/", "a page that shows what happens here; / returns it to browsers"),
    ("GET, POST, DELETE", "/faults", "pending faults: list, add one, remove all or some"),
    (
        "DELETE",
        "/processes/FUNCTION",
        "kill the processes of a function, or the workers: stream-worker",
    ),
    (
        "PUT",
        "/tasks/TASK",
        "change the number of workers, {\"desiredCount\": 3}, or replace them, \
         {\"forceNewDeployment\": true}",
    ),
    ("POST", "/token", "a speaker's token: {\"sub\": \"ana\"}"),
    ("POST", "/keys", "add a key that signs tokens"),
    ("DELETE", "/keys/KID", "remove a key: its tokens are refused"),
    ("GET", "/jwks.json", "the public keys of the token issuer"),
    ("GET", "/.well-known/openid-configuration", "the token issuer"),
    ("GET", "/audio/SESSION.wav", "the audio that the reference processor accepted"),
    ("GET", "/deliveries/SESSION", "the chunks of a session: counts, losses, latency"),
    (
        "GET",
        "/logs/FUNCTION",
        "the log of a function, for example kvs-stream-consumer; from byte N with ?from=N",
    ),
    ("GET", "/events", "the events that the bus has received"),
    ("GET", "/notifications", "the latest messages of alarms to their topic"),
    ("GET", "/live", "sessions, events, logs and faults as server-sent events"),
    ("GET", "/words/SESSION", "the recognised words of a session, and when they were spoken"),
    ("GET", "/live/SESSION", "figures, audio levels and words of a session as server-sent events"),
    ("GET", "/connections", "the listeners' connections"),
    (
        "PUT, GET, DELETE",
        "/connections/ID",
        "a listener's connection, and the messages it received",
    ),
    ("GET", "/signaling", "the connections of signaling channels"),
    (
        "POST, DELETE",
        "/signaling/CHANNEL",
        "send {\"messageType\": \"GO_AWAY\" or \"RECONNECT_ICE_SERVER\"} to its clients, or cut them \
         off; ?client=master or a viewer's id",
    ),
];

/// The services that signed requests reach, by the name in their signature.
const SERVICES: [&str; 11] = [
    "lambda",
    "dynamodb",
    "events",
    "sqs",
    "monitoring",
    "logs",
    "xray",
    "kinesisvideo",
    "execute-api",
    "iam",
    "sts",
];

/// Returns the body of `GET /_local`.
pub(super) fn body(services: &Services) -> Value {
    let endpoints = ENDPOINTS.iter().map(|(methods, path, effect)| {
        json!({ "methods": methods, "path": format!("/_local{path}"), "effect": effect })
    });
    json!({
        "name": NAME,
        "version": env!("CARGO_PKG_VERSION"),
        "url": services.base_url,
        "endpoints": endpoints.collect::<Vec<_>>(),
        "services": SERVICES,
        "routes": services.http_api.state(),
    })
}

/// Returns the answer to `GET /` when the template has no route for it: a page for browsers, an
/// index as text for other clients.
pub(crate) fn front_page(services: &Services, headers: &HeaderMap) -> Response {
    if page::is_wanted(headers) {
        return page::index();
    }
    let (url, version) = (&services.base_url, env!("CARGO_PKG_VERSION"));
    let mut page = format!(
        "{NAME} {version}: the AWS services of a SAM template, emulated on this machine.\n\n\
         The template's HTTP API, with a token of POST {url}/_local/token where one is required:\n"
    );
    for route in services.http_api.state().as_array().into_iter().flatten() {
        let token = if route["authorizer"].is_null() { "" } else { "  (token)" };
        page += &format!("  {}{token}\n", route["route"].as_str().unwrap_or_default());
    }
    page += &format!(
        "\nAWS services, for any SDK and for aws --endpoint-url {url}:\n  {}\n\n\
         This emulator's own endpoints, as JSON at {url}/_local:\n",
        SERVICES.join(", ")
    );
    for (methods, path, effect) in ENDPOINTS {
        page += &format!("  {:<52}  {effect}\n", format!("{methods} /_local{path}"));
    }
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], page).into_response()
}
