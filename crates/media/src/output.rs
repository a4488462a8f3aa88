//! What a [`crate::Stream`] tells its owner.

use crate::{Anchor, Content, FragmentNumber};

/// One thing that happened, in stream order. Borrowed samples live until the next call.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Output<'a> {
    /// A fragment began. Comes before the fragment's first `Pcm`; for the session's very first
    /// fragments it waits for the first audio block, so that `anchor` already knows the origin.
    FragmentStarted {
        /// The fragment's number.
        number: FragmentNumber,
        /// SERVER_TIMESTAMP, ms since the epoch: when KVS began to ingest it.
        server_ms: Option<i64>,
        /// PRODUCER_TIMESTAMP, ms since the epoch: the producer's clock at its start.
        producer_ms: Option<i64>,
        /// Resumes at the start of this fragment.
        anchor: Anchor,
    },
    /// Audio. Consecutive `Pcm`s are adjacent unless a `Gap` stands between them.
    Pcm {
        /// Position of the first sample in the session, in samples.
        start: u64,
        /// 16 kHz mono samples: at most a quarter of a second, or what makes up 120 ms of lost time
        /// and one packet (120 ms, an AAC frame 139 ms at 7350 Hz).
        samples: &'a [i16],
        /// How many leading samples stand for lost time (FEC, PLC, silence).
        filled: u32,
        /// Producer clock at `start`, ms since the epoch (media time for recorded files).
        producer_ms: i64,
    },
    /// Time for which nothing is emitted because it is longer than `max_fill_ms`.
    Gap {
        /// Position at which the gap begins, in samples.
        start: u64,
        /// Its length, in samples.
        samples: u64,
    },
    /// The fragment arrived whole: both trailing AWS tags are there.
    FragmentCompleted {
        /// The fragment's number.
        number: FragmentNumber,
        /// CONTINUATION_TOKEN, opaque; GetMedia goes on after this fragment with it.
        continuation_token: String,
        /// MILLIS_BEHIND_NOW: how far the reader was behind the newest fragment, ms.
        millis_behind_now: Option<u64>,
        /// Time covered by the fragment's audio, ms; 0 without audio.
        duration_ms: u64,
        /// What its audio was.
        audio: FragmentAudio,
    },
    /// A fragment that had been read before (or lies before the anchor) arrived again; all of it is
    /// passed over, nothing of it is decoded.
    FragmentRepeated {
        /// The fragment's number.
        number: FragmentNumber,
    },
    /// The fragment is another session's: its `sessionId` tag says so. Nothing of it is decoded.
    FragmentForeign {
        /// The fragment's number.
        number: FragmentNumber,
        /// The session it names.
        session_id: String,
    },
    /// The fragment claims more audio than its own clock and KVS's limit of 20 s allow; the excess
    /// is not decoded. Comes once per fragment.
    FragmentExceeded {
        /// The fragment's number.
        number: FragmentNumber,
    },
    /// KVS ends the body by an error: 3002, 4000 (fragment not found), 45xx (KMS), 5000.
    ErrorTag {
        /// AWS_KINESISVIDEO_ERROR_ID.
        id: u32,
        /// AWS_KINESISVIDEO_ERROR_CODE, when it came along.
        code: Option<String>,
    },
    /// The stream carries audio that is not decoded: its time will be missing. Said once per
    /// change.
    UnsupportedCodec {
        /// The track's CodecID.
        codec_id: String,
        /// What about it is not supported.
        reason: &'static str,
    },
    /// The audio is decoded, but not all that the codec says of it. Said once per change.
    ReducedCodec {
        /// The track's CodecID.
        codec_id: String,
        /// What is left out.
        reason: &'static str,
    },
    /// Damage: the parser looked for the next document and goes on there.
    Skipped {
        /// Bytes passed over.
        bytes: u64,
        /// The fragment in which the damage lay: ask for it again if its audio is wanted.
        incomplete: Option<FragmentNumber>,
    },
}

/// The audio of a completed fragment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FragmentAudio {
    /// What it was, in short; `None` without audio. A run that resumes behind the fragment needs it
    /// to recognise the fragment if the producer sends it again. `None` as well if all of it was
    /// sent before.
    pub content: Option<Content>,
    /// Samples of it that had been sent before, under another fragment number.
    pub repeated_samples: u64,
    /// Samples that were not decoded because the fragment claimed more audio than it can hold.
    pub excess_samples: u64,
}

/// How a body ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tail {
    /// The body ended inside a document: after its EBML header, before its trailing AWS tags (or,
    /// in a recorded file, inside an element).
    pub cut: bool,
    /// The fragment that was cut, when its number was already known.
    pub incomplete: Option<FragmentNumber>,
    /// Bytes of the unfinished document, from its EBML header to the end of the body; or bytes
    /// after damage in which no document was found.
    pub bytes: u64,
}
