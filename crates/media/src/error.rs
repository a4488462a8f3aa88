//! The errors of this crate.

/// Reasons to reject a value or a codec. A retry with the same input fails again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A fragment number that is not 1 to 128 decimal digits (API model: `[0-9]+`, at most 128).
    #[error("not a fragment number: expected 1 to 128 decimal digits, found {found:?}")]
    FragmentNumber {
        /// The text found, cut to 32 characters.
        found: String,
    },
    /// A text that is not the result of [`crate::ResumePoint::to_text`].
    #[error("not a resume point: {reason}")]
    ResumePoint {
        /// The invalid part of the text.
        reason: &'static str,
    },
    /// A text that is not the result of [`crate::Content::to_text`].
    #[error("not the content of a fragment: {reason}")]
    Content {
        /// The invalid part of the text.
        reason: &'static str,
    },
    /// A codec, or a form of it, that is not decoded.
    #[error("cannot decode {codec_id}: {reason}")]
    UnsupportedCodec {
        /// The track's `CodecID`.
        codec_id: String,
        /// Why it is not decoded.
        reason: &'static str,
    },
    /// The codec's library could not create a decoder.
    #[error("the decoder could not be created: {reason}")]
    Decoder {
        /// The library's message.
        reason: String,
    },
}
