//! The routes of the API.

use lambda_http::{Request, RequestExt, http::Method, request::RequestContext};

/// A route of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route<'a> {
    Sessions,
    Session(&'a str),
    Health,
}

impl<'a> Route<'a> {
    /// Returns the request's route, based on the route that API Gateway has matched, because the
    /// path also contains the stage name or the base path of a custom domain. Uses the path if the
    /// matched route is none of these (`$default`, as `cargo lambda watch` sends it, or a proxy
    /// route).
    pub(super) fn of(request: &'a Request) -> Option<Self> {
        match matched_path(request) {
            Some("/sessions") => Some(Self::Sessions),
            Some("/sessions/{sessionId}") => {
                request.path_parameters_ref()?.first("sessionId").map(Self::Session)
            }
            Some("/health") => Some(Self::Health),
            _ => Self::of_path(request.uri().path()),
        }
    }

    pub(super) fn of_path(path: &'a str) -> Option<Self> {
        match path.strip_prefix('/')?.split_once('/') {
            None if path == "/sessions" => Some(Self::Sessions),
            None if path == "/health" => Some(Self::Health),
            Some(("sessions", id)) if !id.is_empty() && !id.contains('/') => {
                Some(Self::Session(id))
            }
            _ => None,
        }
    }

    /// Returns the route as written in the template. Safe to log, because it contains no client
    /// input.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Sessions => "/sessions",
            Self::Session(_) => "/sessions/{sessionId}",
            Self::Health => "/health",
        }
    }

    pub(super) const fn methods(self) -> &'static str {
        match self {
            Self::Sessions => "POST",
            Self::Session(_) => "GET, PATCH, DELETE",
            Self::Health => "GET",
        }
    }
}

/// Returns the path in the route key, for example of `GET /sessions/{sessionId}`.
fn matched_path(request: &Request) -> Option<&str> {
    let Some(RequestContext::ApiGatewayV2(context)) = request.request_context_ref() else {
        return None;
    };
    context.route_key.as_deref()?.split_once(' ').map(|(_, path)| path)
}

/// Returns a method for logging. Unknown methods are replaced, because they may contain arbitrary
/// text.
pub(super) fn known_method(method: &Method) -> &str {
    match *method {
        Method::GET | Method::POST | Method::PUT | Method::PATCH | Method::DELETE => {
            method.as_str()
        }
        Method::HEAD | Method::OPTIONS => method.as_str(),
        _ => "other",
    }
}
