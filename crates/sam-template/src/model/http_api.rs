//! HTTP APIs and their routes.

use std::time::Duration;

/// An HTTP API with its routes.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpApi {
    /// Its name inside the template.
    pub logical_id: String,
    /// Its id, as in its host name.
    pub id: String,
    /// The stage. Default: `$default`.
    pub stage: String,
    /// Its routes, in the order of the template.
    pub routes: Vec<Route>,
    /// The CORS configuration; absent: API Gateway does not handle CORS.
    pub cors: Option<Cors>,
}

/// The CORS configuration of an HTTP API.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cors {
    /// Origins, `*`, or every origin of a scheme (`https://*`).
    pub allow_origins: Vec<String>,
    /// Methods of requests.
    pub allow_methods: Vec<String>,
    /// Headers of requests.
    pub allow_headers: Vec<String>,
    /// Headers of responses that a page may read.
    pub expose_headers: Vec<String>,
    /// How long a browser may cache the answer to a preflight, in seconds.
    pub max_age: Option<u64>,
    /// Whether credentials are allowed.
    pub allow_credentials: bool,
}

/// One route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Upper-case method, or `ANY`.
    pub method: String,
    /// The path with its parameters, for example `/sessions/{sessionId}`.
    pub path: String,
    /// The logical id of its function.
    pub function: String,
    /// The authorizer; absent: no token is required.
    pub authorizer: Option<JwtAuthorizer>,
    /// How long API Gateway waits for the function, in the cloud's time: at most 30 s.
    pub timeout: Duration,
    /// The throttling limits; absent: unlimited.
    pub throttle: Option<Throttle>,
}

/// The limits of a route, shared by all clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Throttle {
    /// Sustained requests per second (`ThrottlingRateLimit`).
    pub rate: u32,
    /// Maximum burst of requests (`ThrottlingBurstLimit`).
    pub burst: u32,
}

impl Route {
    /// Returns `METHOD /path`, the form in events and logs.
    pub fn key(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// A JWT authorizer, and the scopes that its route requires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwtAuthorizer {
    /// Its name.
    pub name: String,
    /// The required issuer.
    pub issuer: String,
    /// The accepted audiences; a token must have one of them.
    pub audience: Vec<String>,
    /// The accepted scopes; a token must have one of them. Empty: no scope is required.
    pub scopes: Vec<String>,
}
