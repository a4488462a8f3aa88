//! Which requests there are.

use lambda_http::http::Method;

/// Where a request leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route<'a> {
    Sessions,
    Session(&'a str),
    Health,
}

impl<'a> Route<'a> {
    pub(super) fn of(path: &'a str) -> Option<Self> {
        match path.strip_prefix('/')?.split_once('/') {
            None if path == "/sessions" => Some(Self::Sessions),
            None if path == "/health" => Some(Self::Health),
            Some(("sessions", id)) if !id.is_empty() && !id.contains('/') => {
                Some(Self::Session(id))
            }
            _ => None,
        }
    }

    /// The route as the template writes it; safe to log, whatever the path was.
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

/// A method as it may be logged: an invented one may hold anything.
pub(super) fn known_method(method: &Method) -> &str {
    match *method {
        Method::GET | Method::POST | Method::PUT | Method::PATCH | Method::DELETE => {
            method.as_str()
        }
        Method::HEAD | Method::OPTIONS => method.as_str(),
        _ => "other",
    }
}
