//! Decodes GetMedia bodies to PCM with positions: parser, decoder and timeline as one pipeline.

mod audio;
mod budget;
mod decode_failures;
mod deferral_queue;
mod fragment_history;
mod last_packet;
mod mime_hint;
mod output_queue;
mod packet_splitter;
mod pipeline;
mod repeats;
mod selection;

use crate::mkv::Parser;
use crate::{Content, Counters, Output, ResumePoint, Tail};
use pipeline::Pipeline;

/// Upper limit of [`StreamOptions::max_fill_ms`].
const MAX_FILL_MS: u32 = 10_000;

/// Options of a stream.
///
/// Positions depend on them: a resumed run must use the values of the first run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamOptions {
    /// Longest gap that is filled, ms; a longer one is reported as [`Output::Gap`]. 0 to 10 000,
    /// default 2000; higher values are reduced to 10 000.
    pub max_fill_ms: u32,
    /// Name of the audio track that is preferred to others of the same codec. Default
    /// `AUDIO_FROM_CUSTOMER`, the caller's side of an Amazon Connect call. If no track has this
    /// name, the first by name is decoded, even if it appears later: a resumed run must select the
    /// same track.
    pub track_name: String,
    /// The session to decode. A fragment whose `sessionId` tag (before its Cluster) names another
    /// session is skipped and reported as [`Output::FragmentForeign`]; a fragment without the tag
    /// is decoded. Default `None`: every fragment is decoded.
    pub session_id: Option<String>,
}

impl Default for StreamOptions {
    fn default() -> Self {
        let track_name = "AUDIO_FROM_CUSTOMER".to_owned();
        Self { max_fill_ms: 2000, track_name, session_id: None }
    }
}

/// Decoder of one session's audio, over any number of GetMedia bodies.
///
/// Use it as the [crate's contract](crate) describes: push, drain, push, drain, finish; then push
/// the next body. Within one `Stream` no sample is emitted twice and positions only increase: a
/// fragment that was truncated and is sent again continues where it was truncated, a fragment that
/// was complete is skipped.
#[derive(Debug)]
pub struct Stream {
    parser: Parser,
    pipeline: Pipeline,
}

impl Stream {
    /// Starts a new session: the first audio block sets the origin; sample 0 is the first after
    /// pre-skip.
    pub fn start(options: StreamOptions) -> Self {
        Self::with(Pipeline::start(bounded(options)))
    }

    /// Resumes at `point.fragment` with the positions of the run that created it.
    /// Fragments before it are skipped. If its fragment never arrives, the next one is
    /// positioned by the producer's clock.
    ///
    /// `contents` are those of the completed fragments before it, oldest first. The last
    /// 64 s of audio are used to detect audio that the producer sends again.
    pub fn resume(options: StreamOptions, point: ResumePoint, contents: Vec<Content>) -> Self {
        Self::with(Pipeline::resume(bounded(options), point, contents))
    }

    fn with(pipeline: Pipeline) -> Self {
        Self { parser: Parser::new(), pipeline }
    }

    /// Consumes the next bytes of the body and returns the rest that it did not consume. Drain
    /// [`Stream::poll`], then push the rest:
    ///
    /// ```
    /// # let mut stream = media::Stream::start(media::StreamOptions::default());
    /// # let bytes = [0; 10_000];
    /// let mut rest = &bytes[..];
    /// while !rest.is_empty() {
    ///     rest = stream.push(rest);
    ///     while let Some(output) = stream.poll() {
    ///         println!("{output:?}");
    ///     }
    /// }
    /// ```
    #[must_use = "the returned bytes must be pushed again after a drain"]
    pub fn push<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        self.parser.push(bytes)
    }

    /// Returns the next output, or `None` when more bytes are needed.
    pub fn poll(&mut self) -> Option<Output<'_>> {
        while !self.pipeline.has_output() {
            if self.pipeline.has_packets() {
                self.pipeline.take_next_packet(self.parser.frame_again());
                continue;
            }
            let event = self.parser.poll()?;
            if let Some(selection) = self.pipeline.take(event) {
                self.parser.select(selection);
            }
        }
        self.pipeline.output()
    }

    /// Ends the body; call it after the last drain. The stream then accepts the next body.
    pub fn finish(&mut self) -> Tail {
        let end = self.parser.finish();
        self.pipeline.finish(end)
    }

    /// Ends the session; call it after [`Stream::finish`], and drain [`Stream::poll`] afterwards.
    /// Emits deferred packets, the samples that the decoder's filter holds (at most 10 ms; none for
    /// Opus), and concealment of damaged packets at the end, up to a second.
    pub fn flush(&mut self) {
        self.pipeline.flush();
    }

    /// Returns the totals since the stream was created.
    pub fn counters(&self) -> Counters {
        self.pipeline.counters()
    }

    /// Returns the CodecID of the decoded track; `None` before one is found.
    pub fn codec_id(&self) -> Option<&str> {
        self.pipeline.codec_id()
    }

    /// Returns the samples of DiscardPadding at the current end. They are not emitted, unless
    /// another packet follows.
    pub fn discarded_samples(&self) -> u64 {
        self.pipeline.discarded_samples()
    }

    /// Returns the lag of the sample count behind the producer's time stamps, ms. It grows while
    /// the producer's clock runs faster than its samples.
    pub fn clock_drift_ms(&self) -> i64 {
        self.pipeline.clock_drift_ms()
    }

    /// Returns the producer's clock at position 0, ms since the epoch; `None` before the first
    /// audio block.
    pub fn origin_ms(&self) -> Option<i64> {
        self.pipeline.origin_ms()
    }
}

fn bounded(options: StreamOptions) -> StreamOptions {
    StreamOptions { max_fill_ms: options.max_fill_ms.min(MAX_FILL_MS), ..options }
}
