//! An IAM action on a resource, as a call needs it.

/// One action on one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RequiredAction {
    /// For example `dynamodb:GetItem`.
    pub(crate) action: String,
    /// An ARN, or `*` if the action has no resource or the call names none.
    pub(crate) resource: String,
}

impl RequiredAction {
    pub(crate) fn new(service: &str, action: &str, resource: impl Into<String>) -> Self {
        Self { action: format!("{service}:{action}"), resource: resource.into() }
    }
}
