//! Totals of a stream, for logs and metrics.

/// Totals of one [`crate::Stream`] since it was created; none of them ever decreases.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Complete documents: GetMedia fragments with their trailing AWS tags, and recorded files read
    /// to the end.
    pub fragments: u64,
    /// Fragments that were truncated or damaged before their trailing tags.
    pub incomplete_fragments: u64,
    /// Fragments skipped because all of their audio was emitted before.
    pub repeated_fragments: u64,
    /// Fragments skipped because they are of another session.
    pub foreign_fragments: u64,
    /// Packets of the audio track that were decoded (or concealed, when damaged).
    pub packets: u64,
    /// Packets of fragments that are read again (same number), skipped without decoding.
    pub repeated_packets: u64,
    /// Samples emitted, including fill.
    pub samples: u64,
    /// Samples emitted for lost time or damaged packets: FEC, PLC or silence.
    pub filled_samples: u64,
    /// Samples not emitted because the gap was longer than `max_fill_ms`.
    pub gap_samples: u64,
    /// Blocks not decoded: those of other tracks and other sessions, and audio without a decoder.
    pub skipped_blocks: u64,
    /// Packets that were damaged or not of the track's codec.
    pub decode_errors: u64,
    /// Bytes skipped in the search for the next document after damage.
    pub skipped_bytes: u64,
    /// Number of searches for the next document after damage.
    pub resyncs: u64,
    /// Samples not decoded because the same packets were sent before with another fragment number.
    pub repeated_samples: u64,
    /// Samples not decoded because a fragment claimed more audio than it can contain.
    pub excess_samples: u64,
    /// Number of times the timeline was re-anchored (producer restart, clock jump).
    pub reanchors: u64,
    /// Packets that were deferred and then placed without a gap: their stamps were outliers.
    pub outlying_packets: u64,
    /// Error tags seen (`AWS_KINESISVIDEO_ERROR_ID`).
    pub error_tags: u64,
    /// Changes to a codec that is not decoded.
    pub unsupported_codecs: u64,
    /// Changes to a codec that is partly decoded (HE-AAC: its core).
    pub reduced_codecs: u64,
}
