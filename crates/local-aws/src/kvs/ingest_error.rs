//! Why PutMedia ends with an ERROR acknowledgement. Ids and codes are those of the PutMedia page of
//! the API reference ("PutMedia error codes").

use ebml::InvalidElement;

/// A rule of PutMedia that a producer's bytes break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum IngestError {
    /// The connection broke or ended inside a fragment.
    #[error("the stream ended inside a fragment")]
    StreamRead,
    /// More than 50 MB.
    #[error("a fragment is larger than 50 MB")]
    FragmentSize,
    /// More than 20 s.
    #[error("a fragment is longer than 20 s")]
    FragmentDuration,
    /// A Cluster's Timecode is not after every frame that this connection sent before. AWS
    /// refuses an equal time, too (amazon-kinesis-video-streams-producer-sdk-cpp, issue 709).
    #[error("a fragment does not start after the last frame of the one before it")]
    TimecodeLesserThanPrevious,
    /// More than three tracks.
    #[error("there are more than three tracks")]
    TooManyTracks,
    /// Not Matroska, or not in a form that PutMedia accepts.
    #[error("{0}")]
    InvalidMkv(&'static str),
    /// The stream was deleted.
    #[error("the stream is not active any more")]
    StreamNotActive,
    /// A block of a track that Tracks does not name.
    #[error("a block belongs to a track that is not declared")]
    TrackNumberMismatch,
    /// A declared track without a frame.
    #[error("a declared track has no frame in a fragment")]
    FramesMissing,
    /// The store is full: a limit of this emulator, reported as AWS reports an internal failure.
    #[error("the stream holds as much as this fake keeps of one stream")]
    Archival,
    /// An injected fault.
    #[error("a fault on demand")]
    OnDemand(u32),
}

impl From<InvalidElement> for IngestError {
    fn from(InvalidElement(reason): InvalidElement) -> Self {
        Self::InvalidMkv(reason)
    }
}

impl IngestError {
    /// Returns the id and code on the wire.
    pub(super) fn id_and_code(self) -> (u32, &'static str) {
        match self {
            Self::StreamRead => (4000, "STREAM_READ_ERROR"),
            Self::FragmentSize => (4001, "MAX_FRAGMENT_SIZE_REACHED"),
            Self::FragmentDuration => (4002, "MAX_FRAGMENT_DURATION_REACHED"),
            Self::TimecodeLesserThanPrevious => (4004, "FRAGMENT_TIMECODE_LESSER_THAN_PREVIOUS"),
            Self::TooManyTracks => (4005, "MORE_THAN_ALLOWED_TRACKS_FOUND"),
            Self::InvalidMkv(_) => (4006, "INVALID_MKV_DATA"),
            Self::StreamNotActive => (4008, "STREAM_NOT_ACTIVE"),
            Self::TrackNumberMismatch => (4010, "TRACK_NUMBER_MISMATCH"),
            Self::FramesMissing => (4011, "FRAMES_MISSING_FOR_TRACK"),
            Self::Archival => (5001, "ARCHIVAL_ERROR"),
            Self::OnDemand(id) => (id, "INTERNAL_ERROR"),
        }
    }
}
