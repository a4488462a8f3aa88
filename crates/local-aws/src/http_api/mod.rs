//! API Gateway's HTTP API: routes and authorizers of the template, payload 2.0 to the functions.
//!
//! `cors` answers OPTIONS and adds CORS headers, `jwt` checks tokens, and `issuer` makes tokens
//! with its `keys`.
//!
//! Errors of API Gateway itself are `{"message": "..."}`: 401 of the authorizer, 403 for missing
//! scopes, 404 for an unknown route, 413 and 431 for its limits, 429 for a throttled route, 500
//! when the function fails, 503 when it is throttled or takes longer than the route waits.

mod answer;
mod cors;
mod errors;
pub mod issuer;
pub mod jwt;
mod keys;
mod mount;
mod payload;
mod routing;
mod throttle;

use std::sync::Arc;

use axum::body::to_bytes;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::{Value, json};

use crate::clock::Clock;
use crate::faults::Faults;
use crate::lambda::Lambda;
use errors::ApiError;
use issuer::Issuer;
pub use keys::NotRemoved;
use mount::Mount;
use payload::Call;
use sam_template::{Account, Template};
use throttle::Throttles;

/// API Gateway's limit on a request's body, in bytes (HTTP API quotas: 10 MB).
const MAX_BODY: usize = 10 * 1024 * 1024;
/// Its limit on the request line and all headers together, in bytes (HTTP API quotas: 10240).
const MAX_HEADERS: usize = 10_240;

/// The first HTTP API of the template.
#[derive(Debug)]
pub struct HttpApi {
    clock: Clock,
    faults: Faults,
    account: Account,
    api: Option<sam_template::HttpApi>,
    /// The base path that a custom domain maps to the API's stage.
    base_path: Option<String>,
    throttles: Throttles,
    /// Deployed names of the functions, by logical id.
    functions: std::collections::BTreeMap<String, String>,
    lambda: Arc<Lambda>,
    issuer: Arc<Issuer>,
}

impl HttpApi {
    /// The API of the template; without one, every request is answered with 404.
    pub fn new(
        clock: Clock,
        faults: Faults,
        template: &Template,
        lambda: Arc<Lambda>,
        issuer: Arc<Issuer>,
        base_path: Option<String>,
    ) -> Arc<Self> {
        let name = |it: &sam_template::Function| (it.logical_id.clone(), it.name.clone());
        let routes = template.http_apis.first().map_or(&[][..], |api| &api.routes);
        Arc::new(Self {
            throttles: Throttles::new(routes, clock.now_ms()),
            clock,
            faults,
            account: template.account.clone(),
            api: template.http_apis.first().cloned(),
            base_path,
            functions: template.functions.iter().map(name).collect(),
            lambda,
            issuer,
        })
    }

    /// Answers one request of a client.
    pub async fn handle(self: Arc<Self>, request: Request) -> Response {
        let request_id = uuid::Uuid::new_v4().simple().to_string();
        let result = self.serve(request, &request_id).await;
        let mut response = result.unwrap_or_else(|own| own.into_response());
        if let Ok(id) = HeaderValue::from_str(&request_id) {
            response.headers_mut().insert("apigw-requestid", id);
        }
        response
    }

    async fn serve(&self, request: Request, request_id: &str) -> Result<Response, ApiError> {
        let (head, body) = request.into_parts();
        let lines = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
        if lines.sum::<usize>() + head.uri.to_string().len() > MAX_HEADERS {
            return Err(ApiError::HEADERS_TOO_LARGE);
        }
        let api = self.api.as_ref().ok_or(ApiError::NOT_FOUND)?;
        let mount = Mount::of(head.uri.path(), self.base_path.as_deref(), &api.stage)
            .ok_or(ApiError::NOT_FOUND)?;
        let Some(found) = routing::find(&api.routes, &head.method, mount.path) else {
            return match &api.cors {
                Some(cors) if head.method == Method::OPTIONS => {
                    Ok(cors::preflight(cors, &head.headers))
                }
                _ => Err(ApiError::NOT_FOUND),
            };
        };
        if !self.throttles.admit(&found.route.key(), self.clock.now_ms()) {
            return Err(ApiError::TOO_MANY);
        }
        let token = match &found.route.authorizer {
            Some(authorizer) => Some(self.authorize(authorizer, &head.headers)?),
            None => None,
        };
        let body = to_bytes(body, MAX_BODY).await.map_err(|_| ApiError::BODY_TOO_LARGE)?;
        let name = self.functions.get(&found.route.function).ok_or(ApiError::INTERNAL)?;
        let call = Call {
            account: &self.account,
            api,
            found: &found,
            custom_domain: mount.custom_domain,
            head: &head,
            body: &body,
            token: token.as_ref(),
            request_id,
            now_ms: self.clock.now_ms(),
        };
        let (event, trace) = call.event();
        self.faults
            .gate("execute-api", &found.route.key(), head.uri.path())
            .await
            .map_err(|error| ApiError::of_fault(error.status))?;
        let invoked = self.lambda.invoke_for_http(name, event.to_string().into(), trace);
        match tokio::time::timeout(self.clock.request_timeout(found.route.timeout), invoked).await {
            Err(_) => Err(ApiError::UNAVAILABLE),
            Ok(Ok(invoked)) if invoked.function_error.is_some() => Err(ApiError::INTERNAL),
            Ok(Ok(invoked)) => {
                let answer = answer::from_function(&invoked.payload);
                let mut response = answer.ok_or(ApiError::INTERNAL)?;
                if let Some(cors) = &api.cors {
                    cors::dress(cors, &head.headers, response.headers_mut());
                }
                Ok(response)
            }
            Ok(Err(error)) => Err(match error.status {
                StatusCode::TOO_MANY_REQUESTS => ApiError::UNAVAILABLE,
                StatusCode::PAYLOAD_TOO_LARGE => ApiError::BODY_TOO_LARGE,
                _ => ApiError::INTERNAL,
            }),
        }
    }

    fn authorize(
        &self,
        authorizer: &sam_template::JwtAuthorizer,
        headers: &HeaderMap,
    ) -> Result<jwt::Token, ApiError> {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        // Two headers are rejected: payload 2.0 joins them with a comma, so if the first were
        // checked, the function would also receive the second, which was not.
        let header = match (values.next(), values.next()) {
            (Some(one), None) => one.to_str().unwrap_or_default(),
            _ => "",
        };
        let now_s = crate::clock::real_now_ms() / 1000;
        self.issuer.check(authorizer, header, now_s).map_err(|refusal| {
            // The reason is logged; the client receives no more than on AWS.
            tracing::info!("authorizer {}: {refusal}", authorizer.name);
            ApiError::of_refusal(refusal)
        })
    }

    /// Returns whether a route of the API matches a path, which includes the stage or base path.
    pub(crate) fn has_route(&self, method: &Method, path: &str) -> bool {
        self.api.as_ref().is_some_and(|api| {
            Mount::of(path, self.base_path.as_deref(), &api.stage)
                .is_some_and(|mount| routing::find(&api.routes, method, mount.path).is_some())
        })
    }

    /// Returns the service's part of `/_local/state`.
    pub fn state(&self) -> Value {
        let routes = self.api.iter().flat_map(|api| &api.routes);
        let routes = routes.map(|route| {
            let authorizer = route.authorizer.as_ref().map(|it| it.name.clone());
            let function = self.functions.get(&route.function);
            json!({ "route": route.key(), "function": function, "authorizer": authorizer })
        });
        Value::Array(routes.collect())
    }
}
