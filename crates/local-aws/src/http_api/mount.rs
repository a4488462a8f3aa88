//! The path under which the API is served: its stage, or the base path of a custom domain.
//!
//! As in API Gateway, neither is removed from the path that the function receives: `rawPath` and
//! `requestContext.http.path` are whole and percent-decoded
//! (<https://github.com/aws-powertools/powertools-lambda-python/issues/621>,
//! <https://github.com/middleapi/standard-server/pull/93>).

use crate::wire::percent_decoded;

/// The custom domain that maps the base path; on AWS a name of the API's owner.
const CUSTOM_DOMAIN: &str = "api.example.com";

/// The path and domain of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mount<'a> {
    /// The path that routes are matched against, still percent-encoded.
    pub(super) path: &'a str,
    /// The domain, when it is not the API's own.
    pub(super) custom_domain: Option<&'static str>,
}

impl<'a> Mount<'a> {
    /// The base path is matched first: its mapping names the stage, so the path has no stage.
    /// `None` when the path is neither under the base path nor under the stage.
    pub(super) fn of(path: &'a str, base_path: Option<&str>, stage: &str) -> Option<Self> {
        if let Some(path) = base_path.and_then(|base| under(path, base)) {
            return Some(Self { path, custom_domain: Some(CUSTOM_DOMAIN) });
        }
        let path = if stage == "$default" { path } else { under(path, stage)? };
        Some(Self { path, custom_domain: None })
    }
}

/// Returns the path after `/prefix`; `/` when there is none.
fn under<'a>(path: &'a str, prefix: &str) -> Option<&'a str> {
    let rest = path.strip_prefix('/')?.strip_prefix(prefix)?;
    match rest {
        "" => Some("/"),
        rest => rest.starts_with('/').then_some(rest),
    }
}

/// Returns the whole path as the event has it. An encoded `?` ends the path.
pub(super) fn raw_path(path: &str) -> String {
    let decoded = percent_decoded(path).unwrap_or_else(|| path.to_owned());
    decoded.split('?').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path<'a>(path: &'a str, base: Option<&str>, stage: &str) -> Option<(&'a str, bool)> {
        Mount::of(path, base, stage).map(|mount| (mount.path, mount.custom_domain.is_some()))
    }

    #[test]
    fn a_named_stage_stands_in_the_path_and_the_default_one_does_not() {
        assert_eq!(path("/health", None, "$default"), Some(("/health", false)));
        assert_eq!(path("/dev/health", None, "dev"), Some(("/health", false)));
        assert_eq!(path("/dev", None, "dev"), Some(("/", false)));
        for elsewhere in ["/health", "/devices/health", "dev/health", ""] {
            assert_eq!(path(elsewhere, None, "dev"), None, "{elsewhere}");
        }
    }

    #[test]
    fn a_base_path_stands_in_place_of_the_stage() {
        assert_eq!(path("/speech/health", Some("speech"), "dev"), Some(("/health", true)));
        assert_eq!(path("/speech/v1/health", Some("speech/v1"), "dev"), Some(("/health", true)));
        assert_eq!(path("/dev/health", Some("speech"), "dev"), Some(("/health", false)));
        assert_eq!(path("/health", Some("speech"), "$default"), Some(("/health", false)));
        assert_eq!(path("/speech/dev/health", Some("speech"), "dev"), Some(("/dev/health", true)));
    }

    #[test]
    fn the_event_gets_a_decoded_path() {
        assert_eq!(raw_path("/dev/sessions/a%20b"), "/dev/sessions/a b");
        assert_eq!(raw_path("/sessions/a%3Fb"), "/sessions/a");
        assert_eq!(raw_path("/sessions/%ff"), "/sessions/%ff");
    }
}
