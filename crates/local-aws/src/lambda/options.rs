//! The settings of the Lambda service.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sam_template::Function;

use crate::cloudwatch::Metrics;
use crate::iam::Iam;
use crate::recogniser::Recogniser;
use crate::xray::Daemons;

/// How the machine runs functions.
#[derive(Debug, Clone)]
pub struct LambdaOptions {
    /// The folder with the function binaries.
    pub binaries: PathBuf,
    /// Programs to run in place of binaries, by package.
    pub programs: BTreeMap<String, PathBuf>,
    /// The folder for the functions' logs, one file each.
    pub logs: PathBuf,
    /// Whether logs are also written to this process's stderr.
    pub verbose: bool,
    /// Environment variables of every function, beside its own.
    pub environment: BTreeMap<String, String>,
    /// The permissions of the functions.
    pub iam: Arc<Iam>,
    /// X-Ray, and the daemons of the functions.
    pub xray: Daemons,
    /// What gets the audio that the processor accepts.
    pub recogniser: Option<Recogniser>,
    /// What gets the metrics of the service, and those in the functions' logs.
    pub metrics: Metrics,
}

impl LambdaOptions {
    /// Returns the path of a function's program, whether or not the file exists.
    pub(super) fn binary(&self, function: &Function) -> PathBuf {
        let own = self.program(function).map(Path::to_path_buf);
        own.unwrap_or_else(|| self.binaries.join(&function.package))
    }

    /// Returns the program that replaces the function's binary, if there is one.
    pub(super) fn program(&self, function: &Function) -> Option<&Path> {
        self.programs.get(&function.package).map(PathBuf::as_path)
    }
}
