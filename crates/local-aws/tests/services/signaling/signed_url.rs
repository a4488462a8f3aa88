//! A signer of WebSocket URLs.

use aws_lc_rs::{digest, hmac};

/// A URL to sign. Its defaults are those of a valid request.
#[derive(Debug, Clone)]
pub(crate) struct SignedUrl<'a> {
    /// For example `ws://127.0.0.1:7878/_signaling/master`.
    pub(crate) endpoint: &'a str,
    /// Sorted by name; they need no encoding but that of `:` and `/`.
    pub(crate) parameters: Vec<(&'a str, &'a str)>,
    pub(crate) key: &'a str,
    pub(crate) secret: &'a str,
    pub(crate) region: &'a str,
    /// How long ago it was signed.
    pub(crate) age_s: i64,
}

impl<'a> SignedUrl<'a> {
    pub(crate) fn new(endpoint: &'a str, parameters: &[(&'a str, &'a str)]) -> Self {
        let (key, secret, region) = ("test", "test", "us-east-1");
        Self { endpoint, parameters: parameters.to_vec(), key, secret, region, age_s: 0 }
    }

    pub(crate) fn sign(&self) -> String {
        let at = time::OffsetDateTime::now_utc() - time::Duration::seconds(self.age_s);
        let day = format!("{:04}{:02}{:02}", at.year(), u8::from(at.month()), at.day());
        let stamp = format!("{day}T{:02}{:02}{:02}Z", at.hour(), at.minute(), at.second());
        let scope = format!("{day}/{}/kinesisvideo/aws4_request", self.region);
        let credential = format!("{}/{scope}", self.key);
        let mut parameters = vec![("X-Amz-Algorithm", "AWS4-HMAC-SHA256")];
        parameters.extend(&self.parameters);
        parameters.extend([("X-Amz-Credential", credential.as_str()), ("X-Amz-Date", &stamp)]);
        parameters.extend([("X-Amz-Expires", "299"), ("X-Amz-SignedHeaders", "host")]);
        let encoded = |value: &str| value.replace(':', "%3A").replace('/', "%2F");
        let pairs = parameters.iter().map(|(name, value)| format!("{name}={}", encoded(value)));
        let query = pairs.collect::<Vec<_>>().join("&");

        let (host, path) = self.endpoint.split_once("://").unwrap().1.split_once('/').unwrap();
        let nothing = hex(digest::digest(&digest::SHA256, b"").as_ref());
        let request = format!("GET\n/{path}\n{query}\nhost:{host}\n\nhost\n{nothing}");
        let hash = hex(digest::digest(&digest::SHA256, request.as_bytes()).as_ref());
        let to_sign = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hash}");
        let mut key = format!("AWS4{}", self.secret).into_bytes();
        for part in [&day, self.region, "kinesisvideo", "aws4_request", &to_sign] {
            let hmac_key = hmac::Key::new(hmac::HMAC_SHA256, &key);
            key = hmac::sign(&hmac_key, part.as_bytes()).as_ref().to_vec();
        }
        format!("{}?{query}&X-Amz-Signature={}", self.endpoint, hex(&key))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
