//! The inputs of [`Template::load`](super::Template::load) beside the template's text.

use std::collections::BTreeMap;

use crate::account::Account;

/// The inputs beside the template's text.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// Where it is deployed.
    pub account: Account,
    /// The address of this cloud, for queue URLs and API endpoints.
    pub base_url: String,
    /// Values of parameters, over the template's defaults. Each must be a parameter.
    pub parameters: BTreeMap<String, String>,
    /// Values that take the place of a default here, if the template has the parameter.
    pub stand_ins: BTreeMap<String, String>,
    /// Values for parameters that have no value otherwise.
    pub fallbacks: BTreeMap<String, String>,
}
