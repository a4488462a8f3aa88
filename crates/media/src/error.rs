//! Why a value handed to this crate, or a codec found in a stream, is refused.

/// Everything that can be refused. None of these is worth retrying with the same input.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A fragment number that is not 1 to 128 decimal digits (API model: `[0-9]+`, at most 128).
    #[error("not a fragment number: expected 1 to 128 decimal digits, found {found:?}")]
    FragmentNumber {
        /// What was found instead, cut to 32 characters.
        found: String,
    },
    /// A text that [`crate::Anchor::to_text`] did not write.
    #[error("not a resume anchor: {reason}")]
    Anchor {
        /// Which part of the text is wrong.
        reason: &'static str,
    },
    /// A text that [`crate::Content::to_text`] did not write.
    #[error("not the content of a fragment: {reason}")]
    Content {
        /// Which part of the text is wrong.
        reason: &'static str,
    },
    /// A codec, or a form of it, that this crate does not decode.
    #[error("cannot decode {codec_id}: {reason}")]
    UnsupportedCodec {
        /// The track's `CodecID` as written.
        codec_id: String,
        /// What about it is not supported.
        reason: &'static str,
    },
    /// libopus refused to make a decoder.
    #[error("libopus could not be set up: {reason}")]
    Decoder {
        /// libopus's own words.
        reason: String,
    },
}
