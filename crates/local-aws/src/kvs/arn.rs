//! ARNs and names of streams and channels:
//! `arn:aws:kinesisvideo:REGION:ACCOUNT:stream|channel/NAME/CREATION_MILLIS`.

use crate::aws_error::AwsError;
use sam_template::Account;

use super::errors;

/// The type of resource that an ARN names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Stream,
    Channel,
}

impl Kind {
    /// The word in the ARN.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::Channel => "channel",
        }
    }
}

/// The ARN of a resource that was created at `created_ms`.
pub(super) fn arn(account: &Account, kind: Kind, name: &str, created_ms: i64) -> String {
    account.arn("kinesisvideo", &format!("{}/{name}/{created_ms}", kind.word()))
}

/// The name inside an ARN of the wanted kind. The caller compares it with the resource's own ARN,
/// to find whether the resource still exists.
///
/// # Errors
/// `InvalidArgumentException` when it is no Kinesis Video ARN or has the other type: AWS rejects a
/// channel's ARN in place of a stream's.
pub(super) fn name_in<'a>(arn: &'a str, wanted: Kind, member: &str) -> Result<&'a str, AwsError> {
    let malformed = || {
        errors::invalid(format!(
            "{member} {arn:?} is not the ARN of a {}: \
             arn:aws:kinesisvideo:REGION:ACCOUNT:{}/NAME/CREATION_MILLIS",
            wanted.word(),
            wanted.word()
        ))
    };
    let mut parts = arn.splitn(6, ':');
    let head: Vec<&str> = parts.by_ref().take(5).collect();
    let resource = parts.next().ok_or_else(malformed)?;
    if head.len() != 5 || head[0] != "arn" || head[2] != "kinesisvideo" {
        return Err(malformed());
    }
    let mut pieces = resource.split('/');
    match (pieces.next(), pieces.next(), pieces.next(), pieces.next()) {
        (Some(kind), Some(name), Some(created), None)
            if kind == wanted.word()
                && name_is_valid(name)
                && !created.is_empty()
                && created.bytes().all(|b| b.is_ascii_digit()) =>
        {
            Ok(name)
        }
        _ => Err(malformed()),
    }
}

/// Whether a name has 1 to 256 characters of `[a-zA-Z0-9_.-]`.
pub(super) fn name_is_valid(name: &str) -> bool {
    (1..=256).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_is_made_and_read_back() {
        let arn = arn(&Account::default(), Kind::Stream, "session-a-b-1", 1_700_000_000_123);
        assert_eq!(
            arn,
            "arn:aws:kinesisvideo:us-east-1:000000000000:stream/session-a-b-1/1700000000123"
        );
        assert_eq!(name_in(&arn, Kind::Stream, "StreamARN").unwrap(), "session-a-b-1");
    }

    #[test]
    fn the_other_kind_and_garbage_are_refused() {
        let channel = arn(&Account::default(), Kind::Channel, "x", 1);
        for wrong in [
            channel.as_str(),
            "x",
            "arn:aws:sqs:r:1:stream/x/1",
            "arn:aws:kinesisvideo:r:1:stream/x",
        ] {
            let error = name_in(wrong, Kind::Stream, "StreamARN").unwrap_err();
            assert_eq!(error.code, "InvalidArgumentException");
            assert!(error.message.starts_with("StreamARN"));
        }
    }
}
