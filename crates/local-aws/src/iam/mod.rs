//! IAM, as far as the functions meet it: a call that a function makes is answered only if the
//! template's role of that function allows it.
//!
//! A function signs with an access key of its own, so each call says which role it comes from;
//! any other key (tests, the AWS CLI) is the machine's owner's and allows everything.
//!
//! - `required_actions`: the actions and resources that a call needs.
//! - `policy`: whether a role's statements allow them.
//! - `denied`: the refusal, in each service's own form.
//! - `calls`: what was called, for the comparison with what is allowed.
//!
//! Not played: conditions (an Allow under one allows nothing), boundaries, managed policies, and
//! the policies of resources except queues (`sqs`).

mod action;
mod calls;
mod denied;
mod policy;
mod required_actions;
mod service;

pub use denied::Denied;
pub use policy::Permission;
pub use service::{Iam, access_key, permissions};
