//! The parts of AWS's wire protocols that several services read: the operation in a header, the
//! percent-encoding of paths, and the credential scope of a signature.

use http::{HeaderMap, header};
use percent_encoding::percent_decode_str;

/// Returns the operation of a JSON 1.0 or 1.1 request: the last part of `X-Amz-Target`, for example
/// `PutEvents`. Returns an empty string when the header is missing.
pub fn operation(headers: &HeaderMap) -> String {
    headers
        .get("x-amz-target")
        .and_then(|target| target.to_str().ok())
        .and_then(|target| target.rsplit('.').next())
        .unwrap_or_default()
        .to_owned()
}

/// Percent-decodes a part of a path. Keeps a `%` that two hexadecimal digits do not follow. Returns
/// `None` when the result is not UTF-8.
pub fn percent_decoded(text: &str) -> Option<String> {
    percent_decode_str(text).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

/// Returns the decoded names and values of a query, in order. One that is not UTF-8 is empty.
pub(crate) fn query_pairs(query: &str) -> Vec<(String, String)> {
    let decoded = |text: &str| percent_decoded(text).unwrap_or_default();
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect()
}

/// Returns the decoded value of a parameter of a query.
pub(crate) fn query_value(query: Option<&str>, name: &str) -> Option<String> {
    let pairs = query_pairs(query?);
    pairs.into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

/// The access key and the service of a request's signature.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Credential {
    pub(crate) key: String,
    pub(crate) service: String,
}

impl Credential {
    /// Reads `Credential=KEY/DATE/REGION/SERVICE/aws4_request` of the `Authorization` header, or
    /// `X-Amz-Credential` of a presigned URL's query. Returns `None` for an unsigned request.
    pub(crate) fn of(headers: &HeaderMap, query: Option<&str>) -> Option<Self> {
        let header = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let credential = match header {
            Some(header) if header.starts_with("AWS4-") => {
                header.split_once("Credential=")?.1.split([',', ' ']).next()?.to_owned()
            }
            Some(_) => return None,
            None => query_value(query, "X-Amz-Credential")?,
        };
        let mut parts = credential.rsplit('/');
        let service = (parts.next()? == "aws4_request").then(|| parts.next()).flatten()?.to_owned();
        let key = credential.split('/').next()?.to_owned();
        Some(Self { key, service })
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn signed(authorization: &'static str, query: Option<&str>) -> Option<(String, String)> {
        let mut headers = HeaderMap::new();
        if !authorization.is_empty() {
            headers.insert(header::AUTHORIZATION, HeaderValue::from_static(authorization));
        }
        Credential::of(&headers, query).map(|it| (it.key, it.service))
    }

    #[test]
    fn a_signature_names_its_key_and_its_service() {
        let header = "AWS4-HMAC-SHA256 Credential=AK/20260101/us-east-1/events/aws4_request, \
                      SignedHeaders=host, Signature=x";
        let pair = |service: &str| Some(("AK".to_owned(), service.to_owned()));
        assert_eq!(signed(header, None), pair("events"));
        let query = "a=1&X-Amz-Credential=AK%2F20260101%2Fus-east-1%2Fsqs%2Faws4_request";
        assert_eq!(signed("", Some(query)), pair("sqs"));
        assert_eq!(signed("Bearer x.y.z", Some(query)), None);
        assert_eq!(signed("", Some("a=1")), None);
    }

    #[test]
    fn a_query_is_read_by_name() {
        let query = Some("a=1&&b=x%2Fy%3D&c&a=2");
        assert_eq!(query_value(query, "a").as_deref(), Some("1"));
        assert_eq!(query_value(query, "b").as_deref(), Some("x/y="));
        assert_eq!(query_value(query, "c").as_deref(), Some(""));
        assert_eq!(query_value(query, "d"), None);
        assert_eq!(query_value(None, "a"), None);
    }

    #[test]
    fn percents_are_decoded_and_odd_ones_left() {
        assert_eq!(percent_decoded("a%3Ab%2").as_deref(), Some("a:b%2"));
        assert_eq!(percent_decoded("%zz").as_deref(), Some("%zz"));
        assert_eq!(percent_decoded("%ff"), None);
    }
}
