//! What a stream has seen so far, for logs and metrics.

/// Running totals of one [`crate::Stream`] since it was made; none of them ever falls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Documents that came to their end: GetMedia fragments whose trailing AWS tags arrived, and
    /// recorded files read to the end.
    pub fragments: u64,
    /// Fragments that were cut or damaged before their trailing tags.
    pub incomplete_fragments: u64,
    /// Fragments passed over because all of their audio had been emitted before.
    pub repeated_fragments: u64,
    /// Fragments refused because they name another session.
    pub foreign_fragments: u64,
    /// Packets of the audio track that were decoded (or concealed, when damaged).
    pub packets: u64,
    /// Packets of fragments that are read again (same number), passed over without decoding.
    pub repeated_packets: u64,
    /// Samples emitted, fill included.
    pub samples: u64,
    /// Samples emitted that stand for lost time or damaged packets: FEC, PLC or silence.
    pub filled_samples: u64,
    /// Samples never emitted because the gap was longer than `max_fill_ms`.
    pub gap_samples: u64,
    /// Blocks not decoded: those of other tracks and other sessions, and audio without a decoder.
    pub skipped_blocks: u64,
    /// Packets that were damaged, or none of the track's codec.
    pub decode_errors: u64,
    /// Bytes passed over while looking for the next document after damage.
    pub skipped_bytes: u64,
    /// Times that damage made the parser look for the next document.
    pub resyncs: u64,
    /// Samples that were not decoded because the same packets had been sent before, under another
    /// fragment number.
    pub repeated_samples: u64,
    /// Samples that were not decoded because a fragment claimed more audio than it can hold.
    pub excess_samples: u64,
    /// Times the timeline was tied to the producer's clock anew (producer restart, clock jump).
    pub reanchors: u64,
    /// Packets that waited for the stamps behind them and then went in line.
    pub outlying_packets: u64,
    /// Error tags seen (`AWS_KINESISVIDEO_ERROR_ID`).
    pub error_tags: u64,
    /// Changes to a codec that is not decoded.
    pub unsupported_codecs: u64,
    /// Changes to a codec that is decoded in part (HE-AAC: its core).
    pub reduced_codecs: u64,
}
