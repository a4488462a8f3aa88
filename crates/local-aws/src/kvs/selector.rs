//! Where GetMedia starts.

use crate::aws_error::AwsError;

use super::errors;
use super::fragment_store::FragmentStore;
use super::input::Input;

/// A request's StartSelector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Selector {
    /// The fragment that is being received, or else the next one.
    Now,
    /// The oldest stored fragment.
    Earliest,
    /// The fragment after this number; a continuation token is such a number.
    After(String),
    /// The fragment that contains this server time in ms, or else the first after it.
    ServerTime(i64),
    /// The fragment that contains this producer time in ms, or else the first after it.
    ProducerTime(i64),
}

impl Selector {
    /// Reads the selector from a request.
    ///
    /// # Errors
    /// `InvalidArgumentException` when a member is missing, malformed or of another type.
    pub(super) fn read(input: &Input) -> Result<Self, AwsError> {
        let selector = input.required_object("StartSelector")?;
        let time =
            || selector.timestamp_ms("StartTimestamp")?.ok_or_else(|| missing("StartTimestamp"));
        match selector.required_text("StartSelectorType")? {
            "NOW" => Ok(Self::Now),
            "EARLIEST" => Ok(Self::Earliest),
            "FRAGMENT_NUMBER" => {
                let number = selector
                    .text("AfterFragmentNumber")?
                    .ok_or_else(|| missing("AfterFragmentNumber"))?;
                if number.is_empty()
                    || number.len() > 128
                    || !number.bytes().all(|byte| byte.is_ascii_digit())
                {
                    return Err(errors::invalid(
                        "StartSelector.AfterFragmentNumber must have 1 to 128 digits",
                    ));
                }
                Ok(Self::After(number.to_owned()))
            }
            "CONTINUATION_TOKEN" => {
                let token = selector
                    .text("ContinuationToken")?
                    .ok_or_else(|| missing("ContinuationToken"))?;
                if !super::arn::name_is_valid(token) || token.len() > 128 {
                    return Err(errors::invalid(
                        "StartSelector.ContinuationToken must have 1 to 128 characters of \
                         a-z, A-Z, 0-9, '_', '.' and '-'",
                    ));
                }
                Ok(Self::After(token.to_owned()))
            }
            "SERVER_TIMESTAMP" => Ok(Self::ServerTime(time()?)),
            "PRODUCER_TIMESTAMP" => Ok(Self::ProducerTime(time()?)),
            _ => Err(errors::invalid(
                "StartSelector.StartSelectorType must be FRAGMENT_NUMBER, SERVER_TIMESTAMP, \
                 PRODUCER_TIMESTAMP, NOW, EARLIEST or CONTINUATION_TOKEN",
            )),
        }
    }

    /// Returns the sequence after which reading starts, or `None` if the requested fragment does
    /// not exist (error 4000).
    pub(super) fn resolve(&self, store: &FragmentStore, now_ms: i64) -> Option<u64> {
        match self {
            Self::Now => Some(store.before_first(now_ms, |_| false)),
            Self::Earliest => Some(store.before_first(now_ms, |_| true)),
            Self::After(number) => store.sequence_of(number, now_ms),
            Self::ServerTime(at) => Some(store.before_first(now_ms, |fragment| {
                fragment.head.server_time.ms() + fragment.duration_ms.max(1) > *at
            })),
            Self::ProducerTime(at) => Some(store.before_first(now_ms, |fragment| {
                fragment.head.producer_ms + fragment.duration_ms.max(1) > *at
            })),
        }
    }
}

fn missing(member: &str) -> AwsError {
    errors::invalid(format!("StartSelector.{member} is required with this StartSelectorType"))
}
