//! IAM for the calls of functions: a call is answered only if the function's role in the template
//! allows it.
//!
//! Each function signs with its own access key, which identifies its role. Any other key (tests,
//! the AWS CLI) may make every call.
//!
//! - `required_actions`: the actions and resources that a call needs.
//! - `policy`: whether a role's statements allow them.
//! - `denied`: the error, in each service's form.
//! - `calls`: a record of the calls, for a comparison with the roles.
//! - `roles`: the API, as far as it shows the inline policies of a role.
//!
//! Not evaluated: conditions (an Allow under one allows nothing), boundaries, managed policies, and
//! the policies of resources except queues (`sqs`).

mod action;
mod calls;
mod denied;
mod policy;
mod required_actions;
pub(crate) mod roles;
mod service;

pub use denied::Denied;
pub use policy::Permission;
pub(crate) use service::access_key_of;
pub(crate) use service::{FUNCTION_SECRET, secret_of};
pub use service::{Iam, access_key, permissions};
