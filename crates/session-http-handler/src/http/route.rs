//! The table of routes, and the route of a request.

use lambda_http::{Request, RequestExt, http::Method, request::RequestContext};

/// The path parameter of a session.
const SESSION_ID: &str = "{sessionId}";

/// A route of the API; one row of [`ROUTES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) method: &'static str,
    /// The path as written in the template.
    pub(super) path: &'static str,
    pub(super) access: Access,
    pub(super) operation: Operation,
}

/// The clients that may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// All clients.
    Public,
    /// Speakers, identified by a valid token.
    Speaker,
    /// All clients, or speakers only if `PUBLIC_SESSION_VIEW` is `false`.
    SessionView,
}

/// The action of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    CreateSession,
    GetSession,
    ChangeSession,
    EndSession,
    Health,
}

impl Operation {
    /// Returns its name in traces.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::CreateSession => "create session",
            Self::GetSession => "get session",
            Self::ChangeSession => "change session",
            Self::EndSession => "end session",
            Self::Health => "health",
        }
    }
}

/// The table: every route of the API. Routing derives from it; the tests compare it with
/// `docs/openapi.yaml` and `infra/template.yaml`.
#[rustfmt::skip]
pub(super) const ROUTES: [Route; 5] = [
    route("POST", "/sessions", Access::Speaker, Operation::CreateSession),
    route("GET", "/sessions/{sessionId}", Access::SessionView, Operation::GetSession),
    route("PATCH", "/sessions/{sessionId}", Access::Speaker, Operation::ChangeSession),
    route("DELETE", "/sessions/{sessionId}", Access::Speaker, Operation::EndSession),
    route("GET", "/health", Access::Public, Operation::Health),
];

const fn route(
    method: &'static str,
    path: &'static str,
    access: Access,
    operation: Operation,
) -> Route {
    Route { method, path, access, operation }
}

/// A path of the table, matched by a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target<'a> {
    /// The path as written in the table. Safe to log, because it contains no client input.
    pub(super) path: &'static str,
    /// The value of `{sessionId}`, not validated; empty if the path has no parameter.
    pub(super) session_id: &'a str,
}

impl<'a> Target<'a> {
    /// Returns the request's target, based on the route that API Gateway has matched, because the
    /// path also contains the stage name or the base path of a custom domain. Uses the path if the
    /// matched route is not in the table (`$default`, as `cargo lambda watch` sends it, or a proxy
    /// route).
    pub(super) fn of(request: &'a Request) -> Option<Self> {
        let matched = matched_path(request);
        let Some(path) = ROUTES.iter().map(|it| it.path).find(|path| matched == Some(path)) else {
            return Self::of_path(request.uri().path());
        };
        let session_id = match path.contains(SESSION_ID) {
            true => request.path_parameters_ref()?.first("sessionId")?,
            false => "",
        };
        Some(Self { path, session_id })
    }

    /// Returns the target of a path without stage name or base path.
    pub(super) fn of_path(path: &'a str) -> Option<Self> {
        ROUTES.iter().find_map(|route| {
            let session_id = match route.path.split_once(SESSION_ID) {
                None => (path == route.path).then_some(""),
                Some((before, after)) => path
                    .strip_prefix(before)
                    .and_then(|rest| rest.strip_suffix(after))
                    .filter(|id| !id.is_empty() && !id.contains('/')),
            };
            session_id.map(|session_id| Self { path: route.path, session_id })
        })
    }

    /// Returns the route of a method, if the path has it.
    pub(super) fn route(self, method: &Method) -> Option<&'static Route> {
        self.routes().find(|route| route.method == method.as_str())
    }

    /// Returns the methods of the path, as for the header `Allow`.
    pub(super) fn methods(self) -> String {
        self.routes().map(|route| route.method).collect::<Vec<_>>().join(", ")
    }

    fn routes(self) -> impl Iterator<Item = &'static Route> {
        const { &ROUTES }.iter().filter(move |route| route.path == self.path)
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
