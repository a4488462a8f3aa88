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

use std::error::Error as StdError;
use std::time::Duration;

use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_lambda::config::http::HttpResponse;
use aws_sdk_lambda::config::{ProvideCredentials as _, SharedCredentialsProvider};
use aws_sdk_lambda::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_http_client::{Builder, tls};
use aws_types::os_shim_internal::{Env, Fs};
use http::Uri;

pub(crate) use logs::{LogEvent, LogQuery};
pub(crate) use queues::{BATCH, Counts, Letter, Queue};
pub(crate) use tables::Items;

use crate::cli::Connection;
use crate::error::Error;
use crate::output;

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
    /// [`Error::NoRegion`], [`Error::NoProfile`], [`Error::Profile`], or [`Error::Usage`] about the
    /// endpoint.
    pub(crate) async fn load(connection: &Connection) -> Result<Self, Error> {
        let mut variables = std::env::vars_os();
        if variables.any(|(name, value)| is_endpoint(&name.to_string_lossy()) && value.is_empty()) {
            return Err(Error::Usage("a variable AWS_ENDPOINT_URL is empty: unset it"));
        }
        let selected = connection.profile.clone().or_else(|| std::env::var("AWS_PROFILE").ok());
        if let Some(name) = selected.filter(|name| !name.is_empty()) {
            exists(&name).await?;
        }
        let ring = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring);
        let http = Builder::new().tls_provider(ring).build_https();
        let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .http_client(http.clone())
            .timeout_config(within(connection.timeout));
        if let Some(profile) = &connection.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(region) = &connection.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(url) = &connection.endpoint_url {
            loader = loader.endpoint_url(url);
        }
        let mut config = loader.load().await;
        if let Some(profile) = &connection.profile {
            // As with the AWS CLI, a profile that is named replaces the keys of the environment.
            let region = config.region().cloned();
            let provider = ProviderConfig::without_region().with_region(region);
            let credentials = ProfileFileCredentialsProvider::builder()
                .configure(&provider.with_http_client(http))
                .profile_name(profile);
            let credentials = credentials.build();
            if let Err(error) = credentials.provide_credentials().await {
                return Err(Error::Profile { name: profile.clone(), reason: causes(&error) });
            }
            let credentials = SharedCredentialsProvider::new(credentials);
            config = config.into_builder().credentials_provider(credentials).build();
        }
        if config.region().is_none() {
            return Err(Error::NoRegion);
        }
        if config.endpoint_url().is_some_and(|url| !is_http(url)) {
            return Err(Error::Usage(
                "the endpoint URL must begin with http:// or https:// and a host",
            ));
        }
        let shown = connection.aws_cli.then(|| connection.clone());
        Ok(Self { config, shown })
    }

    /// With `--aws-cli`, prints the request as an AWS CLI command to stderr.
    fn show(&self, operation: &str, arguments: &[(&str, &str)], input: Option<&str>) {
        if let Some(command) = self.command(operation, arguments, input) {
            output::command(&command);
        }
    }

    /// With `--aws-cli`, prints a request that may be made under a condition only, as a comment.
    fn show_conditional(&self, condition: &str, operation: &str, arguments: &[(&str, &str)]) {
        if let Some(command) = self.command(operation, arguments, None) {
            output::note(&format!("{condition}: {command}"));
        }
    }

    /// Returns the request as an AWS CLI command; `None` without `--aws-cli`.
    fn command(
        &self,
        operation: &str,
        arguments: &[(&str, &str)],
        input: Option<&str>,
    ) -> Option<String> {
        let (connection, endpoint) = (self.shown.as_ref()?, self.config.endpoint_url());
        Some(command::command(connection, endpoint, operation, arguments, input))
    }
}

/// Returns timeouts: no answer takes longer than this, with its retries.
fn within(limit: Duration) -> TimeoutConfig {
    TimeoutConfig::builder().operation_timeout(limit).build()
}

/// Returns whether a variable is an endpoint, of all services or of one.
fn is_endpoint(variable: &str) -> bool {
    variable.starts_with("AWS_ENDPOINT_URL")
}

/// Checks that a profile exists. The SDK takes other credentials in place of one that does not.
async fn exists(profile: &str) -> Result<(), Error> {
    let (fs, env) = (Fs::real(), Env::real());
    // A file that cannot be read or parsed is reported when it is used.
    match aws_config::profile::load(&fs, &env, &Default::default(), None).await {
        Ok(profiles) if profiles.get_profile(profile).is_none() => {
            Err(Error::NoProfile(profile.to_owned()))
        }
        _ => Ok(()),
    }
}

fn is_http(url: &str) -> bool {
    let uri = url.parse::<Uri>().ok();
    uri.is_some_and(|uri| matches!(uri.scheme_str(), Some("http" | "https")))
}

/// The codes of tables, functions, log groups and queues that do not exist.
const NOT_FOUND: [&str; 3] =
    ["ResourceNotFoundException", "AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"];

/// What the SDK's chain of credential providers says when none of them has any.
const NO_CREDENTIALS: &str = "no credentials found in chain";

/// Converts an error of the SDK.
fn failed<E>(operation: &str) -> impl FnOnce(SdkError<E, HttpResponse>) -> Error
where
    E: ProvideErrorMetadata + StdError + 'static,
{
    let operation = operation.to_owned();
    move |error| {
        let message = match (&error, error.code()) {
            (_, Some(code)) if NOT_FOUND.contains(&code) => format!(
                "{code}: {}: is --env the environment of the stack, and is this its account and \
                 region?",
                error.message().unwrap_or("no message")
            ),
            (_, Some(code)) => format!("{code}: {}", error.message().unwrap_or("no message")),
            (SdkError::TimeoutError(_), _) => "it did not answer within --timeout".to_owned(),
            (SdkError::ServiceError(_) | SdkError::ResponseError(_), _) => {
                let status = error.raw_response().map_or(0, |response| response.status().as_u16());
                format!("the answer with HTTP status {status} is not AWS's: check --endpoint-url")
            }
            (SdkError::DispatchFailure(_), _) if causes(&error).contains(NO_CREDENTIALS) => {
                "no credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or \
                 choose a profile that has them (--profile)"
                    .to_owned()
            }
            (SdkError::DispatchFailure(_), _) => format!(
                "{}: is the endpoint right (--endpoint-url, AWS_ENDPOINT_URL, the profile)?",
                causes(&error)
            ),
            _ => causes(&error),
        };
        Error::Aws { operation, message }
    }
}

/// Returns why there was no answer: the causes, from the outermost to the innermost.
fn causes(error: &dyn StdError) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(inner) = cause {
        text += &format!(": {inner}");
        cause = inner.source();
    }
    text
}
