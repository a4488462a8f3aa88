//! The HTTP API: routes, JSON bodies and status codes. Only this module defines them.
//!
//! [`route::ROUTES`] is the table of routes; `docs/openapi.yaml` describes their requests and
//! responses. Any other path returns 404, any other method 405. Errors are `{"error": "…",
//! "timestamp": ms}`; errors that may be transient (503, 429, and 409 while a session is being
//! created) carry `Retry-After`. API Gateway validates the token. Without its claims the handler
//! also returns 401, so that a route deployed without its authorizer stays protected.

use lambda_http::{Body, Request, RequestExt, Response, http::StatusCode, request::RequestContext};
use lambda_support::context::time_left;
use lambda_support::trace::{self, Failure, Subsegment};
use session::{Call, Completed, Deleted, Error, Limits, PostResponse, Session, SessionId};

mod request;
mod response;
mod route;
mod use_cases;

use request::{Rejection, changes, idempotency_key, new_session};
use response::{created, failed, health, no_content, owner_view, public_view, rejected};
use route::{Access, Operation, Target, known_method};
pub(crate) use use_cases::SessionApi;

/// The API of one environment.
#[derive(Clone, Debug)]
pub(crate) struct Api<S> {
    /// The use cases.
    pub(crate) sessions: S,
    /// The environment, as returned by `/health`.
    pub(crate) environment: String,
    /// Whether sessions are public, or visible to their speaker only.
    pub(crate) public_session_view: bool,
    /// Time budgets for a whole invocation.
    pub(crate) limits: Limits,
}

/// A response, and the work that remains after it.
#[derive(Debug)]
pub(crate) struct ApiResponse {
    /// The response.
    pub(crate) response: Response<Body>,
    /// Work for [`Api::run_post_response`].
    pub(crate) post_response: Option<PostResponse>,
}

impl From<Response<Body>> for ApiResponse {
    fn from(response: Response<Body>) -> Self {
        Self { response, post_response: None }
    }
}

impl<S: SessionApi> Api<S> {
    /// Handles one request, with its invocation's trace header in scope.
    pub(crate) async fn handle(&self, request: Request) -> ApiResponse {
        let trace_header = request.lambda_context_ref().and_then(|c| c.xray_trace_id.clone());
        let started = self.sessions.now_ms();
        let response = trace::scope(trace_header, self.traced(&request)).await;
        tracing::info!(
            method = %known_method(request.method()),
            route = Target::of(&request).map_or("unknown", |target| target.path),
            status = response.response.status().as_u16(),
            durationMs = self.sessions.now_ms().saturating_sub(started),
            requestId = request.lambda_context_ref().map(|context| context.request_id.as_str()),
            "Request answered"
        );
        response
    }

    /// Runs the work that follows a response, with the request's trace header in scope.
    pub(crate) async fn run_post_response(&self, post_response: PostResponse) {
        let trace_header = post_response.trace_header().map(ToOwned::to_owned);
        trace::scope(trace_header, self.sessions.run_post_response(post_response)).await;
    }

    /// Handles a request as a subsegment of its trace, to which its events belong.
    async fn traced(&self, request: &Request) -> ApiResponse {
        let target = Target::of(request);
        let route = target.and_then(|target| target.route(request.method()));
        let mut subsegment =
            Subsegment::begin(route.map_or("unknown route", |it| it.operation.name()));
        let work = async {
            let call = Call { limits: self.limits(request), trace_header: trace::current() };
            if let Some(id) = target.filter(|it| it.session_id.parse::<SessionId>().is_ok()) {
                trace::annotate("sessionId", id.session_id);
            }
            self.route(request, &call).await
        };
        let response = subsegment.run(work).await;
        match response.response.status().as_u16() {
            429 => subsegment.fail(Failure::Throttle),
            400..=499 => subsegment.fail(Failure::Error),
            500.. => subsegment.fail(Failure::Fault),
            _ => {}
        }
        response
    }

    async fn route(&self, request: &Request, call: &Call) -> ApiResponse {
        let response = self.dispatch(request, call).await;
        response.unwrap_or_else(|rejection| rejected(&rejection, self.sessions.now_ms()).into())
    }

