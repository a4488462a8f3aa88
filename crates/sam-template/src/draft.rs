//! The template while it is read, with references to resources that are read later.

use std::collections::BTreeMap;

use super::definition::Definition;
use super::throttle::RouteSettings;
use super::{JwtAuthorizer, Route, Template};

/// A template while it is read. References to resources that are read later are stored here.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) template: Template,
    pub(super) routes: Vec<PendingRoute>,
    pub(super) authorizers: BTreeMap<String, Authorizers>,
}

/// A route of a function's event. Its authorizer is resolved when its API is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PendingRoute {
    pub(super) api: Option<String>,
    pub(super) route: Route,
    pub(super) place: String,
    pub(super) authorizer: Option<String>,
    pub(super) scopes: Vec<String>,
}

/// An API's authorizers and limits, until its routes are added.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Authorizers {
    pub(super) by_name: BTreeMap<String, JwtAuthorizer>,
    pub(super) default: Option<String>,
    pub(super) definition: Definition,
    pub(super) settings: RouteSettings,
}
