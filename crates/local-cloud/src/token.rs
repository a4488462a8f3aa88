//! `local-cloud token`: a token of the running cloud's issuer.

use clap::builder::NonEmptyStringValueParser;
use serde_json::{Value, json};

use crate::error::Error;
use crate::inspect::print;

/// Arguments of `local-cloud token`.
#[derive(Debug, clap::Args)]
pub(crate) struct TokenArgs {
    /// The subject of the token.
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    sub: String,
    /// Seconds until it expires.
    #[arg(long, default_value_t = 3600, allow_negative_numbers = true)]
    expires_in: i64,
}

/// Prints a token of the cloud at `url`.
///
/// # Errors
/// The cloud cannot be reached.
pub(crate) async fn token(args: &TokenArgs, url: &str) -> Result<(), Error> {
    crate::discovery::check(url).await?;
    let request = json!({ "sub": args.sub, "expiresIn": args.expires_in });
    let unreachable = |source| Error::Unreachable { url: url.to_owned(), source };
    let client = reqwest::Client::builder().no_proxy().build().map_err(unreachable)?;
    let answer = client.post(format!("{url}/_local/token")).json(&request).send().await;
    let answer = answer.map_err(unreachable)?;
    let answer: Value = answer.json().await.map_err(unreachable)?;
    match answer["token"].as_str() {
        Some(token) => print(token),
        None => Err(Error::Client(format!("{url} returned no token: {answer}"))),
    }
}
