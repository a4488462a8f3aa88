//! Bytes in, positioned PCM out: the parser, the decoder and the timeline as one machine.

mod assembly;
mod audio;
mod budget;
mod deferred;
mod emission;
mod ending;
mod failing;
mod label;
mod progress;
mod remainder;
mod repeats;
mod selection;

use crate::mkv::Parser;
use crate::{Anchor, Content, Counters, Output, Tail};
use assembly::Assembly;

/// Most that may be filled, ms.
const MAX_FILL_MS: u32 = 10_000;

/// How a stream treats time that its blocks do not cover, or cover twice.
///
/// Positions depend on these: a resumed run must have the values of the first run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamOptions {
    /// Longest gap that is filled, ms; a longer one is skipped as [`Output::Gap`]. 0 to 10 000,
    /// default 2000; values above count as 10 000.
    pub max_fill_ms: u32,
    /// Name of the audio track that is taken before others of the same codec. Default
    /// `AUDIO_FROM_CUSTOMER`, the caller's side of an Amazon Connect call; where no track has it,
    /// the first by name is taken, also when it joins later: a resumed run has to choose the same.
    pub track_name: String,
    /// The session that is read. A fragment whose `sessionId` tag (before its Cluster) names
    /// another one is refused as [`Output::FragmentForeign`]; one without the tag is this
    /// session's. Default `None`: every fragment is taken.
    pub session_id: Option<String>,
}

impl Default for StreamOptions {
    fn default() -> Self {
        let track_name = "AUDIO_FROM_CUSTOMER".to_owned();
        Self { max_fill_ms: 2000, track_name, session_id: None }
    }
}

/// One session's audio, over as many GetMedia bodies as it takes.
///
/// Drive it as the [crate's contract](crate) says: push, drain, push, drain, finish; then go on
/// with the next body. Within one `Stream` no sample is emitted twice and positions only rise: a
/// fragment that was cut and is sent again goes on where it was cut, a fragment that was complete
/// is passed over.
#[derive(Debug)]
pub struct Stream {
    parser: Parser,
    assembly: Assembly,
}

impl Stream {
    /// A fresh session: the first audio block sets the origin, sample 0 is the first after
    /// pre-skip.
    pub fn start(options: StreamOptions) -> Self {
        Self::with(Assembly::start(bounded(options)))
    }

    /// Goes on at `anchor.fragment` with the positions of the run that gave the anchor. Fragments
    /// before it are passed over; if the anchor's fragment itself never comes, the next one stands
    /// where the producer's clock puts it.
    ///
    /// `contents` are those of the completed fragments before the anchor's, oldest first: the last
    /// 64 s of audio are looked at, so that what a producer sends again is recognised as it would
    /// have been.
    pub fn resume(options: StreamOptions, anchor: Anchor, contents: Vec<Content>) -> Self {
        Self::with(Assembly::resume(bounded(options), anchor, contents))
    }

    fn with(assembly: Assembly) -> Self {
        Self { parser: Parser::new(), assembly }
    }

    /// Takes the next bytes of the body and returns those that it did not take. Drain
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
    #[must_use = "what was not taken has to be pushed again after a drain"]
    pub fn push<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        self.parser.push(bytes)
    }

    /// The next thing that happened, or `None` when more bytes are needed.
    pub fn poll(&mut self) -> Option<Output<'_>> {
        while !self.assembly.has_output() {
            if self.assembly.goes_on() {
                self.assembly.go_on(self.parser.frame_again());
                continue;
            }
            let event = self.parser.poll()?;
            if let Some(selection) = self.assembly.take(event) {
                self.parser.select(selection);
            }
        }
        self.assembly.output()
    }

    /// The body is over (after a last drain). The stream then takes the next body.
    pub fn finish(&mut self) -> Tail {
        let end = self.parser.finish();
        self.assembly.finish(end)
    }

    /// The session is over (after [`Stream::finish`]): what the decoder's filter still holds
    /// becomes the last output, at most 10 ms, and nothing for Opus; so do packets that wait for
    /// the stamps behind them, and damaged packets at the very end are concealed, up to a second.
    /// Drain [`Stream::poll`] afterwards.
    pub fn flush(&mut self) {
        self.assembly.flush();
    }

    /// Totals since the stream was made.
    pub fn counters(&self) -> Counters {
        self.assembly.counters()
    }

    /// CodecID of the track that is being decoded, once one was found.
    pub fn codec_id(&self) -> Option<&str> {
        self.assembly.codec_id()
    }

    /// How much later the producer's stamps stand than its samples, ms: grows while its clock runs
    /// faster.
    pub fn clock_drift_ms(&self) -> i64 {
        self.assembly.clock_drift_ms()
    }

    /// Producer clock at position 0, ms since the epoch; `None` before the first audio block.
    pub fn origin_ms(&self) -> Option<i64> {
        self.assembly.origin_ms()
    }
}

fn bounded(options: StreamOptions) -> StreamOptions {
    StreamOptions { max_fill_ms: options.max_fill_ms.min(MAX_FILL_MS), ..options }
}
