//! ARNs of a session's two KVS resources.
//!
//! A signaling *channel* is not a *stream*, and GetMedia accepts only a stream. Separate types make
//! confusing them a compile error instead of a session without audio.

use std::{fmt, ops::Deref, str::FromStr};

use serde::{Deserialize, Serialize};

/// The text is not an ARN of the expected kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected arn:PARTITION:kinesisvideo:REGION:ACCOUNT:{kind}/NAME/CREATED")]
pub struct ArnError {
    /// `channel` or `stream`.
    pub kind: &'static str,
}

/// KVS limits ARNs to 1024 characters (API reference, `ChannelARN` and `StreamARN`).
const MAX_LEN: usize = 1024;

/// Checks `arn:PARTITION:kinesisvideo:REGION:ACCOUNT:KIND/NAME/CREATED`, where CREATED is the
/// creation time in decimal digits (the pattern of the KVS API reference).
fn check(text: &str, kind: &'static str) -> Result<(), ArnError> {
    let well_formed = || {
        let mut parts = text.splitn(6, ':');
        let [arn, partition, service, region, account, resource] =
            std::array::from_fn(|_| parts.next().unwrap_or_default());
        let mut path = resource.split('/');
        let [found, name, created] = std::array::from_fn(|_| path.next().unwrap_or_default());
        let is_name = |part: &str| {
            (1..=256).contains(&part.len())
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
        };
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        arn == "arn"
            && is_name(partition)
            && service == "kinesisvideo"
            && is_name(region)
            && is_number(account)
            && found == kind
            && is_name(name)
            && is_number(created)
            && path.next().is_none()
    };
    if text.len() <= MAX_LEN && well_formed() { Ok(()) } else { Err(ArnError { kind }) }
}

macro_rules! arn {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Returns the ARN as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = ArnError;

            fn from_str(text: &str) -> Result<Self, ArnError> {
                check(text, $kind).map(|()| Self(text.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = ArnError;

            fn try_from(text: String) -> Result<Self, ArnError> {
                check(&text, $kind).map(|()| Self(text))
            }
        }

        impl From<$name> for String {
            fn from(arn: $name) -> Self {
                arn.0
            }
        }

        impl Deref for $name {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

arn! {
    /// ARN of a KVS signaling channel. GetMedia does not accept it.
    ChannelArn, "channel"
}

arn! {
    /// ARN of a KVS stream, from which the consumer reads.
    StreamArn, "stream"
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANNEL: &str =
        "arn:aws:kinesisvideo:us-east-1:123456789012:channel/session-a-b-1/1234567890";
    const STREAM: &str =
        "arn:aws:kinesisvideo:us-east-1:123456789012:stream/session-a-b-1/1234567890";

    #[test]
    fn a_channel_is_not_a_stream() {
        assert!(CHANNEL.parse::<ChannelArn>().is_ok());
        assert!(STREAM.parse::<StreamArn>().is_ok());
        assert_eq!(CHANNEL.parse::<StreamArn>(), Err(ArnError { kind: "stream" }));
        assert_eq!(STREAM.parse::<ChannelArn>(), Err(ArnError { kind: "channel" }));
    }

    #[test]
    fn other_texts_are_rejected() {
        let long = format!("{STREAM}{}", "0".repeat(1024));
        for text in [
            "",
            "stream",
            "arn:aws:kinesisvideo:us-east-1:123456789012:stream/session-a-b-1",
            "arn:aws:kinesisvideo:us-east-1:123456789012:stream/session-a-b-1/12/3",
            "arn:aws:kinesisvideo:us-east-1:123456789012:stream//1",
            "arn:aws:s3:us-east-1:123456789012:stream/session-a-b-1/1",
            "arn:aws:kinesisvideo:us-east-1:me:stream/session-a-b-1/1",
            "arn:aws:kinesisvideo:us-east-1:123456789012:stream/a b/1",
            long.as_str(),
        ] {
            assert!(text.parse::<StreamArn>().is_err(), "{text:?}");
        }
    }
}
