//! All calls that the operator makes to AWS, as the AWS CLI would make them: the same profiles,
//! regions, credentials and endpoints.
//!
//! They stand here and not in `aws-adapters`, because no function makes them: their SDKs are not
//! compiled with the functions.

mod archive;
mod command;
mod functions;
mod logs;
mod queues;
mod tables;
mod traces;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_lambda::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_http_client::{Builder, tls};

pub(crate) use logs::{LogEvent, LogQuery};
pub(crate) use queues::{Counts, Letter, Queue};
pub(crate) use tables::Items;

use crate::cli::Connection;
use crate::error::Error;

/// The account and region that the command works on.
#[derive(Debug)]
pub(crate) struct Aws {
    config: SdkConfig,
    /// The options with which AWS CLI commands are printed; `None`: none is printed.
    shown: Option<Connection>,
}

impl Aws {
    /// Loads the configuration: options first, then the environment, then the profile.
    ///
    /// # Errors
    /// [`Error::NoRegion`].
    pub(crate) async fn load(connection: &Connection) -> Result<Self, Error> {
        let ring = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring);
        let http = Builder::new().tls_provider(ring).build_https();
        let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12()).http_client(http);
        if let Some(profile) = &connection.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(region) = &connection.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(url) = &connection.endpoint_url {
            loader = loader.endpoint_url(url);
        }
        let config = loader.load().await;
        if config.region().is_none() {
            return Err(Error::NoRegion);
        }
        // Printed as an option, because the AWS CLI v1 ignores the variable for SQS.
        let variable = std::env::var("AWS_ENDPOINT_URL").ok();
        let endpoint_url = connection.endpoint_url.clone().or(variable);
        let shown = connection.aws_cli.then(|| Connection { endpoint_url, ..connection.clone() });
        Ok(Self { config, shown })
    }

    /// With `--aws-cli`, prints the request as an AWS CLI command to stderr.
    fn show(&self, operation: &str, arguments: &[(&str, &str)], input: Option<&str>) {
        if let Some(connection) = &self.shown {
            eprintln!("{}", command::command(connection, operation, arguments, input));
        }
    }
}

/// Converts an error of the SDK.
fn failed<E, R>(operation: &str) -> impl FnOnce(SdkError<E, R>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug + 'static,
{
    let operation = operation.to_owned();
    move |error| {
        let message = match (error.code(), error.message()) {
            (Some(code), message) => format!("{code}: {}", message.unwrap_or("no message")),
            // No answer: the causes, from the outermost to the innermost.
            _ => {
                let causes =
                    std::iter::successors(Some(&error as &dyn std::error::Error), |it| it.source());
                causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
            }
        };
        Error::Aws { operation, message }
    }
}
