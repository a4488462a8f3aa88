//! The outputs of a [`crate::Stream`].

use crate::{Content, FragmentNumber, ResumePoint};

/// One output, in stream order. Borrowed samples are valid until the next call.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Output<'a> {
    /// A fragment began. Precedes the fragment's first `Pcm`; for the first fragments of a session
    /// it is emitted at the first audio block, so that `resume_point` contains the origin.
    FragmentStarted {
        /// The fragment's number.
        number: FragmentNumber,
        /// SERVER_TIMESTAMP, ms since the epoch: the start of its ingestion by KVS.
        server_ms: Option<i64>,
        /// PRODUCER_TIMESTAMP, ms since the epoch: the producer's clock at its start.
        producer_ms: Option<i64>,
        /// State to resume at the start of this fragment.
        resume_point: ResumePoint,
    },
    /// Audio. Consecutive `Pcm`s are adjacent unless a `Gap` is between them.
    Pcm {
        /// Position of the first sample in the session, in samples.
        start: u64,
        /// 16 kHz mono samples: at most a quarter of a second, or 120 ms of lost time and one
        /// packet (120 ms; an AAC frame 139 ms at 7350 Hz).
        samples: &'a [i16],
        /// Number of leading samples that fill lost time (FEC, PLC, silence).
        filled: u32,
        /// Producer clock at `start`, ms since the epoch (media time for recorded files).
        producer_ms: i64,
    },
    /// Lost time that is not filled because it is longer than `max_fill_ms`.
    Gap {
        /// Position of the start of the gap, in samples.
        start: u64,
        /// Its length, in samples.
        samples: u64,
    },
    /// The fragment is complete: both trailing AWS tags were received.
    FragmentCompleted {
        /// The fragment's number.
        number: FragmentNumber,
        /// CONTINUATION_TOKEN, opaque; GetMedia continues after this fragment with it.
        continuation_token: String,
        /// MILLIS_BEHIND_NOW: the reader's lag behind the newest fragment, ms.
        millis_behind_now: Option<u64>,
        /// Time covered by the fragment's audio, ms; 0 without audio.
        duration_ms: u64,
        /// Its audio.
        audio: FragmentAudio,
    },
    /// A fragment that was read before (or precedes the resume point) was received again; it is
    /// skipped.
    FragmentRepeated {
        /// The fragment's number.
        number: FragmentNumber,
    },
    /// The fragment is of another session, according to its `sessionId` tag; it is skipped.
    FragmentForeign {
        /// The fragment's number.
        number: FragmentNumber,
        /// The fragment's session.
        session_id: String,
    },
    /// The fragment declares more audio than its own stamps and KVS's limit of 20 s allow; the
    /// excess is not decoded. Emitted once per fragment.
    FragmentExceeded {
        /// The fragment's number.
        number: FragmentNumber,
    },
    /// KVS ended the body with an error: 3002, 4000 (fragment not found), 45xx (KMS), 5000.
    ErrorTag {
        /// AWS_KINESISVIDEO_ERROR_ID.
        id: u32,
        /// AWS_KINESISVIDEO_ERROR_CODE, if present.
        code: Option<String>,
    },
    /// The stream contains audio that cannot be decoded: its time will be lost. Emitted once per
    /// change.
    UnsupportedCodec {
        /// The track's CodecID.
        codec_id: String,
        /// Why it is not decoded.
        reason: &'static str,
    },
    /// The audio is only partly decoded. Emitted once per change.
    ReducedCodec {
        /// The track's CodecID.
        codec_id: String,
        /// The part that is not decoded.
        reason: &'static str,
    },
    /// Damage: the parser searched for the next document and continues there.
    Skipped {
        /// Skipped bytes.
        bytes: u64,
        /// The damaged fragment; request it again if its audio is needed.
        incomplete: Option<FragmentNumber>,
    },
}

/// The audio of a completed fragment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FragmentAudio {
    /// Fingerprint of the audio; `None` without audio, or if all of it was sent before. A run that
    /// resumes after the fragment needs it to detect the fragment if the producer sends it again.
    pub content: Option<Content>,
    /// Samples of it that were sent before with another fragment number.
    pub repeated_samples: u64,
    /// Samples not decoded because the fragment claimed more audio than it can contain.
    pub excess_samples: u64,
}

/// The end of a body.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tail {
    /// The body ended inside a document: after its EBML header and before its trailing AWS tags (in
    /// a recorded file: inside an element).
    pub cut: bool,
    /// The truncated fragment, if its number was received.
    pub incomplete: Option<FragmentNumber>,
    /// Bytes of the incomplete document, from its EBML header to the end of the body; or bytes
    /// after damage in which no document was found.
    pub bytes: u64,
}
