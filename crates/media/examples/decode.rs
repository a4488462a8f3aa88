//! Decodes a GetMedia body, or any Matroska/WebM file with Opus, AAC-LC, PCM or G.711, to 16 kHz
//! mono PCM.
//!
//! `cargo run --release -p media --example decode -- FILE|-` writes s16le to stdout and one JSON
//! line to stderr. `errors` counts damaged packets, resyncs, error tags, unsupported codecs and a
//! truncated end; gaps are counted, not written. The exit status is 1 if reading or writing failed
//! (but for an output whose reader has ended), if the stream contains audio or damage and nothing
//! could be decoded, or if the input is not Matroska; one line to stderr then names its kind.
//!
//! `discardedSamples` counts the padding that the file declares at its end (DiscardPadding): it is
//! not written, as RFC 9559 asks of players. A live producer declares none, and neither does the
//! speaker of local-cloud: `make run` of the same file delivers these samples too.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::process::ExitCode;

use file_kind::{CONVERT, HEAD, file_kind};

use media::{Output, Stream, StreamOptions};
use serde_json::json;

#[path = "../../producer/src/file_kind.rs"]
mod file_kind;

/// Printed without or with a wrong argument.
const USAGE: &str = "usage: decode FILE|-

Writes the audio of a Matroska or WebM file as 16 kHz, 16-bit, mono PCM to stdout, and counts to
stderr. errors counts the damaged places; the audio that they cost is in no other counter.
discardedSamples is the padding that the file declares at its end: it is not written here,
and is delivered by `make run`, because a live producer declares none.";

/// Bytes after which an input without any fragment, packet or block is given up, so that an endless
/// one ends.
const MAX_WITHOUT_MEDIA: u64 = 64 * 1024 * 1024;

/// Bytes per read: small enough to decode while the rest is received.
const READ_SIZE: usize = 16 * 1024;

fn main() -> ExitCode {
    let input = std::env::args().nth(1).filter(|input| input == "-" || !input.starts_with('-'));
    let Some(input) = input else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match run(&input) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        // The reader of a pipe has ended, as `head` does.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{input}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(input: &str) -> io::Result<bool> {
    let mut source: Box<dyn Read> = match input {
        "-" => Box::new(io::stdin().lock()),
        path => Box::new(File::open(path)?),
    };
    let mut decoding = Decoding::new(BufWriter::new(io::stdout().lock()));
    let mut chunk = vec![0; READ_SIZE];
    while !decoding.is_hopeless() {
        let read = match source.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
                eprintln!("{}", not_matroska(input, "a folder"));
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        decoding.push(&chunk[..read])?;
    }
    if decoding.has_no_media() {
        eprintln!("{}", not_matroska(input, file_kind(&decoding.head)));
        return Ok(false);
    }
    decoding.finish()
}

/// Returns an error of writing.
fn output_error(error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("standard output: {error}"))
}

fn not_matroska(input: &str, kind: &str) -> String {
    let input = if input == "-" { "standard input" } else { input };
    format!("{input}: {kind}: make a Matroska or WebM file of a recording with {CONVERT}")
}

struct Decoding<W: Write> {
    stream: Stream,
    out: W,
    /// The first bytes of the input, at most [`HEAD`].
    head: Vec<u8>,
    /// Bytes read.
    read: u64,
    bytes: Vec<u8>,
    refused: Option<String>,
    last_fragment: Option<String>,
    continuation_token: Option<String>,
}

impl<W: Write> Decoding<W> {
    fn new(out: W) -> Self {
        Self {
            stream: Stream::start(StreamOptions::default()),
            out,
            head: Vec::new(),
            read: 0,
            bytes: Vec::new(),
            refused: None,
            last_fragment: None,
            continuation_token: None,
        }
    }

    /// Returns whether the input has no fragment, packet or block so far, and does not begin as
    /// Matroska does.
    fn has_no_media(&self) -> bool {
        let counters = self.stream.counters();
        let parts = counters.fragments + counters.packets + counters.skipped_blocks;
        parts == 0 && self.refused.is_none() && !self.head.starts_with(&file_kind::EBML)
    }

    fn is_hopeless(&self) -> bool {
        self.read > MAX_WITHOUT_MEDIA && self.has_no_media()
    }

    fn push(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        let missing = HEAD.saturating_sub(self.head.len()).min(bytes.len());
        self.head.extend_from_slice(&bytes[..missing]);
        self.read += bytes.len() as u64;
        while !bytes.is_empty() {
            bytes = self.stream.push(bytes);
            self.drain()?;
        }
        Ok(())
    }

    fn drain(&mut self) -> io::Result<()> {
        while let Some(output) = self.stream.poll() {
            match output {
                Output::Pcm { samples, .. } => {
                    self.bytes.clear();
                    self.bytes.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
                    self.out.write_all(&self.bytes).map_err(output_error)?;
                }
                Output::FragmentCompleted { number, continuation_token, .. } => {
                    self.last_fragment = Some(number.to_string());
                    self.continuation_token = Some(continuation_token);
                }
                Output::UnsupportedCodec { codec_id, reason } => {
                    eprintln!("{codec_id} is not decoded: {reason}");
                    self.refused = Some(codec_id);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn finish(mut self) -> io::Result<bool> {
        let tail = self.stream.finish();
        self.stream.flush();
        self.drain()?;
        self.out.flush().map_err(output_error)?;
        let counters = self.stream.counters();
        let errors = counters.decode_errors
            + counters.resyncs
            + counters.error_tags
            + counters.unsupported_codecs
            + u64::from(tail.cut);
        let report = json!({
            "fragments": counters.fragments,
            "packets": counters.packets,
            "samples": counters.samples,
            "filledSamples": counters.filled_samples,
            "gapSamples": counters.gap_samples,
            "repeatedSamples": counters.repeated_samples,
            "excessSamples": counters.excess_samples,
            "discardedSamples": self.stream.discarded_samples(),
            "clockDriftMillis": self.stream.clock_drift_ms(),
            "skippedBlocks": counters.skipped_blocks,
            "errors": errors,
            "codec": self.stream.codec_id().or(self.refused.as_deref()),
            "lastFragmentNumber": self.last_fragment,
            "continuationToken": self.continuation_token,
        });
        eprintln!("{report}");
        Ok(counters.packets > 0 || (self.refused.is_none() && errors == 0))
    }
}
