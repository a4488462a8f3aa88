//! The inputs of [`Template::load`](super::Template::load) in addition to the template's text.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::account::Account;

/// The inputs in addition to the template's text.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// The account and region of the deployment.
    pub account: Account,
    /// The address of this cloud, for queue URLs and API endpoints.
    pub base_url: String,
    /// The folder of the template, which holds the files of its `AWS::Include`. `None`: a template
    /// that includes a file is an error.
    pub folder: Option<PathBuf>,
    /// Values of parameters, which override the template's defaults. Each must be a parameter.
    pub parameters: BTreeMap<String, String>,
    /// Values that replace a default here, if the template has the parameter.
    pub stand_ins: BTreeMap<String, String>,
    /// Values for parameters that otherwise have no value.
    pub fallbacks: BTreeMap<String, String>,
}
