//! `local-cloud permissions`: the permissions of a template's functions.

use std::path::PathBuf;

use serde_json::json;

use crate::cli::DEFAULT_URL;
use crate::error::Error;
use crate::inspect::{print, until_closed};
use crate::parameter::name_and_value;
use crate::run::TEMPLATE;
use local_aws::Options;

/// Arguments of `local-cloud permissions`.
#[derive(Debug, clap::Args)]
pub(crate) struct PermissionsArgs {
    /// The template to read, with the parameters of `up`.
    #[arg(long, default_value = TEMPLATE)]
    template: PathBuf,
    /// The value of a template parameter.
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = name_and_value)]
    parameters: Vec<(String, String)>,
}

/// Prints the permissions as JSON lines.
///
/// # Errors
/// The template cannot be read.
pub(crate) fn permissions(args: PermissionsArgs) -> Result<(), Error> {
    let parameters = args.parameters.into_iter().collect();
    let options = Options { template: Some(args.template), parameters, ..Options::default() };
    let template = local_aws::load_template(&options, DEFAULT_URL)?;
    for permission in local_aws::iam::permissions(&template) {
        if let Err(error) = print(&json!(permission).to_string()) {
            return until_closed(Err(error));
        }
    }
    Ok(())
}
