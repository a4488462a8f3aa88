//! The tables: what their items look like, and the writes that keep promises.

mod attributes;
pub(crate) mod sessions;
pub(crate) mod streams;

use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use relay::StoreError;

pub(crate) use attributes::{Item, from_json, to_json};

/// Error codes after which the same call cannot succeed.
const PERMANENT: [&str; 4] = [
    "ValidationException",
    "AccessDeniedException",
    "UnrecognizedClientException",
    "ItemCollectionSizeLimitExceededException",
];

/// Says what a call failed with, in our words.
pub(crate) fn store_error<E, R>(error: SdkError<E, R>) -> StoreError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    let code = error.code().unwrap_or_default();
    let retryable = !PERMANENT.contains(&code);
    StoreError { message: format!("{}", DisplayErrorContext(&error)), retryable }
}
