//! Serves every service on one port. A request is dispatched by the service in its signature, if
//! the signing principal is allowed to make it.
//!
//! The scope `execute-api` covers two services: `/@connections/…` belongs to a WebSocket API,
//! any other path to the HTTP API. `/_local/…` is this emulator's own API; an unsigned
//! `/2015-03-31/functions/…` is `cargo lambda invoke`; any other unsigned request goes to the
//! HTTP API, except `GET /` (an index, or a page for browsers) and the speaker's page, if the API
//! has no route for them.

use std::path::Path;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::serve::Listener;
use axum::{Extension, Router};
use http::{HeaderValue, Method, header};

use crate::admin_api;
use crate::aws_error::AwsError;
use crate::connections::Connections;
use crate::iam;
use crate::kvs::cors;
use crate::services::Services;
use crate::signaling::Signaling;
use crate::storage_session::StorageSessions;
use crate::web_origin;
use crate::wire::Credential;

/// Lambda's Invoke, which `cargo lambda invoke` does not sign.
const FUNCTIONS: &str = "/2015-03-31/functions";

/// The URL of the listener that a request came to: plain or over TLS.
#[derive(Debug, Clone)]
pub(crate) struct ListenerUrl(pub(crate) String);

/// Serves requests at `url` until the returned future is dropped.
pub(crate) async fn serve<L>(listener: L, services: Arc<Services>, url: String)
where
    L: Listener<Addr: std::fmt::Debug>,
{
    let router = Router::new()
        .nest("/_local", admin_api::router().layer(from_fn(web_origin::check)))
        .route("/_local/", get(|| async { Redirect::permanent("/_local") }))
        .fallback(dispatch)
        .layer(Extension(ListenerUrl(url)))
        .with_state(Arc::clone(&services));
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!("{} stopped serving: {error}", services.base_url);
    }
}

async fn dispatch(State(services): State<Arc<Services>>, request: Request) -> Response {
    let credential = Credential::of(request.headers(), request.uri().query());
    if !is_for_http_api(credential.as_ref(), &request)
        && let Some(refused) = web_origin::refusal(request.headers())
    {
        return refused;
    }
    let Credential { key, service } = match credential {
        Some(credential) => credential,
        None if request.uri().path().starts_with(FUNCTIONS) => {
            Credential { key: String::new(), service: "lambda".to_owned() }
        }
        None if Connections::takes(request.uri().path()) => return Connections::unsigned(),
        None if cors::is_preflight(&request) => return cors::preflight(&request),
        None if Signaling::operation(request.uri().path()).is_some() => {
            return Signaling::unsigned();
        }
        None if is_front_page(&services, &request) => {
            return admin_api::index::front_page(&services, request.headers());
        }
        None if let Some(folder) = speaker_page(&services, &request) => {
            let path = request.uri().path().to_owned();
            return admin_api::speaker_page::answer(folder, &path).await;
        }
        None => return services.http_api.clone().handle(request).await,
    };
    let from_page = service == "kinesisvideo" && request.headers().contains_key(header::ORIGIN);
    let mut response = match services.iam.admit(&key, &service, request).await {
        Ok(request) => serve_by(&services, &service, request).await,
        Err(refused) => refused,
    };
    if !response.headers().contains_key("x-amzn-requestid")
        && let Ok(id) = HeaderValue::from_str(&uuid::Uuid::new_v4().to_string())
    {
        response.headers_mut().insert("x-amzn-requestid", id);
    }
    if from_page {
        cors::allow(&mut response);
    }
    response
}

/// Returns whether a request is for the HTTP API, a WebSocket API, or a page of this server.
fn is_for_http_api(credential: Option<&Credential>, request: &Request) -> bool {
    let path = request.uri().path();
    match credential {
        Some(credential) => credential.service == "execute-api",
        None => {
            let is_operation = path.starts_with(FUNCTIONS) || Signaling::operation(path).is_some();
            !is_operation && !cors::is_preflight(request)
        }
    }
}

/// Returns whether a request is `GET /`, for which the template's HTTP API has no route.
fn is_front_page(services: &Services, request: &Request) -> bool {
    let is_root = request.method() == Method::GET && request.uri().path() == "/";
    is_root && !services.http_api.has_route(request.method(), "/")
}

/// Returns the folder of the speaker's page if a request is for it, and the template's HTTP API has
/// no route for the path.
fn speaker_page<'a>(services: &'a Services, request: &Request) -> Option<&'a Path> {
    let (method, path) = (request.method(), request.uri().path());
    let is_page = method == Method::GET && admin_api::speaker_page::serves(path);
    let folder = services.speaker_page.as_deref().filter(|_| is_page);
    folder.filter(|_| !services.http_api.has_route(method, path))
}

async fn serve_by(services: &Services, service: &str, request: Request) -> Response {
    match service {
        "lambda" => services.lambda.clone().handle(request).await,
        "dynamodb" => services.dynamodb.clone().handle(request).await,
        "events" => services.events.clone().handle(request).await,
        "kinesisvideo" if StorageSessions::serves(request.uri().path()) => {
            services.storage_sessions.handle(request).await
        }
        "kinesisvideo" if Signaling::operation(request.uri().path()).is_some() => {
            services.signaling.clone().handle(request).await
        }
        "kinesisvideo" => services.kvs.clone().handle(request).await,
        "sqs" => services.sqs.clone().handle(request).await,
        "monitoring" => services.cloudwatch.clone().handle(request).await,
        "logs" => services.log_groups().handle(request).await,
        "iam" => iam::roles::handle(&services.template(), request).await,
        "execute-api" if Connections::takes(request.uri().path()) => {
            services.connections.clone().handle(request).await
        }
        "execute-api" => services.http_api.clone().handle(request).await,
        "xray" => services.xray.clone().handle(request).await,
        "sts" => caller_identity(services),
        other => AwsError::not_implemented(other, request.uri().path()).rest_json(),
    }
}

/// STS GetCallerIdentity, which AWS's tools call first.
fn caller_identity(services: &Services) -> Response {
    let template = services.template();
    let account = &template.account.id;
    let body = format!(
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
         <GetCallerIdentityResult><Arn>arn:aws:iam::{account}:user/local</Arn>\
         <UserId>local</UserId><Account>{account}</Account></GetCallerIdentityResult>\
         <ResponseMetadata><RequestId>local</RequestId></ResponseMetadata>\
         </GetCallerIdentityResponse>"
    );
    ([(header::CONTENT_TYPE, "text/xml")], body).into_response()
}
