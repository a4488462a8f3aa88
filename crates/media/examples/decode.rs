//! Decodes a GetMedia body, or any Matroska/WebM file with Opus, AAC-LC, PCM or G.711, to 16 kHz
//! mono PCM.
//!
//! `cargo run --release -p media --example decode -- FILE|-` writes s16le to stdout and one JSON
//! line to stderr. `errors` counts damaged packets, resyncs, error tags, unsupported codecs and a
//! truncated end; gaps are counted, not written. The exit status is 1 if reading or writing failed,
//! or if the stream contains audio or damage and nothing could be decoded.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::process::ExitCode;

use media::{Output, Stream, StreamOptions};
use serde_json::json;

/// Bytes per read: small enough to decode while the rest is received.
const READ_SIZE: usize = 16 * 1024;

fn main() -> ExitCode {
    let Some(input) = std::env::args().nth(1) else {
        eprintln!("usage: decode FILE|-");
        return ExitCode::from(2);
    };
    match run(&input) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
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
    loop {
        let read = match source.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        decoding.push(&chunk[..read])?;
    }
    decoding.finish()
}

struct Decoding<W: Write> {
    stream: Stream,
    out: W,
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
            bytes: Vec::new(),
            refused: None,
            last_fragment: None,
            continuation_token: None,
        }
    }

    fn push(&mut self, mut bytes: &[u8]) -> io::Result<()> {
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
                    self.out.write_all(&self.bytes)?;
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
        self.out.flush()?;
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
