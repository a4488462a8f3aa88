//! The HTTP API: routes, JSON bodies and status codes. No other module depends on them.
//!
//! | route | token | answers |
//! |---|---|---|
//! | `POST /sessions` | yes | 201, 400, 401, 409, 413, 415, 422, 429, 500, 503 |
//! | `GET /sessions/{sessionId}` | no | 200, 404, 500, 503 |
//! | the same with `PUBLIC_SESSION_VIEW=false` | yes, owner | 200, 401, 403, 404, 500, 503 |
//! | `PATCH /sessions/{sessionId}` | yes, owner | 200, 400, 401, 403, 404, 409, 413, 415, 500, 503|
//! | `DELETE /sessions/{sessionId}` | yes, owner | 204, 401, 403, 404, 409, 500, 503 |
//! | `GET /health` | no | 200 |
//!
//! Any other path returns 404, any other method 405. Errors are `{"error": "…", "timestamp":
//! ms}`; errors that may be transient (503, 429, and 409 while a session is being created) carry
//! `Retry-After`. API Gateway validates the token. Without its claims the handler also returns
//! 401, so that a route deployed without its authorizer stays protected.

use std::time::Duration;

use lambda_http::{
    Body, Request, RequestExt, Response,
    http::{Method, StatusCode},
    request::RequestContext,
};
use session::{Call, Deleted, Done, Error, FollowUp, Limits, Session, SessionId};

mod request;
mod response;
mod route;
mod use_cases;

use request::{Refused, changes, idempotency_key, new_session};
use response::{created, failed, health, no_content, own, refused, shown};
use route::{Route, known_method};
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

/// A response and its follow-up.
#[derive(Debug)]
pub(crate) struct Answered {
    /// The response.
    pub(crate) response: Response<Body>,
    /// Work for [`Api::finish`].
    pub(crate) follow_up: Option<FollowUp>,
}

impl From<Response<Body>> for Answered {
    fn from(response: Response<Body>) -> Self {
        Self { response, follow_up: None }
    }
}

impl<S: SessionApi> Api<S> {
    /// Handles one request, with its invocation's trace header in scope.
    pub(crate) async fn answer(&self, request: Request) -> Answered {
        let trace_header = request.lambda_context_ref().and_then(|c| c.xray_trace_id.clone());
        let call = Call { limits: self.limits(&request), trace_header: trace_header.clone() };
        let started = self.sessions.now_ms();
        let answered = lambda_shell::trace::scope(trace_header, self.route(&request, &call)).await;
        tracing::info!(
            method = %known_method(request.method()),
            route = Route::of(&request).map_or("unknown", Route::name),
            status = answered.response.status().as_u16(),
            durationMs = self.sessions.now_ms().saturating_sub(started),
            requestId = request.lambda_context_ref().map(|context| context.request_id.as_str()),
            "Request answered"
        );
        answered
    }

    /// Runs a follow-up, with its request's trace header in scope.
    pub(crate) async fn finish(&self, follow_up: FollowUp) {
        let trace_header = follow_up.trace_header().map(ToOwned::to_owned);
        lambda_shell::trace::scope(trace_header, self.sessions.finish(follow_up)).await;
    }

    async fn route(&self, request: &Request, call: &Call) -> Answered {
        let Some(route) = Route::of(request) else {
            let why = Refused::new(StatusCode::NOT_FOUND, "there is no such route");
            return self.refuse(&why).into();
        };
        let answer = match (request.method(), route) {
            (&Method::POST, Route::Sessions) => self.post(request, call).await,
            (&Method::GET, Route::Session(id)) => self.get(request, id, call).await.map(Into::into),
            (&Method::PATCH, Route::Session(id)) => self.patch(request, id, call).await,
            (&Method::DELETE, Route::Session(id)) => self.delete(request, id, call).await,
            (&Method::GET, Route::Health) => Ok(health(&self.environment).into()),
            _ => Err(Refused::method(route.methods())),
        };
        answer.unwrap_or_else(|refused| self.refuse(&refused).into())
    }

    async fn post(&self, request: &Request, call: &Call) -> Result<Answered, Refused> {
        let speaker_id = speaker(request)?.to_owned();
        let new = new_session(request.headers(), request.body(), speaker_id)?;
        let key = idempotency_key(request.headers())?;
        match self.sessions.create(&new, key.as_ref(), call).await {
            Ok(Done { answer: session, follow_up }) => {
                Ok(Answered { response: created(&session), follow_up })
            }
            Err(error) => Ok(failed(&error, self.sessions.now_ms()).into()),
        }
    }

    async fn get(
        &self,
        request: &Request,
        id: &str,
        call: &Call,
    ) -> Result<Response<Body>, Refused> {
        // Checked first, so that a client without a token cannot find out which ids exist.
        let viewer = match self.public_session_view {
            true => None,
            false => Some(speaker(request)?),
        };
        match (self.sessions.get(&session_id(id)?, call).await, viewer) {
            (Ok(session), None) => Ok(shown(&session)),
            (Ok(session), Some(viewer)) if viewer == session.speaker_id => Ok(own(&session)),
            (Ok(Session { session_id, .. }), Some(_)) => {
                Ok(self.report(&Error::NotOwner { session_id }))
            }
            (Err(error), _) => Ok(self.report(&error)),
        }
    }

    async fn patch(&self, request: &Request, id: &str, call: &Call) -> Result<Answered, Refused> {
        let speaker_id = speaker(request)?;
        let id = session_id(id)?;
        let wanted = changes(request.headers(), request.body())?;
        match self.sessions.change(&id, speaker_id, &wanted, call).await {
            Ok(Done { answer: session, follow_up }) => {
                Ok(Answered { response: own(&session), follow_up })
            }
            Err(error) => Ok(self.report(&error).into()),
        }
    }

    async fn delete(&self, request: &Request, id: &str, call: &Call) -> Result<Answered, Refused> {
        let speaker_id = speaker(request)?;
        match self.sessions.delete(&session_id(id)?, speaker_id, call).await {
            Ok(Done { answer: Deleted::Now | Deleted::Before, follow_up }) => {
                Ok(Answered { response: no_content(), follow_up })
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

    fn refuse(&self, why: &Refused) -> Response<Body> {
        refused(why, self.sessions.now_ms())
    }

    /// Returns the budgets for the remaining time of this invocation. A deadline in the past, as
    /// `cargo lambda watch` sends it, counts as unknown.
    fn limits(&self, request: &Request) -> Limits {
        let deadline = request.lambda_context_ref().map_or(0, |context| context.deadline);
        match deadline.checked_sub(self.sessions.now_ms()) {
            Some(left) if left > 0 => self.limits.within(Duration::from_millis(left)),
            _ => self.limits,
        }
    }
}

/// Returns the `sub` of the token that API Gateway has validated.
fn speaker(request: &Request) -> Result<&str, Refused> {
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
        .ok_or_else(|| Refused::new(StatusCode::UNAUTHORIZED, "a valid token is required"))
}

/// Parses a session id. An invalid id returns 404, because no session can have it.
fn session_id(text: &str) -> Result<SessionId, Refused> {
    text.parse().map_err(|_| Refused::new(StatusCode::NOT_FOUND, "there is no such session"))
}

#[cfg(test)]
mod tests;
