//! Checks that a local cloud answers at a URL, before a command starts its work there.

use std::time::Duration;

use reqwest::Url;
use serde_json::Value;

use crate::error::Error;
use local_aws::INDEX_NAME;

/// Maximum time of the check.
const CHECK_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum length of an answer that an error quotes, in characters.
const QUOTED: usize = 80;

/// Parses the URL of a cloud: scheme, host and port. Paths are appended to it, so a trailing slash
/// is removed.
///
/// # Errors
/// The text is not such a URL; the error says which form is expected.
pub(crate) fn base_url(text: &str) -> Result<String, String> {
    let base = text.trim_end_matches('/');
    if base.starts_with("https://") {
        return Err("these commands do not use TLS: give the http:// URL that `local-cloud up` \
                    printed as `ready`"
            .to_owned());
    }
    let is_base = Url::parse(base).is_ok_and(|url| {
        url.scheme() == "http"
            && url.path() == "/"
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
    });
    match is_base {
        true => Ok(base.to_owned()),
        false => {
            Err("not the URL of a local cloud, which `local-cloud up` and `make up` print: for \
                      example http://127.0.0.1:7878"
                .to_owned())
        }
    }
}

/// Returns once a local cloud has answered at `url`.
///
/// # Errors
/// [`Error::Unreachable`] or [`Error::NotACloud`].
pub(crate) async fn check(url: &str) -> Result<(), Error> {
    let unreachable = |source| Error::Unreachable { url: url.to_owned(), source };
    let http = reqwest::Client::builder().no_proxy().timeout(CHECK_TIMEOUT).build();
    let answer = http.map_err(unreachable)?.get(format!("{url}/_local")).send().await;
    let answer = answer.map_err(unreachable)?;
    let status = answer.status();
    let body = answer.text().await.unwrap_or_default();
    let index: Value = serde_json::from_str(&body).unwrap_or_default();
    if index["name"] == INDEX_NAME {
        return Ok(());
    }
    let line = body.lines().next().unwrap_or_default().chars().take(QUOTED).collect::<String>();
    Err(Error::NotACloud {
        url: url.to_owned(),
        answer: format!("{status} {line}").trim().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_has_a_scheme_a_host_and_no_path() {
        assert_eq!(base_url("http://127.0.0.1:7878/").as_deref(), Ok("http://127.0.0.1:7878"));
        assert!(base_url("https://127.0.0.1:1").is_err_and(|error| error.contains("http://")));
        for wrong in [
            "nonsense",
            "",
            "127.0.0.1:7878",
            "ftp://a",
            "http://a/sessions",
            "http://a?b",
            "http://u:p@a",
        ] {
            assert!(base_url(wrong).is_err_and(|error| error.contains("make up")), "{wrong}");
        }
    }
}
