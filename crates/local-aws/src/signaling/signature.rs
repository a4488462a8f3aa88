//! SigV4 signatures in the query of a WebSocket's URL, as AWS's signers make them.
//!
//! Facts: AWS's "Signature Version 4 signing process", and the signer of AWS's JavaScript package:
//! GET, the path as written, the sorted query without `X-Amz-Signature`, the host with its port, an
//! empty payload, `X-Amz-Expires=299`. The times are real ones, because the client signs with the
//! real clock.

use aws_lc_rs::{digest, hmac};
use http::StatusCode;
use http::request::Parts;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::aws_error::AwsError;
use crate::wire::query_pairs;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const SERVICE: &str = "kinesisvideo";
/// How far the client's clock may be ahead of this one.
const SKEW_S: i64 = 5 * 60;
/// The longest validity of a signed URL.
const MAX_EXPIRES_S: i64 = 7 * 24 * 3600;
/// All bytes but those that SigV4 leaves as they are.
const ENCODED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The signature of a request, with the parts that it covers.
#[derive(Debug)]
pub(super) struct Signature {
    key: String,
    date: String,
    region: String,
    /// `X-Amz-Date`.
    stamp: String,
    expires_s: i64,
    signature: String,
    canonical_request: String,
}

impl Signature {
    /// Reads the signature of a request.
    ///
    /// # Errors
    /// A part is missing or malformed.
    pub(super) fn of(head: &Parts) -> Result<Self, AwsError> {
        let pairs = query_pairs(head.uri.query().unwrap_or_default());
        let value = |name: &str| {
            let found = pairs.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.clone()).ok_or_else(|| incomplete(name))
        };
        if value("X-Amz-Algorithm")? != ALGORITHM {
            return Err(incomplete("X-Amz-Algorithm"));
        }
        let credential = value("X-Amz-Credential")?;
        let scope: Vec<&str> = credential.split('/').collect();
        let [key, date, region, SERVICE, "aws4_request"] = scope[..] else {
            return Err(invalid(format!(
                "Credential should be scoped to KEY/YYYYMMDD/REGION/{SERVICE}/aws4_request"
            )));
        };
        let expires_s = value("X-Amz-Expires")?.parse().ok();
        let expires_s = expires_s.filter(|seconds| (1..=MAX_EXPIRES_S).contains(seconds));
        let headers = canonical_headers(head, &value("X-Amz-SignedHeaders")?)?;
        let canonical_request = format!(
            "GET\n{}\n{}\n{headers}\n{}\n{}",
            head.uri.path(),
            canonical_query(&pairs),
            value("X-Amz-SignedHeaders")?,
            sha256(b""),
        );
        Ok(Self {
            key: key.to_owned(),
            date: date.to_owned(),
            region: region.to_owned(),
            stamp: value("X-Amz-Date")?,
            expires_s: expires_s.ok_or_else(|| incomplete("X-Amz-Expires"))?,
            signature: value("X-Amz-Signature")?,
            canonical_request,
        })
    }

    /// Returns the access key.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// Checks the signature for a service in `region` at `now_s`, in seconds since the epoch.
    /// Without the key's `secret`, all but the signature's value is checked.
    ///
    /// # Errors
    /// The signature has expired, is for another region, or was made with another secret or for
    /// another request.
    pub(super) fn verify(
        &self,
        region: &str,
        secret: Option<&str>,
        now_s: i64,
    ) -> Result<(), AwsError> {
        if self.region != region {
            return Err(invalid(format!("Credential should be scoped to region '{region}'")));
        }
        let signed_s = seconds_of(&self.stamp).ok_or_else(|| incomplete("X-Amz-Date"))?;
        if !self.stamp.starts_with(&self.date) {
            return Err(invalid("The dates of X-Amz-Credential and X-Amz-Date differ".to_owned()));
        }
        if signed_s > now_s + SKEW_S {
            return Err(invalid(format!("Signature not yet current: {}", self.stamp)));
        }
        if now_s >= signed_s + self.expires_s {
            let (stamp, expires_s) = (&self.stamp, self.expires_s);
            return Err(invalid(format!("Signature expired: {stamp} was valid for {expires_s} s")));
        }
        match secret {
            Some(secret) if self.expected(secret) != self.signature => Err(invalid(
                "The request signature we calculated does not match the signature you provided"
                    .to_owned(),
            )),
            _ => Ok(()),
        }
    }

    /// Returns the signature that `secret` gives.
    fn expected(&self, secret: &str) -> String {
        let scope = format!("{}/{}/{SERVICE}/aws4_request", self.date, self.region);
        let hash = sha256(self.canonical_request.as_bytes());
        let to_sign = format!("{ALGORITHM}\n{}\n{scope}\n{hash}", self.stamp);
        let parts = [&self.date, &self.region, SERVICE, "aws4_request", &to_sign];
        let secret = format!("AWS4{secret}").into_bytes();
        hex(&parts.iter().fold(secret, |key, part| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
            hmac::sign(&key, part.as_bytes()).as_ref().to_vec()
        }))
    }
}

/// Returns `name:value\n` for each signed header.
fn canonical_headers(head: &Parts, signed: &str) -> Result<String, AwsError> {
    let names: Vec<&str> = signed.split(';').collect();
    if !names.contains(&"host") {
        return Err(incomplete("X-Amz-SignedHeaders"));
    }
    let line = |name: &&str| {
        let value = head.headers.get(*name).and_then(|value| value.to_str().ok());
        let value = value.ok_or_else(|| invalid(format!("The signed header {name} is missing")))?;
        Ok(format!("{name}:{}\n", value.trim()))
    };
    names.iter().map(line).collect()
}

fn canonical_query(pairs: &[(String, String)]) -> String {
    let encoded = |text: &str| utf8_percent_encode(text, &ENCODED).to_string();
    let signed = pairs.iter().filter(|(name, _)| name != "X-Amz-Signature");
    let mut pairs: Vec<_> = signed.map(|(name, value)| (encoded(name), encoded(value))).collect();
    pairs.sort();
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

/// Returns the Unix time of `YYYYMMDDTHHMMSSZ`.
fn seconds_of(stamp: &str) -> Option<i64> {
    let is_stamp = stamp.len() == 16
        && stamp.bytes().enumerate().all(|(at, byte)| match at {
            8 => byte == b'T',
            15 => byte == b'Z',
            _ => byte.is_ascii_digit(),
        });
    let number = |at: std::ops::Range<usize>| stamp.get(at)?.parse::<u8>().ok();
    let year = is_stamp.then(|| stamp[..4].parse().ok())??;
    let month = time::Month::try_from(number(4..6)?).ok()?;
    let date = time::Date::from_calendar_date(year, month, number(6..8)?).ok()?;
    let at = date.with_hms(number(9..11)?, number(11..13)?, number(13..15)?).ok()?;
    Some(at.assume_utc().unix_timestamp())
}

fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn incomplete(part: &str) -> AwsError {
    let message = format!("The query must have a valid {part}");
    AwsError::new(StatusCode::FORBIDDEN, "IncompleteSignatureException", message)
}

fn invalid(message: String) -> AwsError {
    AwsError::new(StatusCode::FORBIDDEN, "InvalidSignatureException", message)
}

#[cfg(test)]
mod tests;
