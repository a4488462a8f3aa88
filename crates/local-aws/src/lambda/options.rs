//! The settings of the Lambda service.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use sam_template::Function;

use crate::iam::Iam;

/// How the machine runs functions.
#[derive(Debug, Clone)]
pub struct LambdaOptions {
    /// The folder with the function binaries.
    pub binaries: PathBuf,
    /// The folder for the functions' logs, one file each.
    pub logs: PathBuf,
    /// Whether logs are also written to this process's stderr.
    pub verbose: bool,
    /// Environment variables of every function, beside its own.
    pub environment: BTreeMap<String, String>,
    /// The permissions of the functions.
    pub iam: Arc<Iam>,
}

impl LambdaOptions {
    /// Returns the path of a function's binary, whether or not the file exists.
    pub(super) fn binary(&self, function: &Function) -> PathBuf {
        self.binaries.join(&function.package)
    }
}