    async fn dispatch(&self, request: &Request, call: &Call) -> Result<ApiResponse, Rejection> {
        let target = Target::of(request).ok_or_else(Rejection::no_route)?;
        let route =
            target.route(request.method()).ok_or_else(|| Rejection::method(target.methods()))?;
        // Checked first, so that a client without a token cannot find out which ids exist.
        let speaker_id = match route.access {
            Access::Public => None,
            Access::SessionView if self.public_session_view => None,
            Access::Speaker | Access::SessionView => Some(speaker(request)?),
        };
        let id = target.session_id;
        match (route.operation, speaker_id) {
            (Operation::CreateSession, Some(speaker_id)) => {
                self.create(request, speaker_id, call).await
            }
            (Operation::GetSession, viewer) => self.get(id, viewer, call).await.map(Into::into),
            (Operation::ChangeSession, Some(speaker_id)) => {
                self.change(request, id, speaker_id, call).await
            }
            (Operation::EndSession, Some(speaker_id)) => self.end(id, speaker_id, call).await,
            (Operation::Health, _) => Ok(health(&self.environment).into()),
            (_, None) => Err(Rejection::unauthorized()),
        }
    }

    async fn create(
        &self,
        request: &Request,
        speaker_id: &str,
        call: &Call,
    ) -> Result<ApiResponse, Rejection> {
        let new = new_session(request.headers(), request.body(), speaker_id.to_owned())?;
        let key = idempotency_key(request.headers())?;
        match self.sessions.create(&new, key.as_ref(), call).await {
            Ok(Completed { response: session, post_response }) => {
                trace::annotate("sessionId", session.session_id.as_str());
                Ok(ApiResponse { response: created(&session), post_response })
            }
            Err(error) => Ok(failed(&error, self.sessions.now_ms()).into()),
        }
    }

    /// Returns the session: the public view without a `viewer`, else the owner's view.
    async fn get(
        &self,
        id: &str,
        viewer: Option<&str>,
        call: &Call,
    ) -> Result<Response<Body>, Rejection> {
        match (self.sessions.get(&session_id(id)?, call).await, viewer) {
            (Ok(session), None) => Ok(public_view(&session)),
            (Ok(session), Some(viewer)) if viewer == session.speaker_id => Ok(owner_view(&session)),
            (Ok(Session { session_id, .. }), Some(_)) => {
                Ok(self.report(&Error::NotOwner { session_id }))
            }
            (Err(error), _) => Ok(self.report(&error)),
        }
    }

    async fn change(
        &self,
        request: &Request,
        id: &str,
        speaker_id: &str,
        call: &Call,
    ) -> Result<ApiResponse, Rejection> {
        let id = session_id(id)?;
        let changes = changes(request.headers(), request.body())?;
        match self.sessions.change(&id, speaker_id, &changes, call).await {
            Ok(Completed { response: session, post_response }) => {
                Ok(ApiResponse { response: owner_view(&session), post_response })
            }
            Err(error) => Ok(self.report(&error).into()),
        }
    }

    async fn end(&self, id: &str, speaker_id: &str, call: &Call) -> Result<ApiResponse, Rejection> {
        match self.sessions.delete(&session_id(id)?, speaker_id, call).await {
            Ok(Completed { response: Deleted::Now | Deleted::Before, post_response }) => {
                Ok(ApiResponse { response: no_content(), post_response })
            }
            Err(error) => Ok(self.report(&error).into()),
        }
    }

    /// Responds to an error that the use case has not logged itself.
    fn report(&self, error: &Error) -> Response<Body> {
        if let Error::Store(_) = error {
            tracing::error!("{error}");
        }
        failed(error, self.sessions.now_ms())
    }

    /// Returns the budgets for the remaining time of this invocation.
    fn limits(&self, request: &Request) -> Limits {
        let deadline = request.lambda_context_ref().map_or(0, |context| context.deadline);
        let left = time_left(deadline, self.sessions.now_ms());
        left.map_or(self.limits, |left| self.limits.within(left))
    }
}

/// Returns the `sub` of the token that API Gateway has validated.
fn speaker(request: &Request) -> Result<&str, Rejection> {
    let claims = match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => {
            context.authorizer.as_ref().and_then(|authorizer| authorizer.jwt.as_ref())
        }
        _ => None,
    };
    claims
        .and_then(|jwt| jwt.claims.get("sub"))
        .map(String::as_str)
        .filter(|sub| (1..=request::MAX_SPEAKER_ID).contains(&sub.len()))
        .ok_or_else(Rejection::unauthorized)
}

/// Parses a session id. An invalid id returns 404, because no session can have it.
fn session_id(text: &str) -> Result<SessionId, Rejection> {
    text.parse().map_err(|_| Rejection::new(StatusCode::NOT_FOUND, "session does not exist"))
}

#[cfg(test)]
mod tests;
